//! The future of a closure that runs on a set of threads.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::pool::calls::{BoxedCall, take_result};
use crate::pool::error::RunError;
use crate::pool::submission::Submission;

/// The future of a closure's result; made by [`Workers::run`](crate::Workers::run) and its siblings.
///
/// The closure is queued already, whether this is polled or not. It may be awaited on any arbiter, thread or runtime.
///
/// # Cancellation
///
/// Dropping it cancels the closure. One that has not begun never runs, and is dropped before the drop of this returns. One
/// that runs is not interrupted, and its result is dropped; the closure of
/// [`run_with`](crate::Workers::run_with) can see that it is not waited for any more.
#[must_use = "dropping it cancels the closure"]
pub struct RunFuture<T> {
    state: Result<Submission<BoxedCall, BoxedCall>, Option<RunError>>,
    result: PhantomData<fn() -> T>,
}

impl<T: Send + 'static> RunFuture<T> {
    pub(super) fn pending(submission: Submission<BoxedCall, BoxedCall>) -> Self {
        Self { state: Ok(submission), result: PhantomData }
    }

    pub(super) fn refused(error: RunError) -> Self {
        Self { state: Err(Some(error)), result: PhantomData }
    }

    /// Blocks this thread until the result is there.
    pub(crate) fn wait(self) -> Result<T, RunError> {
        match self.state {
            Ok(submission) => submission.wait().map(take_result).map_err(RunError::of),
            Err(refused) => Err(refused.expect("it was not polled")),
        }
    }
}

impl<T: Send + 'static> Future for RunFuture<T> {
    type Output = Result<T, RunError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match &mut self.state {
            Ok(submission) => match ready!(Pin::new(submission).poll(cx)) {
                Ok(call) => Ok(take_result(call)),
                Err(error) => Err(RunError::of(error)),
            },
            Err(refused) => Err(refused.take().expect("it is not polled after it was done")),
        })
    }
}

impl<T> fmt::Debug for RunFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunFuture").field("state", &self.state).finish_non_exhaustive()
    }
}
