//! A channel through a pool: a sink for items, and a stream of their results.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures::stream::FusedStream;
use futures::{Sink, Stream};
use tokio::sync::mpsc;

use crate::engine::reentrancy;
use crate::pool::error::SubmitError;
use crate::pool::queue::SharedHandle;
use crate::pool::request::{AnswerSender, AnswerWithPermit, Channel};
use crate::protocol::Position;
use crate::util::waker::CaughtWaker;

pub(super) fn channel<I, O>(pool: &Arc<SharedHandle<I, O>>) -> (PoolSink<I, O>, PoolStream<I, O>)
where
    I: Send + 'static,
    O: Send + 'static,
{
    let (sender, answers) = mpsc::unbounded_channel();
    let channel = Arc::new(Channel::default());
    let sender = AnswerSender { answers: sender, channel: Arc::clone(&channel) };
    let sink = PoolSink { pool: Arc::clone(pool), sender: Some(sender), waiting: None, waker: CaughtWaker::default() };
    (sink, PoolStream { pool: Arc::clone(pool), channel, answers, ended: false, waker: CaughtWaker::default() })
}

/// A sink for items of a [`Pool`](crate::Pool), whose results come from a [`PoolStream`]; made by
/// [`Pool::channel`](crate::Pool::channel).
///
/// It is ready unless its last item waits for a permit. Its items and those of all other callers get their permits in
/// the order in which they came. The stream has an answer for each item that the sink took, also for one that a closed
/// pool returns. Closing or dropping the sink ends the stream after the last answer.
pub struct PoolSink<I: Send + 'static, O: Send + 'static> {
    pool: Arc<SharedHandle<I, O>>,
    /// `None` after the sink was closed.
    sender: Option<AnswerSender<I, O>>,
    /// The last item, if it waits for a permit.
    waiting: Option<Position>,
    waker: CaughtWaker,
}

impl<I: Send + 'static, O: Send + 'static> PoolSink<I, O> {
    /// Waits until the last item has a permit or was returned.
    fn poll_admitted(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let (Some(position), Some(sender)) = (self.waiting, &self.sender) {
            // Registered before the queue is asked: a permit that comes in between wakes the task.
            self.waker.register(&sender.channel.sink, cx);
            if self.pool.queue.is_waiting(position) {
                return Poll::Pending;
            }
            self.waiting = None;
        }
        Poll::Ready(())
    }
}

impl<I: Send + 'static, O: Send + 'static> Sink<I> for PoolSink<I, O> {
    type Error = SubmitError<I>;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.poll_admitted(cx).map(Ok)
    }

    fn start_send(mut self: Pin<&mut Self>, item: I) -> Result<(), Self::Error> {
        let this = &mut *self;
        if reentrancy::is_own(this.pool.run.id()) {
            return Err(SubmitError::OwnPool(item));
        }
        let Some(sender) = &this.sender else { return Err(SubmitError::Closed(item)) };
        let (position, queued) = this.pool.queue.feed(item, sender)?;
        this.waiting = (!queued).then_some(position);
        Ok(())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.poll_admitted(cx).map(Ok)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        ready!(self.poll_admitted(cx));
        self.sender = None;
        Poll::Ready(Ok(()))
    }
}

// No item is pinned.
impl<I: Send + 'static, O: Send + 'static> Unpin for PoolSink<I, O> {}

impl<I: Send + 'static, O: Send + 'static> fmt::Debug for PoolSink<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolSink").field("waiting", &self.waiting.is_some()).finish_non_exhaustive()
    }
}

/// The results of the items fed into a [`PoolSink`], in the order in which they are done; made by
/// [`Pool::channel`](crate::Pool::channel).
///
/// A result keeps the permit of its item until it is taken from here. Dropping the stream cancels all items that the
/// sink took: those that have not begun are dropped and never run, and for those that run
/// [`Job::is_stopped`](crate::Job::is_stopped) returns true.
#[must_use = "dropping the stream cancels the items that the sink took"]
pub struct PoolStream<I: Send + 'static, O: Send + 'static> {
    pool: Arc<SharedHandle<I, O>>,
    channel: Arc<Channel>,
    answers: mpsc::UnboundedReceiver<AnswerWithPermit<I, O>>,
    ended: bool,
    waker: CaughtWaker,
}

impl<I: Send + 'static, O: Send + 'static> Stream for PoolStream<I, O> {
    type Item = Result<O, SubmitError<I>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let Some(answer) = ready!(this.answers.poll_recv(&mut this.waker.context(cx))) else {
            this.ended = true;
            return Poll::Ready(None);
        };
        let answer = answer.take();
        if answer.is_ok() {
            this.pool.run.metrics.add_emitted();
        }
        this.pool.queue.send_held();
        Poll::Ready(Some(answer))
    }
}

impl<I: Send + 'static, O: Send + 'static> FusedStream for PoolStream<I, O> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

// No result is pinned.
impl<I: Send + 'static, O: Send + 'static> Unpin for PoolStream<I, O> {}

impl<I: Send + 'static, O: Send + 'static> Drop for PoolStream<I, O> {
    fn drop(&mut self) {
        // In this order: after `close` the sink adds no item, and a worker that takes one sees that it is cancelled.
        self.answers.close();
        self.pool.queue.drop_items_of(&self.channel);
        // One by one, which releases their permits. What arrives later is dropped with the channel.
        while let Ok(answer) = self.answers.try_recv() {
            drop(answer);
        }
    }
}

impl<I: Send + 'static, O: Send + 'static> fmt::Debug for PoolStream<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolStream").field("ended", &self.ended).finish_non_exhaustive()
    }
}
