//! The workers of a pool: actors that fetch their items themselves.

use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, SyncContext};

use crate::engine::batch::{Batch, Inputs, Passed};
use crate::engine::batch_run::BatchRun;
use crate::engine::executor::{Executor, Factory};
use crate::engine::intake::WorkerGuard;
use crate::engine::reentrancy;
use crate::error::BoxError;
use crate::pool::error::{NotOneResult, SubmitError};
use crate::pool::queue::Queue;
use crate::pool::request::{Accepted, Submitted, stopped};
use crate::util::time_slice::Slice;
use crate::work::{Job, Work};

/// A worker of a pool. It serves the queue from its start to the pool's end, and no message ever reaches it: those pass
/// through the System's first arbiter, which would be one more thread to wait for, and whoever blocked it would block
/// the pool.
pub(super) struct Worker<I: Send, W: Work<I>> {
    /// Over once the pool has ended, wherever actix is with the thread.
    shift: Option<Box<Shift<I, W>>>,
}

/// A worker's time at the queue.
struct Shift<I: Send, W: Work<I>> {
    queue: Arc<Queue<I, W::Output>>,
    /// One item and one result, whose memory is kept.
    inputs: Inputs<I>,
    outputs: Vec<W::Output>,
    // Dropped last: then nothing of the user's is left on this thread.
    executor: Executor<Single<W>>,
}

/// What the workers of a pool have in common.
pub(super) struct Shared<I, W: Work<I>> {
    pub(super) factory: Arc<Factory<Single<W>>>,
    pub(super) queue: Arc<Queue<I, W::Output>>,
}

impl<I: Send + 'static, W: Work<I>> Worker<I, W> {
    pub(super) fn new(id: usize, shared: &Shared<I, W>, guard: WorkerGuard) -> Self {
        let shift = Shift {
            queue: Arc::clone(&shared.queue),
            inputs: Vec::with_capacity(1).into(),
            outputs: Vec::with_capacity(1),
            executor: Executor::new(id, Arc::clone(&shared.factory), guard),
        };
        Self { shift: Some(Box::new(shift)) }
    }

    /// Serves the queue until the pool ends. An actor that is started again finds it there.
    pub(super) fn serve(&mut self) {
        if let Some(shift) = self.shift.take() {
            shift.serve();
        }
    }
}

impl<I: Send + 'static, W: Work<I>> Shift<I, W> {
    fn serve(mut self) {
        let _entered = reentrancy::enter(self.executor.owner().id());
        // Before the first item comes, which then need not wait for it. A failure has ended the run.
        let _ = self.executor.prepare();
        while let Some(accepted) = self.queue.next() {
            self.run(accepted);
        }
        self.executor.clear();
    }

    /// Runs one item, as a batch of its own, and answers.
    fn run(&mut self, accepted: Accepted<I, W::Output>) {
        let Accepted { submitted: Submitted { item, reply }, index, permit } = accepted;
        let Self { inputs, outputs, executor, .. } = self;
        inputs.queue().push_back(item);
        let batch = Batch { first: index, inputs: mem::take(inputs), passed: Passed::new(), permit };

        let mut running = BatchRun::begin(executor, batch, mem::take(outputs), Instant::now());
        // One step runs the one item, whatever it takes.
        running.step(executor, &mut Slice::new(Duration::MAX), &reply);
        // What has not begun is not given back to the queue: its caller gets it, since only a stop or the end keeps it
        // from beginning.
        let mut ended = running.end(executor, Instant::now());

        let answer = match (ended.unbegun.queue().pop_front(), ended.failures.pop_front(), ended.outputs.pop()) {
            (Some(item), ..) => Err(stopped(Some(item), &executor.owner().state)),
            (None, Some((_, error)), _) => Err(SubmitError::Failed(error)),
            (None, None, Some(output)) => Ok(output),
            (None, None, None) => Err(stopped(None, &executor.owner().state)),
        };
        // The memory serves for the next item, so that none is asked for per item.
        (*inputs, *outputs) = (ended.unbegun, ended.outputs);
        reply.send(answer, Some(ended.permit));
    }
}

impl<I: Send + 'static, W: Work<I>> Actor for Worker<I, W> {
    type Context = SyncContext<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        self.serve();
    }
}

/// A work whose items have one result each: anything else is an error of the item.
pub(super) struct Single<W>(pub(super) W);

impl<I, W: Work<I>> Work<I> for Single<W> {
    type Output = W::Output;

    #[inline]
    fn run(&mut self, input: I, job: &mut Job<'_, W::Output>) -> Result<(), BoxError> {
        self.0.run(input, job)?;
        match job.outputs.len() {
            1 => Ok(()),
            emitted => Err(NotOneResult { emitted }.into()),
        }
    }
}
