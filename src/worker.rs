//! The fan-out: the actors of the pool.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::vec::Drain;

use actix::{Actor, Handler, Recipient, SyncContext};

use crate::batch::{Batch, Chunk, Outcomes, Passed, Spares};
use crate::control::{Control, Presence};
use crate::error::{ItemError, PipelineError, Stopped};
use crate::protocol::{LOOK, Phase};
use crate::unwind::{catch, discard, discard_all};
use crate::work::{Job, Work};

/// How often in a row the factory may panic before the pipeline gives up.
const FACTORY_ATTEMPTS: u32 = 5;

/// A worker looks at the clock at least so often in a batch.
const LOOKS_A_BATCH: usize = 8;

/// One of the actors of a `SyncArbiter` pool: runs the [`Work`] on batches and sends their [`Outcomes`] on.
///
/// All workers take from one queue, so a batch goes to whoever is free. Each item runs by itself under `catch_unwind`:
/// a panic fails that item, the `Work` is rebuilt by the factory on the same thread, and the rest of the batch runs.
pub struct Worker<I, W: Work<I>> {
    // Dropped before `presence`, which says that nothing of the user's is left on this thread.
    work: Option<Box<W>>,
    shared: Arc<Shared<I, W>>,
    id: usize,
    /// Steps between two looks at the clock, from the last batch.
    stride: usize,
    presence: Presence,
}

/// What the workers of a pool have in common.
pub(crate) struct Shared<I, W: Work<I>> {
    pub(crate) factory: Box<dyn Fn() -> W + Send + Sync>,
    pub(crate) workers: usize,
    /// How long a batch may run before what it has not begun goes back to the queue, for whoever is free.
    pub(crate) overrun: Option<Duration>,
    pub(crate) aggregator: Recipient<Outcomes<W::Output>>,
    pub(crate) inputs: Arc<Spares<I>>,
    pub(crate) outputs: Arc<Spares<W::Output>>,
}

impl<I, W: Work<I>> Worker<I, W> {
    pub(crate) fn new(id: usize, shared: Arc<Shared<I, W>>, control: &Arc<Control>) -> Self {
        Self { work: None, shared, id, stride: 1, presence: Presence(Arc::clone(control)) }
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
    fn run(&mut self, inputs: &mut Drain<'_, I>, passed: &mut Passed, run: &mut Run<W::Output>) {
        let stride = self.stride.min(inputs.len() / LOOKS_A_BATCH + 1);
        loop {
            while let Some((before, _)) = passed.front()
                && *before == run.begun
            {
                run.pass(passed.pop_front().expect("it was just seen").1);
            }
            if inputs.len() == 0 || self.control().is_stopped() || !self.build() {
                return;
            }
            let steps = passed.front().map_or(stride, |(before, _)| stride.min(before - run.begun));
            let work = self.work.as_mut().expect("it was just built");
            if let Err(message) = catch(|| run.steps(steps, inputs, &mut **work, &self.presence.0)) {
                log::warn!("item {} panicked, the work of worker {} is rebuilt: {message}", run.index, self.id);
                run.panicked(message);
                self.control().meter(self.id).rebuilt();
                discard(self.work.take());
            }
            if inputs.len() > 0 && self.shared.overrun.is_some_and(|overrun| run.began.elapsed() > overrun) {
                return;
            }
        }
    }

    /// Learns how many items make [`LOOK`].
    fn learn(&mut self, items: usize, busy: Duration) {
        let looks = usize::try_from(busy.as_nanos() / LOOK.as_nanos()).unwrap_or(usize::MAX);
        self.stride = (items / looks.max(1)).max(1);
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
        let items = inputs.len() + passed.len();
        let began = Instant::now();
        self.control().meter(self.id).begin(self.control().started(), began);

        let mut run = Run::new(first, began, self.shared.outputs.get());
        let mut rest = inputs.drain(..);
        self.run(&mut rest, &mut passed, &mut run);
        if self.control().is_stopped() {
            discard_all(rest);
        } else if rest.len() > 0 {
            let left = items - run.ended();
            passed.iter_mut().for_each(|(before, _)| *before -= run.begun);
            let rest = Batch { first: run.index, inputs: rest.collect(), passed, ticket: ticket.split_off(left) };
            rest.split(self.shared.workers).for_each(|part| ctx.address().do_send(part));
        } else {
            drop(rest);
        }
        self.shared.inputs.put(inputs.into_vec());

        let busy = began.elapsed();
        self.learn(run.begun, busy);
        self.control().meter(self.id).end(busy, run.begun);
        ticket.record(run.begun - run.failed - run.given_up, run.failed + run.passed, run.begun, busy);
        let Run { outputs, failures, .. } = run;
        let chunk = Chunk::new(outputs, failures, Arc::clone(&self.shared.outputs), ticket);
        // If the aggregator is gone, the outcomes are dropped here, which settles their ticket.
        self.shared.aggregator.do_send(Outcomes { first, items: chunk.ticket.items(), chunk });
    }
}

/// A batch while it runs. What a panic must not lose is kept here, outside of what unwinds.
struct Run<O> {
    began: Instant,
    /// Index in the source of the item that runs or is next.
    index: u64,
    outputs: Vec<O>,
    failures: VecDeque<(usize, ItemError)>,
    /// Outputs before the item that runs.
    mark: usize,
    /// Items of which the work began.
    begun: usize,
    /// Those among them that failed.
    failed: usize,
    /// Those among them that ended because they were stopped.
    given_up: usize,
    /// Failures passed on from the source.
    passed: usize,
}

impl<O> Run<O> {
    fn new(first: u64, began: Instant, outputs: Vec<O>) -> Self {
        let failures = VecDeque::new();
        Self { began, index: first, outputs, failures, mark: 0, begun: 0, failed: 0, given_up: 0, passed: 0 }
    }

    /// Runs the work on up to `steps` items, until the pipeline is stopped.
    #[inline]
    fn steps<I, W>(&mut self, steps: usize, inputs: &mut Drain<'_, I>, work: &mut W, control: &Control)
    where
        W: Work<I, Output = O>,
    {
        for _ in 0..steps {
            if control.is_stopped() {
                return;
            }
            let Some(input) = inputs.next() else { return };
            self.mark = self.outputs.len();
            self.begun += 1;
            let mut job = Job { outputs: &mut self.outputs, control, index: self.index };
            match work.run(input, &mut job) {
                Ok(()) => self.index += 1,
                Err(error) if control.is_stopped() && error.is::<Stopped>() => self.give_up(),
                Err(error) => self.fail(ItemError::failed(self.index, error)),
            }
        }
    }

    /// The item that ran panicked.
    fn panicked(&mut self, message: String) {
        self.fail(ItemError::panicked(self.index, message));
    }

    /// The item that ran failed; what it had emitted goes.
    fn fail(&mut self, error: ItemError) {
        discard_all(self.outputs.drain(self.mark..));
        self.failures.push_back((self.mark, error));
        self.failed += 1;
        self.index += 1;
    }

    /// The item that ran saw that it was stopped.
    fn give_up(&mut self) {
        discard_all(self.outputs.drain(self.mark..));
        self.given_up += 1;
        self.index += 1;
    }

    /// An item came as a failure from the source.
    fn pass(&mut self, error: ItemError) {
        self.failures.push_back((self.outputs.len(), error));
        self.passed += 1;
        self.index += 1;
    }

    fn ended(&self) -> usize {
        self.begun + self.passed
    }
}
