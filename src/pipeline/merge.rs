//! Any number of streams as one.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::vec::IntoIter;

use futures::stream::{FusedStream, SelectAll};
use futures::{Stream, StreamExt};

use crate::engine::permit::Permit;
use crate::engine::run::{Core, Run};
use crate::error::PipelineError;
use crate::pipeline::intake::SourceIntake;
use crate::pipeline::upstream::{self, runs_of};
use crate::protocol::{Phase, Protocol};
use crate::stats::Stats;
use crate::stop::{StopHandle, run_state};
use crate::util::panic::{discard, discard_all};
use crate::util::time_slice::{TIME_SLICE, TimeSlice};
use crate::util::waker::CaughtWaker;

/// The most items taken from one stream before the next one is polled.
const ROUND: usize = 32;

/// Multiplexes any number of streams into one: pipelines of this crate, or any other streams.
///
/// The stream ends when all of them have ended. Items of one stream keep their order. A stream that is always ready
/// does not starve the others: at most 32 items are taken from it before the next one is polled. Streams of different
/// types must be [`boxed`](StreamExt::boxed) first.
///
/// # Stopping
///
/// [`Merged::stop`], or that of its [`stop_handle`](Merged::stop_handle), ends the stream and stops the pipelines that
/// it is made of: they are stopped when the call returns, whether the stream is polled or not, and
/// [`workers_stopped`](Merged::workers_stopped) waits for their workers. Dropping the stream drops them, which stops
/// them as well. [`Merged::drain`] first yields the items taken from them already, but what is in flight in a pipeline
/// is lost: to keep that, drain the pipelines instead.
///
/// Pipelines, and merged streams of them, are found inside of adapters that pass [`size_hint`](Stream::size_hint) on,
/// as `map`, `take`, `chain`, `boxed` and most others do; also those that are only borrowed, as by `by_ref`. One that
/// is behind anything else (`select`, `flatten`, `unfold`, a channel, a task) is stopped when its stream is dropped:
/// here, at the next poll after the stop.
///
/// [`Merged::finished`] says how it ended: no better than the pipelines that it is made of. The `None` at its end does
/// not say.
///
/// # Examples
///
/// ```
/// use actix_fan::{FanOutExt, fan_in};
/// use futures::StreamExt;
///
/// # actix::System::new().block_on(async {
/// let low = (0..100u32).fan_out().workers(1).map(|n| n * 2)?;
/// let high = (100..200u32).fan_out().workers(1).map(|n| n * 2)?;
/// let both = fan_in([low, high]);
/// assert_eq!(both.count().await, 200);
/// # Ok::<(), actix_fan::StartError>(())
/// # }).unwrap();
/// ```
pub fn fan_in<S>(streams: impl IntoIterator<Item = S>) -> Merged<S>
where
    S: Stream,
{
    let mut runs = Vec::new();
    let streams = streams.into_iter().map(|stream| {
        runs.extend(runs_of(&stream));
        Contained { stream: Some(Box::pin(stream)), slice: TimeSlice::new(TIME_SLICE) }
    });
    let streams = streams.collect();
    let intake = SourceIntake::new(Core::new(Protocol::without_workers(ROUND), 0, None), runs);
    Merged {
        run: intake.run(),
        intake,
        streams,
        round: None,
        emitted: 0,
        slice: TimeSlice::new(TIME_SLICE),
        waker: CaughtWaker::default(),
    }
}

/// What [`fan_in`] returns.
#[must_use = "dropping the stream stops the streams it is made from"]
pub struct Merged<S: Stream> {
    intake: Arc<SourceIntake>,
    run: Run,
    streams: SelectAll<Contained<S>>,
    round: Option<Round<S::Item>>,
    emitted: u64,
    slice: TimeSlice,
    waker: CaughtWaker,
}

/// One of the streams, which yields what it has ready, a round at a time. Its `Drop` may panic, which must not keep
/// another from being dropped.
struct Contained<S> {
    /// `None` after its end.
    stream: Option<Pin<Box<S>>>,
    /// A stream may compute its items while it is polled.
    slice: TimeSlice,
}

impl<S: Stream> Stream for Contained<S> {
    type Item = Vec<S::Item>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Vec<S::Item>>> {
        let Self { stream, slice } = &mut *self;
        let mut items = Vec::new();
        while let Some(source) = stream {
            // Without items it was an earlier poll that spent the slice, and another begins here.
            while slice.is_spent() {
                if !items.is_empty() {
                    return Poll::Ready(Some(items));
                }
            }
            match source.as_mut().poll_next(cx) {
                Poll::Ready(Some(item)) => {
                    if items.is_empty() {
                        items.reserve_exact(ROUND);
                    }
                    items.push(item);
                }
                Poll::Ready(None) => discard(stream.take()),
                Poll::Pending => {
                    slice.end();
                    match items.is_empty() {
                        true => return Poll::Pending,
                        // Whether it is still pending is seen when it is polled again.
                        false => break,
                    }
                }
            }
            if items.len() == ROUND {
                break;
            }
        }
        Poll::Ready((!items.is_empty()).then_some(items))
    }
}

