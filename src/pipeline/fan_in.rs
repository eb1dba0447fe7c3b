//! The fan-in as the consumer sees it: the stream to range over.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix::{Addr, Message, Recipient};
use futures::stream::FusedStream;
use futures::{Stream, StreamExt};

use crate::engine::chunk::Chunk;
use crate::engine::reentrancy::unless_own;
use crate::engine::run::Run;
use crate::error::{ItemError, PipelineError};
use crate::pipeline::aggregator::Aggregator;
use crate::pipeline::generator::Generator;
use crate::pipeline::receiver::Receiver;
use crate::pipeline::upstream;
use crate::protocol::Phase;
use crate::stats::Stats;
use crate::stop::{StopHandle, live_settings, run_state};

/// The results of a running pipeline, as one stream.
///
/// It can be polled on any thread and any runtime, while the actors stay on their arbiter. In an
/// actor, `ctx.add_stream(fan_in)` hands the results to a `StreamHandler<Result<T, ItemError>>`.
///
/// # Ordering
///
/// Results come as they are finished, or in source order with [`FanOut::ordered`](crate::FanOut::ordered). The results
/// of one item stay together.
///
/// # Backpressure
///
/// A batch of items stays in flight until its last result was taken from here. A consumer that stops polling stops the
/// generator once the window is full.
///
/// # Stopping
///
/// Dropping the stream stops the pipeline at once, so `take(n)`, `break` and `?` do what they seem to. Otherwise
/// [`stop`](Self::stop) it or [`drain`](Self::drain) it, by a [`stop_handle`](Self::stop_handle) where the stream was
/// moved away, or send a [`Stop`](crate::Stop) to the [`generator`](Self::generator).
///
/// # Errors
///
/// An [`ItemError`] stands for one item; the stream goes on after it. When the pipeline ends before its source did
/// without being asked to, the stream's last item is an error with a
/// [`pipeline_error`](ItemError::pipeline_error), which is in no count of failed items.
///
/// A consumer that drops errors, as `filter_map(Result::ok)` does, drops that one too. It must ask
/// [`finished`](Self::finished), or [`StopHandle::finished`] where the stream was moved away: they return the error
/// whatever was done with the items, and the numbers otherwise, whose [`end`](Stats::end) says whether the stream was
/// complete, drained or stopped. `None` from [`next`](StreamExt::next) doesn't.
///
/// A worker that awaits the end or the next result of its own pipeline, or of another one on the same
/// [set](crate::Workers) of threads, would wait for itself as soon as all threads of the set do. It gets
/// [`PipelineError::OwnWorker`], whether other threads are idle or not. Work that needs a pipeline gives it threads of its
/// own, by [`workers`](crate::FanOut::workers). On such a thread, a single poll is refused as well if it finds no result
/// while the pipeline has not ended, since the thread may be about to wait: it stops the pipeline with that error.
#[must_use = "dropping the stream stops the pipeline"]
pub struct FanIn<T: Send + 'static> {
    // Dropped first: the stop comes before the addresses go.
    receiver: Receiver<T>,
    generator: Addr<Generator>,
    aggregator: Addr<Aggregator<T>>,
}

