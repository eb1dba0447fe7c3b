//! The fan-out: the actors of the pool.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, Handler, Recipient, SyncContext};

use crate::batch::{Batch, Chunk, Outcomes, Passed, Spares};
use crate::control::{Control, Presence};
use crate::error::PipelineError;
use crate::protocol::Phase;
use crate::run::Run;
use crate::slice::Slice;
use crate::unwind::{catch, discard};
use crate::work::Work;

/// How often in a row the factory may panic before the pipeline gives up.
const FACTORY_ATTEMPTS: u32 = 5;

/// One of the actors of a `SyncArbiter` pool: runs the [`Work`] on batches and sends their [`Outcomes`] on.
///
/// All workers take from one queue, so a batch goes to whoever is free. Each item runs by itself under `catch_unwind`:
/// a panic fails that item, the `Work` is rebuilt by the factory on the same thread, and the rest of the batch runs.
pub struct Worker<I, W: Work<I>> {
    // Dropped before `presence`, which says that nothing of the user's is left on this thread: the last worker's share
    // is the last of the factory.
    work: Option<Box<W>>,
    shared: Arc<Shared<I, W>>,
    id: usize,
    presence: Presence,
}

/// What the workers of a pool have in common.
pub(crate) struct Shared<I, W: Work<I>> {
    pub(crate) factory: Box<dyn Fn() -> W + Send + Sync>,
    pub(crate) workers: usize,
    /// How long a batch may run before what it has not begun goes back to the queue, for whoever is free.
    pub(crate) overrun: Duration,
    pub(crate) aggregator: Recipient<Outcomes<W::Output>>,
    pub(crate) inputs: Arc<Spares<I>>,
    pub(crate) outputs: Arc<Spares<W::Output>>,
}

impl<I, W: Work<I>> Drop for Shared<I, W> {
    fn drop(&mut self) {
        discard(std::mem::replace(&mut self.factory, Box::new(|| unreachable!("nothing is built any more"))));
    }
}

impl<I, W: Work<I>> Worker<I, W> {
    pub(crate) fn new(id: usize, shared: Arc<Shared<I, W>>, control: &Arc<Control>) -> Self {
        Self { work: None, shared, id, presence: Presence(Arc::clone(control)) }
    }

    fn control(&self) -> &Arc<Control> {
        &self.presence.0
    }

    /// Has the factory build a `Work` where there is none. False: it can't, and the pipeline has ended with an error.
    fn build(&mut self) -> bool {
        for attempt in 1.. {
            if self.work.is_some() {
                return true;
            }
            match catch(&*self.shared.factory) {
                Ok(work) => self.work = Some(Box::new(work)),
                Err(message) if attempt == FACTORY_ATTEMPTS => {
                    let error = PipelineError::WorkerFactory { attempts: attempt, message };
                    self.control().fail(error, Phase::Stopped);
                    return false;
                }
                Err(message) => log::warn!("the factory of worker {} panicked, trying again: {message}", self.id),
            }
        }
        unreachable!("the loop returns")
    }

    /// Runs the batch until its end, until the pipeline is stopped, or until it took far longer than planned.
    fn run(&mut self, inputs: &mut VecDeque<I>, passed: &mut Passed, run: &mut Run<W::Output>) {
        let mut slice = Slice::new(self.shared.overrun);
        loop {
            while let Some((before, _)) = passed.front()
                && *before == run.begun
            {
                run.pass(passed.pop_front().expect("it was just seen").1);
            }
            if inputs.is_empty() || self.control().is_stopped() || slice.is_spent() || !self.build() {
                return;
            }
            let until_passed = passed.front().map_or(inputs.len(), |(before, _)| before - run.begun);
            let steps = 1 + slice.grant(until_passed - 1);
            let work = self.work.as_mut().expect("it was just built");
            if let Err(message) = catch(|| run.steps(steps, inputs, &mut **work, &self.presence.0)) {
                log::warn!("item {} panicked, the work of worker {} is rebuilt: {message}", run.index() - 1, self.id);
                run.panicked(message);
                self.control().meter(self.id).rebuilt();
                discard(self.work.take());
            }
        }
    }
}

impl<I, W: Work<I>> fmt::Debug for Worker<I, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("id", &self.id).finish_non_exhaustive()
    }
}

impl<I, W> Actor for Worker<I, W>
where
    I: Send + 'static,
    W: Work<I>,
{
    type Context = SyncContext<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        if !self.control().is_stopped() {
            self.build();
        }
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        discard(self.work.take());
    }
}

impl<I, W> Handler<Batch<I>> for Worker<I, W>
where
    I: Send + 'static,
    W: Work<I>,
{
    type Result = ();

    fn handle(&mut self, batch: Batch<I>, ctx: &mut Self::Context) {
        let Batch { first, mut inputs, mut passed, mut ticket } = batch;
        let began = Instant::now();
        self.control().meter(self.id).begin(self.control().started(), began);

        let mut run = Run::new(first, self.shared.outputs.get());
        self.run(inputs.queue(), &mut passed, &mut run);
        if inputs.len() == 0 || self.control().is_stopped() {
            self.shared.inputs.put(inputs.into_spare());
        } else {
            passed.iter_mut().for_each(|(before, _)| *before -= run.begun);
            let ticket = ticket.split_off(inputs.len() + passed.len());
            let rest = Batch { first: run.index(), inputs, passed, ticket };
            rest.split(self.shared.workers).for_each(|part| ctx.address().do_send(part));
        }

        let busy = began.elapsed();
        self.control().meter(self.id).end(busy, run.begun);
        ticket.record(run.begun - run.failed - run.given_up, run.failed + run.passed, run.begun, busy);
        let Run { outputs, failures, .. } = run;
        let items = ticket.items();
        let chunk = Chunk::new(outputs, failures, Arc::clone(&self.shared.outputs), ticket);
        // If the aggregator is gone, the outcomes are dropped here, which settles their ticket.
        self.shared.aggregator.do_send(Outcomes { first, items, chunk });
    }
}