impl<S: Stream> Contained<S> {
    fn size_hint_of_items(&self) -> (usize, Option<usize>) {
        self.stream.as_ref().map_or((0, Some(0)), |stream| stream.size_hint())
    }
}

impl<S> Drop for Contained<S> {
    fn drop(&mut self) {
        discard(self.stream.take());
    }
}

/// Items taken from one stream.
struct Round<T> {
    items: IntoIter<T>,
    /// Ends them in the accounting when it is dropped.
    _permit: Permit,
}

impl<T> Drop for Round<T> {
    fn drop(&mut self) {
        discard_all(&mut self.items);
    }
}

impl<S: Stream> Merged<S> {
    fn run(&self) -> &Run {
        &self.run
    }

    /// Ends the stream and stops the pipelines that it is made of, in effect when this returns.
    pub fn stop(&self) {
        self.run.advance(Phase::Stopped);
    }

    /// Takes no more items from the streams; those that were taken are yielded, then the stream ends.
    ///
    /// This does not wait: [`finished`](Self::finished) does. What is in flight in the pipelines is lost, since their
    /// streams are dropped: to keep it, drain the pipelines.
    pub fn drain(&self) {
        self.run.advance(Phase::Draining);
    }

    /// A handle that stops or drains the stream from any thread.
    pub fn stop_handle(&self) -> StopHandle {
        StopHandle::new(self.run.clone())
    }

    run_state!("merged stream");

    /// The stream's numbers at this instant: an item is what one of the streams yielded, be it a failure, and it has
    /// completed when the consumer has taken its round. There are no workers.
    pub fn stats(&self) -> Stats {
        self.run.stats()
    }

    /// Waits until the stream has ended, and with it the pipelines that it is made of and their workers; returns the
    /// final numbers. [`Stats::end`] says how it ended: no better than any of those pipelines. A pipeline that is only
    /// borrowed, and goes on, is not waited for.
    ///
    /// Items that were not taken yet are dropped as they come. It may be called again, and dropped and called again.
    ///
    /// # Errors
    ///
    /// Why one of the pipelines ended before its source did without being asked to.
    pub async fn finished(&mut self) -> Result<Stats, PipelineError> {
        while let Some(item) = self.next().await {
            discard(item);
        }
        self.run.finished().await
    }

    fn end_stream(&mut self) -> Poll<Option<S::Item>> {
        self.streams.clear();
        self.round = None;
        self.run.tracker.stop_clock();
        self.run.end_seen();
        Poll::Ready(None)
    }
}

impl<S: Stream> Stream for Merged<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let this = &mut *self;
        if this.waker.is_yielding(cx) && !this.run.state.is_stopped() {
            return Poll::Pending;
        }
        loop {
            if this.run.state.is_stopped() {
                return this.end_stream();
            }
            if let Some(round) = &mut this.round {
                if this.slice.is_spent() {
                    this.waker.yield_now(cx);
                    return Poll::Pending;
                }
                let item = round.items.next();
                if round.items.len() == 0 {
                    this.round = None;
                }
                if item.is_some() {
                    this.emitted += 1;
                    this.run.metrics.set_emitted(this.emitted);
                    return Poll::Ready(item);
                }
            }
            this.intake.register(&mut this.waker, cx);
            if !this.run.state.is_running() {
                return this.end_stream();
            }
            match this.streams.poll_next_unpin(&mut this.waker.context(cx)) {
                Poll::Ready(Some(items)) => {
                    let (_, _, mut permit) = Permit::hand_out(&this.run, items.len());
                    permit.record_completed();
                    this.round = Some(Round { items: items.into_iter(), _permit: permit });
                }
                Poll::Ready(None) => {
                    this.run.source_ended();
                    return this.end_stream();
                }
                Poll::Pending => {
                    this.slice.end();
                    return Poll::Pending;
                }
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        if upstream::answer(&self.run) {
            // The streams of this one need not be asked, their runs are known here.
            return (0, None);
        }
        let taken = self.round.as_ref().map_or(0, |round| round.items.len());
        let (least, most) = self.streams.iter().map(|stream| stream.size_hint_of_items()).fold(
            (0usize, Some(0usize)),
            |(least, most), (low, high)| {
                (least.saturating_add(low), most.zip(high).and_then(|(a, b)| a.checked_add(b)))
            },
        );
        if self.run.state.is_running() || self.streams.is_empty() {
            (least.saturating_add(taken), most.and_then(|most| most.checked_add(taken)))
        } else {
            (0, Some(taken))
        }
    }
}

impl<S: Stream> Drop for Merged<S> {
    fn drop(&mut self) {
        // The runs upstream are not stopped here: those whose streams are dropped with this stop by that, and those
        // whose streams are only borrowed may go on.
        self.run.abandon();
        self.run.tracker.stop_clock();
    }
}

impl<S: Stream> FusedStream for Merged<S> {
    fn is_terminated(&self) -> bool {
        self.round.is_none() && self.streams.is_empty()
    }
}

// Items are never pinned, and the streams are in boxes.
impl<S: Stream> Unpin for Merged<S> {}

impl<S: Stream> fmt::Debug for Merged<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Merged").field("streams", &self.streams.len()).finish_non_exhaustive()
    }
}