impl<T: Send + 'static> FanIn<T> {
    pub(crate) fn new(generator: Addr<Generator>, aggregator: Addr<Aggregator<T>>, receiver: Receiver<T>) -> Self {
        Self { generator, aggregator, receiver }
    }

    fn run(&self) -> &Run {
        self.receiver.run()
    }

    /// Stops the pipeline at once: no more items begin, in effect when this returns.
    ///
    /// The earlier stages of a chain are stopped as well. The stream ends when the items that run have returned.
    pub fn stop(&self) {
        self.run().advance(Phase::Stopped);
    }

    /// Takes no more items from the source; what is in flight is worked on and delivered, then the stream ends.
    ///
    /// This does not wait: [`finished`](Self::finished) does. A chain of stages is drained by its first stage: see
    /// [`fan_out`](Self::fan_out).
    pub fn drain(&self) {
        self.run().advance(Phase::Draining);
    }

    /// A handle that stops or drains the pipeline from any thread, to be taken before the stream is moved away.
    pub fn stop_handle(&self) -> StopHandle {
        StopHandle::new(self.run().clone())
    }

    run_state!("pipeline");

    live_settings!(
        "pipeline",
        "A larger one acts at once: the source is asked for more. Of a [`flat_map`](crate::FanOut::flat_map), it bounds the \
            results that wait as well."
    );

    /// The pipeline's numbers at this instant.
    pub fn stats(&self) -> Stats {
        self.receiver.stats()
    }

    /// The actor at the head of the pipeline, which takes [`Stop`](crate::Stop) and [`Snapshot`](crate::Snapshot).
    pub fn generator(&self) -> &Addr<Generator> {
        &self.generator
    }

    /// The actor at its end, which takes [`Snapshot`](crate::Snapshot).
    pub fn aggregator(&self) -> &Addr<Aggregator<T>> {
        &self.aggregator
    }

    /// The results of the next batch at once, or what is left of the current one: the fast path where one poll per
    /// result costs too much.
    ///
    /// `None` at the end, also of a pipeline that died: no chunk holds its error. [`finished`](Self::finished) tells
    /// whether the end came too early.
    ///
    /// Cancel safe: a chunk is lost only when it was returned.
    pub async fn next_chunk(&mut self) -> Option<Chunk<T>> {
        self.receiver.next_chunk().await
    }

    /// Waits until the pipeline has ended and every worker thread has dropped its work, in all stages of a chain;
    /// returns the final numbers, of which [`end`](Stats::end) says how it ended: complete, drained or stopped.
    ///
    /// Results that were not taken yet are dropped as they come, so this returns when the source has ended, or soon
    /// after a [`stop`](Self::stop) or a [`drain`](Self::drain). It may be called again, and dropped and called again.
    ///
    /// # Errors
    ///
    /// Why the pipeline ended before its source did without being asked to, whatever became of the stream's items, the
    /// last of which says so too. [`stats`](Self::stats) has the numbers then. [`PipelineError::OwnWorker`] on a
    /// thread that works for it or for its set, which would wait for itself.
    pub async fn finished(&mut self) -> Result<Stats, PipelineError> {
        let run = self.receiver.run().clone();
        unless_own(&run, self.receiver.dry()).await?;
        run.finished().await
    }

    /// Delivers every result to an actor as a message, and waits for each to be handled before it sends the next: the
    /// actor's pace is the pipeline's backpressure. Await the returned future or spawn it. The numbers that it returns
    /// say how the pipeline [ended](Stats::end).
    ///
    /// # Errors
    ///
    /// [`PipelineError::RecipientGone`] when the actor stops first, which is noticed at the next result and stops the
    /// pipeline; otherwise as [`finished`](Self::finished).
    ///
    /// # Examples
    ///
    /// ```
    /// use actix::prelude::*;
    /// use actix_fan::{FanOutExt, ItemError};
    ///
    /// #[derive(Message)]
    /// #[rtype(result = "()")]
    /// struct Square(Result<u64, ItemError>);
    ///
    /// impl From<Result<u64, ItemError>> for Square {
    ///     fn from(result: Result<u64, ItemError>) -> Self {
    ///         Square(result)
    ///     }
    /// }
    ///
    /// struct Sum(u64);
    /// impl Actor for Sum {
    ///     type Context = Context<Self>;
    /// }
    /// impl Handler<Square> for Sum {
    ///     type Result = ();
    ///     fn handle(&mut self, Square(result): Square, _: &mut Context<Self>) {
    ///         self.0 += result.unwrap_or(0);
    ///     }
    /// }
    ///
    /// # System::new().block_on(async {
    /// let sum = Sum(0).start();
    /// let squares = (1..=10u64).fan_out().map(|n| n * n)?;
    /// let stats = squares.deliver_to(sum.recipient::<Square>()).await?;
    /// assert_eq!(stats.emitted, 10);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn deliver_to<M>(self, recipient: Recipient<M>) -> Result<Stats, PipelineError>
    where
        M: Message + From<Result<T, ItemError>> + Send + 'static,
        M::Result: Send,
    {
        self.deliver_with(recipient, M::from).await
    }

    /// [`deliver_to`](Self::deliver_to) with messages that `message` makes of the results. It may know more than they
    /// do, as which of an actor's pipelines they are from; where there is nothing to add, it is the message's
    /// constructor.
    ///
    /// It returns when the last message was handled and every worker's thread has dropped its work. So an actor that
    /// stops one pipeline and starts the next where the delivery of the first returns never takes a result of the one
    /// for the other's: see `examples/actix_app.rs`.
    ///
    /// # Errors
    ///
    /// Those of [`deliver_to`](Self::deliver_to).
    ///
    /// # Examples
    ///
    /// ```
    /// use actix::prelude::*;
    /// use actix_fan::{FanOutExt, ItemError};
    ///
    /// #[derive(Message)]
    /// #[rtype(result = "()")]
    /// struct Power { exponent: u32, result: Result<u64, ItemError> }
    ///
    /// #[derive(Default)]
    /// struct Sums([u64; 4]);
    /// impl Actor for Sums {
    ///     type Context = Context<Self>;
    /// }
    /// impl Handler<Power> for Sums {
    ///     type Result = ();
    ///     fn handle(&mut self, power: Power, _: &mut Context<Self>) {
    ///         self.0[power.exponent as usize] += power.result.unwrap_or(0);
    ///     }
    /// }
    ///
    /// # System::new().block_on(async {
    /// let sums = Sums::default().start().recipient::<Power>();
    /// for exponent in 2..4 {
    ///     let powers = (1..=10u64).fan_out().map(move |n| n.pow(exponent))?;
    ///     let message = move |result| Power { exponent, result };
    ///     powers.deliver_with(sums.clone(), message).await?;
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn deliver_with<M, F>(mut self, recipient: Recipient<M>, mut message: F) -> Result<Stats, PipelineError>
    where
        F: FnMut(Result<T, ItemError>) -> M,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        while let Some(result) = self.next().await {
            if recipient.send(message(result)).await.is_err() {
                self.receiver.run().fail_to_deliver(PipelineError::RecipientGone);
                // Complete, stopped or not: the recipient didn't get everything.
                let _ = self.finished().await;
                return Err(PipelineError::RecipientGone);
            }
        }
        self.finished().await
    }
}

impl<T: Send + 'static> Stream for FanIn<T> {
    type Item = Result<T, ItemError>;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().receiver.poll_next(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        upstream::answer(self.receiver.run());
        self.receiver.size_hint()
    }
}

impl<T: Send + 'static> FusedStream for FanIn<T> {
    fn is_terminated(&self) -> bool {
        self.receiver.size_hint().1 == Some(0)
    }
}

// Results are never pinned.
impl<T: Send + 'static> Unpin for FanIn<T> {}

impl<T: Send + 'static> fmt::Debug for FanIn<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FanIn").field("receiver", &self.receiver).finish_non_exhaustive()
    }
}
