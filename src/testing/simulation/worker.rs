//! A simulated worker.

use std::mem;
use std::time::{Duration, Instant};

use crate::backend::Post;
use crate::engine::batch::Batch;
use crate::engine::batch_run::BatchRun;
use crate::engine::executor::Executor;
use crate::pipeline::worker::Shared;
use crate::testing::simulation::Cost;
use crate::testing::simulation::mailbox::{Mail, Mailbox};
use crate::testing::simulation::probes::Log;
use crate::util::time_slice::TimeSlice;
use crate::work::Work;

/// A worker without a thread. It runs one item per step, by the same calls as a real one.
pub(super) struct Worker<I, W: Work<I>> {
    /// None once the worker has left.
    executor: Option<Executor<W>>,
    /// True after its first step, which builds its work.
    has_started: bool,
    running: Option<BatchRun<I, W::Output>>,
    /// When its batch began, and when the item that runs ends.
    began: Duration,
    until: Duration,
}

/// What all workers use.
pub(super) struct Environment<I, W: Work<I>> {
    pub(super) shared: Shared<I, W, Mailbox<Mail<W::Output>>>,
    /// What the simulation's clock counts from.
    pub(super) started: Instant,
    pub(super) queue: Mailbox<Batch<I>>,
    pub(super) cost: Cost,
    pub(super) log: Log,
}

impl<I, W: Work<I>> Worker<I, W> {
    pub(super) fn new(executor: Executor<W>) -> Self {
        Self {
            executor: Some(executor),
            has_started: false,
            running: None,
            began: Duration::ZERO,
            until: Duration::ZERO,
        }
    }

    pub(super) fn has_left(&self) -> bool {
        self.executor.is_none()
    }

    /// When the item that runs ends.
    pub(super) fn until(&self) -> Option<Duration> {
        self.running.is_some().then_some(self.until)
    }

    /// Returns true if it can take a step. `closing`: no more batches will be sent.
    pub(super) fn is_ready(&self, now: Duration, queue: &Mailbox<Batch<I>>, closing: bool) -> bool {
        match (&self.executor, &self.running) {
            (None, _) => false,
            (Some(_), Some(_)) => now >= self.until,
            (Some(_), None) => closing || !self.has_started || !queue.is_empty(),
        }
    }

    pub(super) fn step(&mut self, now: Duration, environment: &Environment<I, W>) {
        let Environment { shared, started, queue, cost, log } = environment;
        let Some(executor) = &mut self.executor else { return };
        if !mem::replace(&mut self.has_started, true) {
            let _ = executor.prepare();
            return;
        }
        let mut running = match self.running.take().or_else(|| {
            self.began = now;
            queue.pop().map(|batch| shared.begin(executor, batch, *started + now))
        }) {
            Some(running) => running,
            None => {
                executor.clear();
                self.executor = None;
                return;
            }
        };
        // A new time slice grants one item.
        if now - self.began < shared.overrun && shared.step(&mut running, executor, &mut TimeSlice::new(Duration::MAX))
        {
            let index = log.entries().begun.last().copied();
            self.until = now + index.map_or(Duration::ZERO, &**cost);
            self.running = Some(running);
            return;
        }
        shared.end(running, executor, || *started + now, |part| queue.post(part));
    }
}
