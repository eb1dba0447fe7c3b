//! The body of a streamed answer: all results that are ready are written as one chunk.

use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::{BodySize, MessageBody};
use actix_web::rt::time::{Sleep, sleep};
use actix_web::web::Bytes;
use futures::{FutureExt, Stream};
use thiserror::Error;
use tokio::sync::oneshot;

use super::ending::Ending;
use super::failure::{Counts, Failures};
use super::link::{Cut, Link};
use crate::error::ItemError;
use crate::util::panic::{catch, discard};
use crate::util::time_slice::{TIME_SLICE, TimeSlice};
use crate::util::waker::CaughtWaker;

/// The length in bytes at which a chunk is written even if more results are ready.
const CHUNK: usize = 16 * 1024;

/// A format of results. Its methods append to the chunk.
pub(super) trait Format<T> {
    /// Writes what comes before the first result.
    fn begin(&mut self, chunk: &mut Vec<u8>);

    /// Writes a result. Returns false if that failed and a failure was written in its place.
    fn value(&mut self, value: &T, number: u64, chunk: &mut Vec<u8>) -> bool;

    /// Writes a failed item.
    fn failure(&mut self, error: &ItemError, number: u64, chunk: &mut Vec<u8>);

    /// Writes the last line.
    fn end(&mut self, ending: &Ending, counts: Counts, chunk: &mut Vec<u8>);

    /// The bytes of a heartbeat, which readers ignore.
    fn heartbeat(&self) -> &'static [u8];

    fn failures(&mut self) -> &mut Failures;
}

/// Why an answer is aborted, so that its client sees that it is incomplete.
#[derive(Debug, Error)]
pub(super) enum BrokenOff {
    #[error("the client read nothing for too long")]
    Stalled,
    #[error("the stream has {0}, and its format has no last line to report it")]
    Unsaid(&'static str),
}

/// A stream of results, written in a format.
///
/// The connection polls it only while it has room to write, and the body polls the results only then. There is no other
/// backpressure. Dropping the body drops the results.
pub(super) struct Body<S, F> {
    link: Rc<Link<S>>,
    /// Dropped with the body, which ends the guard.
    _gone: oneshot::Sender<()>,
    format: F,
    chunk: Vec<u8>,
    counts: Counts,
    begun: bool,
    /// Set when the stream has ended; after the chunk come the inner error, if any, and the end of the body.
    ended: Option<Option<BrokenOff>>,
    writes_end: bool,
    heartbeat: Duration,
    /// The time until the next heartbeat.
    quiet: Option<Pin<Box<Sleep>>>,
    slice: TimeSlice,
    /// True if the time slice is spent and the next poll yields: the chunk had to be returned first.
    spent: bool,
    waker: CaughtWaker,
}

impl<S, F> Body<S, F> {
    /// `gone` is dropped with the body. `writes_end`: write the last line. A `heartbeat` of zero: write none.
    pub(super) fn new(
        link: Rc<Link<S>>,
        gone: oneshot::Sender<()>,
        format: F,
        writes_end: bool,
        heartbeat: Duration,
    ) -> Self {
        Self {
            link,
            _gone: gone,
            format,
            chunk: Vec::new(),
            counts: Counts::default(),
            begun: false,
            ended: None,
            writes_end,
            heartbeat,
            quiet: None,
            slice: TimeSlice::new(TIME_SLICE),
            spent: false,
            waker: CaughtWaker::default(),
        }
    }

