//! Re-entrancy: which set of threads this one belongs to, and which run it works for at the moment. A worker that waits
//! for what only its own run or its own set can do may wait forever.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use crate::engine::run::Run;
use crate::error::PipelineError;
use crate::util::sync::thread_local;

thread_local! {
    /// The run that this thread is a worker of.
    #[allow(clippy::missing_const_for_thread_local, reason = "shuttle's macro knows no const block")]
    static WORKS_FOR: Cell<Option<RunId>> = Cell::new(None);
    /// The set that this thread belongs to, also while it works for no run.
    #[allow(clippy::missing_const_for_thread_local, reason = "shuttle's macro knows no const block")]
    static BELONGS_TO: Cell<Option<SetId>> = Cell::new(None);
}

/// A run, by its address, which no other one can have while a thread works for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RunId(usize);

impl RunId {
    pub(crate) fn of<T: ?Sized>(run: &Arc<T>) -> Self {
        Self(Arc::as_ptr(run).addr())
    }
}

/// A set of threads, by its address, which no other one can have while its threads live or a run refers to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SetId(usize);

impl SetId {
    pub(crate) fn of<T>(set: &Arc<T>) -> Self {
        Self(Arc::as_ptr(set).addr())
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

/// Marks this thread as one of that set, until the returned value is dropped.
pub(crate) fn belong_to(set: SetId) -> Belonging {
    BELONGS_TO.with(|own| own.set(Some(set)));
    Belonging(())
}

/// See [`belong_to`].
pub(crate) struct Belonging(());

impl Drop for Belonging {
    fn drop(&mut self) {
        BELONGS_TO.with(|own| own.set(None));
    }
}

/// Returns true if this thread is a worker of that run.
pub(crate) fn is_own(run: RunId) -> bool {
    WORKS_FOR.with(Cell::get) == Some(run)
}

/// Returns true if this thread belongs to that set.
pub(crate) fn belongs_to(set: SetId) -> bool {
    BELONGS_TO.with(Cell::get) == Some(set)
}

/// Awaits `end`, the end of that run. On a thread that serves the run this is an error instead, since the thread would
/// wait for itself. Checked at every poll, because a future may be made on one thread and polled on another.
pub(crate) async fn unless_own<F: Future>(run: &Run, end: F) -> Result<F::Output, PipelineError> {
    let mut end = pin!(end);
    poll_fn(|cx| {
        if is_own(run.id()) {
            return Poll::Ready(Err(PipelineError::OwnWorker));
        }
        match end.as_mut().poll(cx) {
            // The end of another run on the same set may be there already; only to wait for it is refused.
            Poll::Pending if run.is_served_here() => Poll::Ready(Err(PipelineError::OwnWorker)),
            polled => polled.map(Ok),
        }
    })
    .await
}
