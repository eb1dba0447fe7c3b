//! A simulated worker.

use std::cell::RefCell;
use std::mem;
use std::time::{Duration, Instant};

use crate::engine::batch::Batch;
use crate::engine::batch_run::{BatchRun, NoWaiter, Portion};
use crate::engine::executor::Executor;
use crate::pipeline::stage::Parked;
use crate::pipeline::worker::Shared;
use crate::testing::simulation::Cost;
use crate::testing::simulation::mailbox::{Mail, Mailbox};
use crate::testing::simulation::probes::Log;
use crate::work::turn::Turns;

/// A worker without a thread. It runs one item per step, by the same calls as a real one.
pub(super) struct Worker<I, W: Turns<I>> {
    /// None once the worker has left.
    executor: Option<Executor<W>>,
    /// True after its first step, which builds its work.
    has_started: bool,
    running: Option<BatchRun<I, W::Output>>,
    /// The item that runs, and its results, which are there when it ends.
    portion: Option<Portion<I, W::Output>>,
    /// When the item that runs ends.
    until: Duration,
}

/// What all workers use.
pub(super) struct Environment<I, W: Turns<I>> {
    pub(super) shared: Shared<I, W, Mailbox<Mail<W::Output>>>,
    /// What the simulation's clock counts from.
    pub(super) started: Instant,
    pub(super) queue: Mailbox<Batch<I>>,
    pub(super) parked: RefCell<Parked<I>>,
    pub(super) cost: Cost,
    pub(super) log: Log,
}

impl<I, W: Turns<I>> Worker<I, W> {
    pub(super) fn new(executor: Executor<W>) -> Self {
        Self { executor: Some(executor), has_started: false, running: None, portion: None, until: Duration::ZERO }
    }

    pub(super) fn has_left(&self) -> bool {
        self.executor.is_none()
    }

    /// When the item that runs ends.
    pub(super) fn until(&self) -> Option<Duration> {
        self.running.is_some().then_some(self.until)
    }

    /// Returns true if it has no batch.
    pub(super) fn is_idle(&self) -> bool {
        self.has_started && self.executor.is_some() && self.running.is_none()
    }

    /// Returns true if it can take a step. `has_work`: there is something for an idle worker. `closing`: no more
    /// batches will be sent.
    pub(super) fn is_ready(&self, now: Duration, has_work: bool, closing: bool) -> bool {
        match (&self.executor, &self.running) {
            (None, _) => false,
            (Some(_), Some(_)) => now >= self.until,
            (Some(_), None) => closing || !self.has_started || has_work,
        }
    }

    /// Returns true if another worker can take a part of its batch.
    pub(super) fn can_share(&self) -> bool {
        self.running.as_ref().is_some_and(|running| running.unclaimed() > 0)
    }

    /// Takes a part of its batch, for another worker. `None` if the run was stopped.
    pub(super) fn share(&mut self) -> Option<Batch<I>> {
        self.running.as_mut().and_then(BatchRun::share)
    }

    /// Returns true if results wait for the item that runs.
    pub(super) fn can_deliver(&self) -> bool {
        self.portion.is_some() && self.running.as_ref().is_some_and(|running| running.undelivered() > 0)
    }

    /// Sends on the results that wait for the item that runs.
    pub(super) fn deliver(&mut self, environment: &Environment<I, W>) {
        let Environment { shared, .. } = environment;
        if let Some(running) = &mut self.running {
            shared.send(shared.deliver(running));
        }
    }

    /// Takes a step. `gives_back`: if it has run an item, the rest of its batch goes back to the queue, as when another
    /// run on the same threads should be served.
    pub(super) fn step(&mut self, now: Duration, gives_back: bool, environment: &Environment<I, W>) {
        let Environment { shared, started, queue, parked, cost, log } = environment;
        let Some(executor) = &mut self.executor else { return };
        if !mem::replace(&mut self.has_started, true) {
            let _ = executor.prepare();
            return;
        }
        let begin = || queue.pop().map(|batch| shared.begin(executor, batch, *started + now));
        let Some(mut running) = self.running.take().or_else(begin) else {
            self.executor = None;
            return;
        };
        if let Some(mut portion) = self.portion.take() {
            let mut leaving = shared.settle(&mut running, &mut portion);
            if running.undelivered() >= shared.chunk() {
                leaving = shared.deliver(&mut running);
            }
            let leaves = shared.send(leaving);
            let credit = running.credit().filter(|credit| leaves && !credit.may_go_on()).cloned();
            if (credit.is_some() || gives_back)
                && let Some(rest) = running.give_back()
            {
                match credit {
                    Some(credit) => _ = parked.borrow_mut().insert(rest.first, (rest, credit)),
                    None => queue.post_first(rest),
                }
                return shared.end(running, executor, *started + now);
            }
        }
        let mut portion = Portion::new();
        if running.claim(1, &mut portion) {
            let before = log.entries().turns.len();
            portion.run(executor, u64::MAX, &NoWaiter);
            let index = log.entries().turns.get(before).copied();
            self.until = now + index.map_or(Duration::ZERO, &**cost);
            if index.is_some() {
                (self.running, self.portion) = (Some(running), Some(portion));
                return;
            }
            running.merge(&mut portion);
        }
        shared.end(running, executor, *started + now);
    }
}

impl<I, W: Turns<I>> Environment<I, W> {
    /// Queues batches that may go on: those of which enough results were taken, and all of them after a stop.
    pub(super) fn resume(&self, is_stopped: bool) {
        let mut parked = self.parked.borrow_mut();
        let due: Vec<u64> = parked
            .iter()
            .filter_map(|(first, (_, credit))| (is_stopped || credit.may_go_on()).then_some(*first))
            .collect();
        let batches: Vec<Batch<I>> =
            due.iter().rev().filter_map(|first| parked.remove(first)).map(|(batch, _)| batch).collect();
        // The queue may be closed, and drops them then.
        drop(parked);
        batches.into_iter().for_each(|batch| self.queue.post_first(batch));
    }
}