    /// Fills the chunk with the results that are ready, until it is full or the time slice is spent.
    fn fill<T>(&mut self, cx: &mut Context<'_>)
    where
        S: Stream<Item = Result<T, ItemError>>,
        F: Format<T>,
    {
        if !mem::replace(&mut self.begun, true) {
            self.format.begin(&mut self.chunk);
        }
        if self.ended.is_some() {
            return;
        }
        self.link.register(cx);
        match self.link.cut() {
            None => {}
            Some(Cut::Stopped) => return self.end(&Ending::Stopped),
            Some(Cut::Stalled) => {
                self.ended = Some(Some(BrokenOff::Stalled));
                return;
            }
        }
        let Some(mut results) = self.link.take() else { return };
        // The stream may have adapters of the application, and a panic here would close the connection.
        let polled = catch(|| self.poll_results(results.as_mut(), cx));
        match polled.unwrap_or_else(|message| Some(Ending::Panicked(message))) {
            None => self.link.put_back(results),
            Some(ending) => {
                discard(results);
                self.end(&ending);
            }
        }
    }

    /// Returns how the results ended, if they did.
    fn poll_results<T>(&mut self, mut results: Pin<&mut S>, cx: &mut Context<'_>) -> Option<Ending>
    where
        S: Stream<Item = Result<T, ItemError>>,
        F: Format<T>,
    {
        while self.chunk.len() < CHUNK {
            if self.slice.is_spent() {
                self.spent = true;
                return None;
            }
            match results.as_mut().poll_next(cx) {
                Poll::Ready(Some(Ok(value))) => {
                    if self.format.value(&value, self.counts.next(), &mut self.chunk) {
                        self.counts.results += 1;
                    } else {
                        self.counts.failures += 1;
                    }
                    discard(value);
                }
                Poll::Ready(Some(Err(error))) => match error.pipeline_error() {
                    None => {
                        self.format.failure(&error, self.counts.next(), &mut self.chunk);
                        self.counts.failures += 1;
                    }
                    Some(error) => return Some(Ending::Failed(error.clone())),
                },
                Poll::Ready(None) => return Some(Ending::of(&self.link.runs)),
                Poll::Pending => return None,
            }
        }
        None
    }

    fn end<T>(&mut self, ending: &Ending)
    where
        F: Format<T>,
    {
        let broken_off = if self.writes_end {
            self.format.end(ending, self.counts, &mut self.chunk);
            None
        } else {
            (!ending.is_orderly()).then(|| BrokenOff::Unsaid(ending.word()))
        };
        self.ended = Some(broken_off);
    }

    /// Ready when a heartbeat is due.
    fn poll_heartbeat(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.heartbeat.is_zero() {
            return Poll::Pending;
        }
        let period = self.heartbeat;
        self.quiet.get_or_insert_with(|| Box::pin(sleep(period))).poll_unpin(cx)
    }

    /// To be called at each write.
    fn restart_heartbeat(&mut self) {
        if let Some(quiet) = &mut self.quiet {
            quiet.set(sleep(self.heartbeat));
        }
    }

    fn write(&mut self, chunk: Bytes) -> Poll<Option<Result<Bytes, BrokenOff>>> {
        self.restart_heartbeat();
        self.link.block();
        Poll::Ready(Some(Ok(chunk)))
    }
}

impl<S, F, T> MessageBody for Body<S, F>
where
    S: Stream<Item = Result<T, ItemError>>,
    F: Format<T> + Unpin,
{
    type Error = BrokenOff;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BrokenOff>>> {
        let this = self.get_mut();
        this.link.unblock();
        if !this.spent {
            this.fill(cx);
            if !this.chunk.is_empty() {
                let next = Vec::with_capacity(this.chunk.len().min(CHUNK));
                let chunk = mem::replace(&mut this.chunk, next);
                return this.write(chunk.into());
            }
            if let Some(broken_off) = &mut this.ended {
                return Poll::Ready(broken_off.take().map(Err));
            }
        }
        if mem::take(&mut this.spent) {
            this.waker.yield_now(cx);
            return Poll::Pending;
        }
        this.slice.end();
        if this.poll_heartbeat(cx).is_ready() {
            return this.write(Bytes::from_static(this.format.heartbeat()));
        }
        Poll::Pending
    }
}

impl<S, F> Drop for Body<S, F> {
    fn drop(&mut self) {
        // The guard holds the link a moment longer, so dropping the link would not drop the results now.
        discard(self.link.take());
    }
}
