//! Whose worker this thread is: a worker that waits for its own pool or pipeline may wait forever.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::ptr;
use std::sync::Arc;
use std::task::Poll;

use crate::engine::state::Control;
use crate::error::PipelineError;
use crate::util::sync::thread_local;

thread_local! {
    /// The control of the pool or the pipeline, by its address, which no other can have while the thread holds it.
    #[allow(clippy::missing_const_for_thread_local, reason = "shuttle's macro knows no const block")]
    static SERVES: Cell<usize> = Cell::new(0);
}

/// From now on this thread is a worker's of that pool or pipeline, until what is returned is dropped.
pub(crate) fn serve(control: &Arc<Control>) -> Serving {
    SERVES.with(|serves| serves.set(address(control)));
    Serving(Arc::clone(control))
}

pub(crate) struct Serving(Arc<Control>);

impl Drop for Serving {
    fn drop(&mut self) {
        debug_assert!(is_own(&self.0));
        SERVES.with(|serves| serves.set(0));
    }
}

/// Returns true if this thread is a worker's of that pool or pipeline.
pub(crate) fn is_own(control: &Control) -> bool {
    SERVES.with(Cell::get) == address(control)
}

/// Awaits `end`, which can't come while one of the own workers waits for it: there this is an error instead. Looked at with
/// every poll, since a future may be made on one thread and polled on another.
pub(crate) async fn unless_own<F: Future>(control: &Control, end: F) -> Result<F::Output, PipelineError> {
    let mut end = pin!(end);
    poll_fn(|cx| match is_own(control) {
        true => Poll::Ready(Err(PipelineError::OwnWorker)),
        false => end.as_mut().poll(cx).map(Ok),
    })
    .await
}

fn address(control: &Control) -> usize {
    ptr::from_ref(control).addr()
}
