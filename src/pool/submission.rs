//! The future of a submitted item.

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use tokio::sync::oneshot;
use tokio::task::unconstrained;

use crate::pool::error::SubmitError;
use crate::pool::queue::SharedHandle;
use crate::pool::request::{Answer, stopped};
use crate::protocol::Position;
use crate::util::panic::discard;
use crate::util::waker::CaughtWaker;

/// The future of an item's result; made by [`Pool::submit`](crate::Pool::submit) and
/// [`Pool::try_submit`](crate::Pool::try_submit).
///
/// The item is in the pool already, whether this is polled or not. It may be awaited on any arbiter, thread or runtime.
/// While it exists the pool stays open.
///
/// # Cancellation
///
/// Dropping it cancels the item. An item that has not begun is removed from the admission queue and dropped before the
/// drop of this returns; its permit is released then, and its work never runs. For an item that runs,
/// [`Job::is_stopped`](crate::Job::is_stopped) returns true, and for no other; its permit is released when its work
/// returns.
#[must_use = "dropping a submission cancels its item"]
pub struct Submission<I: Send + 'static, O: Send + 'static> {
    state: State<I, O>,
}

enum State<I: Send + 'static, O: Send + 'static> {
    Pending {
        pool: Arc<SharedHandle<I, O>>,
        position: Position,
        answer: oneshot::Receiver<Answer<I, O>>,
        waker: CaughtWaker,
    },
    Refused(SubmitError<I>),
    Done,
}

impl<I: Send + 'static, O: Send + 'static> Submission<I, O> {
    pub(super) fn pending(
        pool: &Arc<SharedHandle<I, O>>,
        position: Position,
        answer: oneshot::Receiver<Answer<I, O>>,
    ) -> Self {
        Self { state: State::Pending { pool: Arc::clone(pool), position, answer, waker: CaughtWaker::default() } }
    }

    pub(super) fn refused(error: SubmitError<I>) -> Self {
        Self { state: State::Refused(error) }
    }

    /// Blocks this thread until the answer arrives.
    pub(super) fn wait(self) -> Answer<I, O> {
        // Unconstrained: inside of a tokio task whose budget is used up, the channel would stay pending forever.
        let mut submission = pin!(unconstrained(self));
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut cx = Context::from_waker(&waker);
        loop {
            match submission.as_mut().poll(&mut cx) {
                Poll::Ready(answer) => return answer,
                Poll::Pending => thread::park(),
            }
        }
    }
}

impl<I: Send + 'static, O: Send + 'static> Future for Submission<I, O> {
    type Output = Result<O, SubmitError<I>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let State::Pending { pool, position, answer, waker } = &mut self.state else {
            return match mem::replace(&mut self.state, State::Done) {
                State::Refused(error) => Poll::Ready(Err(error)),
                _ => panic!("a submission was polled after it was done"),
            };
        };
        let answer = match Pin::new(answer).poll(&mut waker.context(cx)) {
            Poll::Ready(Ok(answer)) => answer,
            // The request was dropped without an answer, as when its worker thread ends early.
            Poll::Ready(Err(_)) => Err(stopped(None, &pool.run.state)),
            Poll::Pending if pool.run.is_served_here() => match pool.queue.take_back(*position) {
                // This thread may be the only one left to run it.
                Some(item) => Err(SubmitError::OwnPool(item)),
                None => return Poll::Pending,
            },
            Poll::Pending => return Poll::Pending,
        };
        if answer.is_ok() {
            pool.run.metrics.add_emitted();
        }
        pool.queue.send_held();
        self.state = State::Done;
        Poll::Ready(answer)
    }
}

// Neither the item nor the result is pinned.
impl<I: Send + 'static, O: Send + 'static> Unpin for Submission<I, O> {}

impl<I: Send + 'static, O: Send + 'static> Drop for Submission<I, O> {
    fn drop(&mut self) {
        // The `Drop` of the item or of the result may panic, which must not unwind into the caller.
        match mem::replace(&mut self.state, State::Done) {
            State::Pending { pool, position, mut answer, .. } => {
                // In this order: a worker that takes the item in between sees that it is cancelled.
                answer.close();
                discard(pool.queue.take_back(position));
                discard(answer);
            }
            State::Refused(error) => discard(error),
            State::Done => {}
        }
    }
}

impl<I: Send + 'static, O: Send + 'static> fmt::Debug for Submission<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Pending { .. } => "pending",
            State::Refused(_) => "refused",
            State::Done => "done",
        };
        f.debug_struct("Submission").field("state", &state).finish_non_exhaustive()
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
