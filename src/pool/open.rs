//! What keeps a pool open.

use std::sync::Arc;

use crate::engine::intake::Run;
use crate::pool::queue::Queue;

/// Held by everything through which items or results may still pass: the pool's clones, submits, sinks and streams. When
/// the last of them is gone, the pool is closed.
pub(super) struct Open<I: Send + 'static, O: Send + 'static> {
    pub(super) run: Run,
    pub(super) queue: Arc<Queue<I, O>>,
}

impl<I: Send + 'static, O: Send + 'static> Drop for Open<I, O> {
    fn drop(&mut self) {
        // Like a source that has no more: nobody can submit.
        self.run.source_ended();
    }
}
