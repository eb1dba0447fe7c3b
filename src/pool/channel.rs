//! A pool fed by hand: a sink for items, a stream of their results.

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
use crate::pool::request::{Answered, Channel, Fed};
use crate::protocol::Position;
use crate::util::waker::CaughtWaker;

pub(super) fn channel<I, O>(pool: &Arc<SharedHandle<I, O>>) -> (PoolSink<I, O>, PoolStream<I, O>)
where
    I: Send + 'static,
    O: Send + 'static,
{
    let (sender, answers) = mpsc::unbounded_channel();
    let channel = Arc::new(Channel::default());
    let fed = Fed { answers: sender, channel: Arc::clone(&channel) };
    let sink = PoolSink { pool: Arc::clone(pool), fed: Some(fed), waiting: None, waker: CaughtWaker::default() };
    (sink, PoolStream { pool: Arc::clone(pool), channel, answers, ended: false, waker: CaughtWaker::default() })
}

/// Where items are fed into a [`Pool`](crate::Pool) whose results come by a [`PoolStream`]; made by [`Pool::channel`](crate::Pool::channel).
///
/// It is ready while the pool has credit, in turn with everybody else who submits; one item may wait for credit in it.
/// Each item that it took is answered by the stream, also one that a closed pool sends back. Closing or dropping the sink
/// ends the stream after the last answer.
pub struct PoolSink<I: Send + 'static, O: Send + 'static> {
    pool: Arc<SharedHandle<I, O>>,
    /// `None` once it was closed.
    fed: Option<Fed<I, O>>,
    /// The item that waits for credit.
    waiting: Option<Position>,
    waker: CaughtWaker,
}

impl<I: Send + 'static, O: Send + 'static> PoolSink<I, O> {
    /// Waits until the last item has credit.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let (Some(position), Some(fed)) = (self.waiting, &self.fed) {
            self.waker.register(&fed.channel.turn, cx);
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
        self.poll_turn(cx).map(Ok)
    }

    fn start_send(mut self: Pin<&mut Self>, item: I) -> Result<(), Self::Error> {
        let this = &mut *self;
        if reentrancy::is_own(this.pool.run.id()) {
            return Err(SubmitError::OwnPool(item));
        }
        let Some(fed) = &this.fed else { return Err(SubmitError::Closed(item)) };
        let (position, queued) = this.pool.queue.feed(item, fed)?;
        this.waiting = (!queued).then_some(position);
        Ok(())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.poll_turn(cx).map(Ok)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        ready!(self.poll_turn(cx));
        self.fed = None;
        Poll::Ready(Ok(()))
    }
}

// Items are never pinned.
impl<I: Send + 'static, O: Send + 'static> Unpin for PoolSink<I, O> {}

impl<I: Send + 'static, O: Send + 'static> fmt::Debug for PoolSink<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolSink").field("waiting", &self.waiting.is_some()).finish_non_exhaustive()
    }
}

/// The results of what is fed into a [`PoolSink`], as they are finished; made by [`Pool::channel`](crate::Pool::channel).
///
/// A result keeps its item's credit until it is taken from here. Dropping the stream gives everything up that the sink
/// took: what has not begun is dropped and never runs, and what runs can see it by
/// [`Job::is_stopped`](crate::Job::is_stopped).
#[must_use = "dropping the stream gives up what the sink took"]
pub struct PoolStream<I: Send + 'static, O: Send + 'static> {
    pool: Arc<SharedHandle<I, O>>,
    channel: Arc<Channel>,
    answers: mpsc::UnboundedReceiver<Answered<I, O>>,
    ended: bool,
    waker: CaughtWaker,
}

impl<I: Send + 'static, O: Send + 'static> Stream for PoolStream<I, O> {
    type Item = Result<O, SubmitError<I>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let Some(answered) = ready!(this.answers.poll_recv(&mut this.waker.context(cx))) else {
            this.ended = true;
            return Poll::Ready(None);
        };
        let answer = answered.take();
        if answer.is_ok() {
            this.pool.run.metrics.add_emitted();
        }
        Poll::Ready(Some(answer))
    }
}

impl<I: Send + 'static, O: Send + 'static> FusedStream for PoolStream<I, O> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

// Results are never pinned.
impl<I: Send + 'static, O: Send + 'static> Unpin for PoolStream<I, O> {}

impl<I: Send + 'static, O: Send + 'static> Drop for PoolStream<I, O> {
    fn drop(&mut self) {
        self.answers.close();
        self.pool.queue.sweep(&self.channel);
        while let Ok(answered) = self.answers.try_recv() {
            drop(answered);
        }
    }
}

impl<I: Send + 'static, O: Send + 'static> fmt::Debug for PoolStream<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolStream").field("ended", &self.ended).finish_non_exhaustive()
    }
}
