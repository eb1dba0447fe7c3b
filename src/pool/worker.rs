//! The workers of a pool: actors that take their items out of the admission queue themselves.

use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, SyncContext};

use crate::engine::batch::{Batch, Inputs, Passed};
use crate::engine::batch_run::BatchRun;
use crate::engine::executor::{Executor, Factory};
use crate::engine::reentrancy;
use crate::engine::run::WorkerGuard;
use crate::error::BoxError;
use crate::pool::error::{NotOneResult, SubmitError};
use crate::pool::queue::Queue;
use crate::pool::request::{Admitted, Request, stopped};
use crate::util::time_slice::TimeSlice;
use crate::work::{Job, Work};

/// A worker of a pool. Its actor takes items from the queue from its start to the pool's end, and handles no message.
/// Messages would pass through the System's first arbiter: one more thread to wait for, and one that blocks the pool
/// when it is blocked itself.
pub(super) struct Worker<I: Send, W: Work<I>> {
    /// `None` after the pool has ended. Then the run no longer waits for this thread, even if actix keeps it.
    item_loop: Option<Box<ItemLoop<I, W>>>,
}

/// The loop of a worker, with what it uses.
struct ItemLoop<I: Send, W: Work<I>> {
    queue: Arc<Queue<I, W::Output>>,
    /// Buffers for one item and one result, which are used again for the next item.
    inputs: Inputs<I>,
    outputs: Vec<W::Output>,
    // Dropped last: the run may end when it is dropped, and then this thread holds no other value of the user's.
    executor: Executor<Single<W>>,
}

/// What the workers of a pool share.
pub(super) struct Shared<I, W: Work<I>> {
    pub(super) factory: Arc<Factory<Single<W>>>,
    pub(super) queue: Arc<Queue<I, W::Output>>,
}

impl<I: Send + 'static, W: Work<I>> Worker<I, W> {
    pub(super) fn new(id: usize, shared: &Shared<I, W>, guard: WorkerGuard) -> Self {
        let item_loop = ItemLoop {
            queue: Arc::clone(&shared.queue),
            inputs: Vec::with_capacity(1).into(),
            outputs: Vec::with_capacity(1),
            executor: Executor::new(id, Arc::clone(&shared.factory), guard),
        };
        Self { item_loop: Some(Box::new(item_loop)) }
    }

    /// Runs items until the pool ends. Does nothing when actix starts the actor again.
    pub(super) fn run_items(&mut self) {
        if let Some(item_loop) = self.item_loop.take() {
            item_loop.run();
        }
    }
}

impl<I: Send + 'static, W: Work<I>> ItemLoop<I, W> {
    fn run(self) {
        let _entered = reentrancy::enter(self.executor.owner().id());
        // Dropped before `_entered`: the last worker drops the factory, whose `Drop` may wait for its own pool, too.
        let mut this = self;
        // Built now, so that the first item need not wait for it. If that fails, the run has ended.
        let _ = this.executor.prepare();
        while let Some(admitted) = this.queue.next() {
            this.run_item(admitted);
        }
        this.executor.clear();
    }

    /// Runs one item, as a batch of its own, and sends the answer.
    fn run_item(&mut self, admitted: Admitted<I, W::Output>) {
        let Admitted { request: Request { item, reply }, index, permit } = admitted;
        let Self { inputs, outputs, executor, .. } = self;
        inputs.queue().push_back(item);
        let batch = Batch { first: index, inputs: mem::take(inputs), passed: Passed::new(), permit };

        let mut running = BatchRun::begin(executor, batch, mem::take(outputs), Instant::now());
        // One step runs the one item, however long it takes.
        running.step(executor, &mut TimeSlice::new(Duration::MAX), &reply);
        // An item that has not begun is not given back to the queue, but returned to its caller: only a cancellation or
        // the end of the run keeps it from beginning.
        let mut ended = running.end(executor, Instant::now());

        let answer = match (ended.unbegun.queue().pop_front(), ended.failures.pop_front(), ended.outputs.pop()) {
            (Some(item), ..) => Err(stopped(Some(item), &executor.owner().state)),
            (None, Some((_, error)), _) => Err(SubmitError::Failed(error)),
            (None, None, Some(output)) => Ok(output),
            (None, None, None) => Err(stopped(None, &executor.owner().state)),
        };
        // Kept for the next item: no allocation per item.
        (*inputs, *outputs) = (ended.unbegun, ended.outputs);
        reply.send(answer, Some(ended.permit));
    }
}

impl<I: Send + 'static, W: Work<I>> Actor for Worker<I, W> {
    type Context = SyncContext<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        self.run_items();
    }
}

/// A work that must emit exactly one result per item. Any other number is an error of the item.
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
