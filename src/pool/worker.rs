//! The workers of a pool: actors that fetch their items themselves.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::time::Instant;

use actix::{Actor, SyncContext};

use crate::engine::executor::{Factory, Workbench};
use crate::engine::intake::WorkerGuard;
use crate::engine::reentrancy;
use crate::engine::run::Run;
use crate::error::BoxError;
use crate::pool::error::{NotOneResult, SubmitError};
use crate::pool::item::{Accepted, Submitted, stopped};
use crate::pool::queue::Queue;
use crate::util::time_slice::Stretch;
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
    inputs: VecDeque<I>,
    outputs: Vec<W::Output>,
    // Dropped last: then nothing of the user's is left on this thread.
    bench: Workbench<Single<W>>,
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
            inputs: VecDeque::with_capacity(1),
            outputs: Vec::with_capacity(1),
            bench: Workbench::new(id, Arc::clone(&shared.factory), guard),
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
        let _entered = reentrancy::enter(self.bench.owner().id());
        if !self.bench.owner().state.is_stopped() {
            self.bench.build();
        }
        while let Some(accepted) = self.queue.next() {
            self.run(accepted);
        }
        self.bench.clear();
    }

    fn run(&mut self, accepted: Accepted<I, W::Output>) {
        let Accepted { submitted: Submitted { item, reply }, index, mut permit } = accepted;
        let Self { inputs, outputs, bench, .. } = self;
        let began = Instant::now();
        bench.owner().metrics.batch_began(bench.id(), began);

        let mut run = Run::new(index, mem::take(outputs));
        inputs.push_back(item);
        if bench.build() {
            bench.run(Stretch::of(1), inputs, &mut run, Some(&reply));
        }

        let busy = began.elapsed();
        bench.owner().metrics.batch_ended(bench.id(), busy, run.begun);
        permit.record(run.begun - run.failed - run.given_up, run.failed, run.begun, busy);
        let answer = match (inputs.pop_front(), run.failures.pop_front(), run.outputs.pop()) {
            (Some(item), ..) => Err(stopped(Some(item), &bench.owner().state)),
            (None, Some((_, error)), _) => Err(SubmitError::Failed(error)),
            (None, None, Some(output)) => Ok(output),
            (None, None, None) => Err(stopped(None, &bench.owner().state)),
        };
        *outputs = run.outputs;
        reply.send(answer, Some(permit));
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
