//! Re-entrancy: which run this thread works for. A worker that waits for its own pool or pipeline may wait forever.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use crate::error::PipelineError;
use crate::util::sync::thread_local;

thread_local! {
    /// The run that this thread is a worker of.
    #[allow(clippy::missing_const_for_thread_local, reason = "shuttle's macro knows no const block")]
    static WORKS_FOR: Cell<Option<RunId>> = Cell::new(None);
}

/// A run, by its address, which no other one can have while a thread works for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RunId(usize);

impl RunId {
    pub(crate) fn of<T: ?Sized>(run: &Arc<T>) -> Self {
        Self(Arc::as_ptr(run).addr())
    }
}

/// Marks this thread as a worker of that run, until the returned value is dropped.
pub(crate) fn enter(run: RunId) -> Entered {
    Entered { run, before: WORKS_FOR.with(|own| own.replace(Some(run))) }
}

/// See [`enter`].
pub(crate) struct Entered {
    run: RunId,
    /// Its own run, where that ends while it runs items.
    before: Option<RunId>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        debug_assert!(is_own(self.run));
        WORKS_FOR.with(|own| own.set(self.before));
    }
}

/// Returns true if this thread is a worker of that run.
pub(crate) fn is_own(run: RunId) -> bool {
    WORKS_FOR.with(Cell::get) == Some(run)
}

/// Awaits `end`, the end of that run. On a thread of the run's own workers this is an error instead, since the worker
/// would wait for itself. Checked at every poll, because a future may be made on one thread and polled on another.
pub(crate) async fn unless_own<F: Future>(run: RunId, end: F) -> Result<F::Output, PipelineError> {
    let mut end = pin!(end);
    poll_fn(|cx| match is_own(run) {
        true => Poll::Ready(Err(PipelineError::OwnWorker)),
        false => end.as_mut().poll(cx).map(Ok),
    })
    .await
}
