//! The body of a streamed answer: results as they come, a chunk for all that is ready.

use std::convert::Infallible;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::body::{BodySize, MessageBody};
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::rt::time::{Sleep, sleep};
use actix_web::web::Bytes;
use futures::{FutureExt, Stream};

use crate::error::{ItemError, PipelineError};
use crate::slice::{SLICE, Slice};
use crate::unwind::discard;
use crate::waker::poll_again;

/// A chunk is handed over when it is so long, if not before.
const CHUNK: usize = 16 * 1024;

/// What a format makes of results: it appends to the chunk.
pub(super) trait Format<T> {
    fn begin(&mut self, chunk: &mut Vec<u8>);

    fn value(&mut self, value: &T, chunk: &mut Vec<u8>);

    fn failure(&mut self, error: &ItemError, chunk: &mut Vec<u8>);

    /// `error` is why the results ended too early.
    fn end(&mut self, error: Option<&PipelineError>, chunk: &mut Vec<u8>);

    /// What says nothing, only that somebody is there.
    fn heartbeat(&self) -> &'static [u8];
}

/// A stream of results, written in a format.
///
/// It is polled by the connection only while that has room to write, and polls the results only then: that is all the
/// backpressure there is. Dropping it drops the results.
pub(super) struct Body<S, F> {
    /// `None` after its end.
    results: Option<Pin<Box<S>>>,
    format: F,
    chunk: Vec<u8>,
    begun: bool,
    heartbeat: Duration,
    /// Since something was last written.
    quiet: Option<Pin<Box<Sleep>>>,
    slice: Slice,
    /// Yield at the next poll: the chunk of this turn had to leave first.
    spent: bool,
}

impl<S, F> Body<S, F> {
    /// No heartbeat if that is zero.
    pub(super) fn new(results: S, format: F, heartbeat: Duration) -> Self {
        Self {
            results: Some(Box::pin(results)),
            format,
            chunk: Vec::new(),
            begun: false,
            heartbeat,
            quiet: None,
            slice: Slice::new(SLICE),
            spent: false,
        }
    }

    /// The answer. Nobody on the way to the client is to keep it or to hold it back.
    pub(super) fn respond<T>(self, content_type: &'static str) -> HttpResponse
    where
        S: Stream<Item = Result<T, ItemError>> + 'static,
        F: Format<T> + Unpin + 'static,
        T: 'static,
    {
        HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, content_type))
            .insert_header((CACHE_CONTROL, "no-store"))
            .insert_header(("X-Accel-Buffering", "no"))
            .body(self)
    }

    /// Takes what is ready, up to a chunk or the end of the turn.
    fn fill<T>(&mut self, cx: &mut Context<'_>)
    where
        S: Stream<Item = Result<T, ItemError>>,
        F: Format<T>,
    {
        if !mem::replace(&mut self.begun, true) {
            self.format.begin(&mut self.chunk);
        }
        let Some(results) = &mut self.results else { return };
        while self.chunk.len() < CHUNK {
            if self.slice.is_spent() {
                self.spent = true;
                return;
            }
            let ended = match results.as_mut().poll_next(cx) {
                Poll::Ready(Some(Ok(value))) => {
                    self.format.value(&value, &mut self.chunk);
                    discard(value);
                    continue;
                }
                Poll::Ready(Some(Err(error))) => match error.pipeline_error() {
                    None => {
                        self.format.failure(&error, &mut self.chunk);
                        continue;
                    }
                    Some(ended) => Some(ended.clone()),
                },
                Poll::Ready(None) => None,
                Poll::Pending => return,
            };
            self.format.end(ended.as_ref(), &mut self.chunk);
            self.results = None;
            return;
        }
    }

    fn poll_heartbeat(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.heartbeat.is_zero() {
            return Poll::Pending;
        }
        let period = self.heartbeat;
        self.quiet.get_or_insert_with(|| Box::pin(sleep(period))).poll_unpin(cx)
    }

    /// Something is written now.
    fn restart_heartbeat(&mut self) {
        if let Some(quiet) = &mut self.quiet {
            quiet.set(sleep(self.heartbeat));
        }
    }
}

impl<S, F, T> MessageBody for Body<S, F>
where
    S: Stream<Item = Result<T, ItemError>>,
    F: Format<T> + Unpin,
{
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let this = self.get_mut();
        if !this.spent {
            this.fill(cx);
            if !this.chunk.is_empty() {
                this.restart_heartbeat();
                let next = Vec::with_capacity(this.chunk.len().min(CHUNK));
                return Poll::Ready(Some(Ok(mem::replace(&mut this.chunk, next).into())));
            }
            if this.results.is_none() {
                return Poll::Ready(None);
            }
        }
        if mem::take(&mut this.spent) {
            poll_again(cx);
            return Poll::Pending;
        }
        this.slice.end();
        if this.poll_heartbeat(cx).is_ready() {
            this.restart_heartbeat();
            return Poll::Ready(Some(Ok(Bytes::from_static(this.format.heartbeat()))));
        }
        Poll::Pending
    }
}
