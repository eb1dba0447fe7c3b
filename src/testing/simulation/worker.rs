//! A simulated worker.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use crate::backend::Post;
use crate::engine::batch::{Batch, Spares};
use crate::engine::batch_run::Running;
use crate::engine::executor::Workbench;
use crate::testing::simulation::Cost;
use crate::testing::simulation::mailbox::{Mail, Mailbox};
use crate::testing::simulation::probes::Log;
use crate::util::time_slice::Slice;
use crate::work::Work;

/// A worker without a thread, at the bench of a real one. It runs one item a step.
pub(super) struct Station<I, W: Work<I>> {
    /// None once the worker has left.
    bench: Option<Workbench<W>>,
    /// Whether it has begun its service, with the work that it needs.
    has_started: bool,
    running: Option<Running<I, W::Output>>,
    /// When its batch began, and when the item that runs ends.
    began: Duration,
    until: Duration,
    /// What the items of its batch took.
    busy: Duration,
}

/// What surrounds the workers.
pub(super) struct Hall<I, W: Work<I>> {
    pub(super) workers: usize,
    pub(super) overrun: Duration,
    pub(super) inputs: Arc<Spares<I>>,
    pub(super) outputs: Arc<Spares<W::Output>>,
    pub(super) queue: Mailbox<Batch<I>>,
    pub(super) aggregator: Mailbox<Mail<W::Output>>,
    pub(super) cost: Cost,
    pub(super) log: Log,
}

impl<I, W: Work<I>> Station<I, W> {
    pub(super) fn new(bench: Workbench<W>) -> Self {
        Self {
            bench: Some(bench),
            has_started: false,
            running: None,
            began: Duration::ZERO,
            until: Duration::ZERO,
            busy: Duration::ZERO,
        }
    }

    pub(super) fn has_left(&self) -> bool {
        self.bench.is_none()
    }

    /// When the item that runs ends.
    pub(super) fn until(&self) -> Option<Duration> {
        self.running.is_some().then_some(self.until)
    }

    /// Whether there is something to do now. `closing`: nobody sends batches any more.
    pub(super) fn is_ready(&self, now: Duration, queue: &Mailbox<Batch<I>>, closing: bool) -> bool {
        match (&self.bench, &self.running) {
            (None, _) => false,
            (Some(_), Some(_)) => now >= self.until,
            (Some(_), None) => closing || !self.has_started || !queue.is_empty(),
        }
    }

    pub(super) fn step(&mut self, now: Duration, hall: &Hall<I, W>) {
        let Some(bench) = &mut self.bench else { return };
        if !mem::replace(&mut self.has_started, true) {
            if !bench.owner().state.is_stopped() {
                bench.build();
            }
            return;
        }
        let mut running = match self.running.take().or_else(|| {
            (self.began, self.busy) = (now, Duration::ZERO);
            hall.queue.pop().map(|batch| Running::begin(batch, hall.outputs.get()))
        }) {
            Some(running) => running,
            None => {
                bench.clear();
                self.bench = None;
                return;
            }
        };
        // A slice that was not looked at yet grants one item.
        if now - self.began < hall.overrun && running.step(bench, &mut Slice::new(Duration::MAX)) {
            let index = hall.log.entries().begun.last().copied();
            let cost = index.map_or(Duration::ZERO, &*hall.cost);
            self.until = now + cost;
            self.busy += cost;
            self.running = Some(running);
            return;
        }
        let rest = running.give_back(hall.workers, &hall.inputs);
        rest.into_iter().flatten().for_each(|part| hall.queue.post(part));
        bench.owner().metrics.batch_ended(bench.id(), self.busy, running.begun());
        let outcomes = running.end(self.busy, &hall.outputs);
        hall.aggregator.post(Mail::Outcomes(outcomes));
    }
}
