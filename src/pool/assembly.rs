//! How the parts of a pool are put together, for the pools of applications, for the closures of a set of threads, and in
//! the tests that shuttle orders.

use std::sync::Arc;

use crate::engine::executor::Factory;
use crate::engine::run::{Core, Run};
use crate::pool::handle::Pool;
use crate::pool::queue::Queue;
use crate::pool::worker::{Single, Stage};
use crate::protocol::bytes_of;
use crate::work::Work;

/// The memory of a request, without its item and its result.
const SUBMISSION_BYTES: usize = 256;

/// What an item in flight takes, in bytes.
pub(super) fn item_bytes<I, O>() -> usize {
    bytes_of::<I>() + bytes_of::<O>() + SUBMISSION_BYTES
}

/// The parts of a pool.
pub(super) struct Assembled<I: Send + 'static, W: Work<I>> {
    pub(super) run: Run,
    pub(super) pool: Pool<I, W::Output>,
    pub(super) stage: Arc<Stage<I, W>>,
}

impl<I: Send + 'static, W: Work<I>> Assembled<I, W> {
    /// `keeps`: each thread keeps a work of its own.
    pub(super) fn new(core: Core, factory: impl Fn() -> W + Send + Sync + 'static, keeps: bool) -> Self {
        let queue = Queue::new(core);
        let (run, pool) = (queue.run(), Pool::new(&queue));
        let factory = Factory::new(move || Single(factory()));
        let stage = Arc::new(Stage::new(&run, &queue, factory, keeps));
        Self { run, pool, stage }
    }
}
