//! All streams of an application: how many there may be, and their common end.

use std::fmt;
use std::future::{Future, poll_fn, ready};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use actix_web::rt::time::sleep;
use futures::future::{Either, select};

use super::permit::{Permit, Phase, Shared, StreamsStats};
use super::refused::Refused;
use super::signals::Signals;
use crate::util::log;

/// When a refused client is to come back, unless [`Streams::retry_after`] says otherwise.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The streamed answers of an application: bounds how many there are at a time, counts them, and ends all of them when the
/// server shuts down. Cheap to clone: make it once, before `HttpServer::new`.
///
/// ```no_run
/// use std::time::Duration;
///
/// use actix_fan::FanOutExt;
/// use actix_fan::web::{Streams, events};
/// use actix_web::web::{Data, get};
/// use actix_web::{App, HttpServer, Responder, error::ErrorInternalServerError};
///
/// async fn squares(streams: Data<Streams>) -> actix_web::Result<impl Responder> {
///     let permit = streams.permit()?; // else 503 with `Retry-After`, before anything is started
///     let squares = (0u64..).fan_out().workers(2).map(|n| n * n).map_err(ErrorInternalServerError)?;
///     Ok(events(squares).permit(permit))
/// }
///
/// #[actix::main]
/// async fn main() -> std::io::Result<()> {
///     let streams = Streams::new(100);
///     let data = Data::new(streams.clone());
///     HttpServer::new(move || App::new().app_data(data.clone()).route("/squares", get().to(squares)))
///         .h1_allow_half_closed(false)
///         .shutdown_signal(streams.on_signal(Duration::ZERO)) // the streams first, then the server
///         .shutdown_timeout(5) // for clients that don't read their last line
///         .bind(("127.0.0.1", 8080))?
///         .run()
///         .await
/// }
/// ```
///
/// # Permits
///
/// [`permit`](Self::permit) takes one of `limit` permits, or is the answer 503. It is given to the answer by
/// [`Events::permit`](super::Events::permit) or [`Ndjson::permit`](super::Ndjson::permit), and returns when the results
/// were dropped *and* every worker's thread of their pipelines has left its last item: a client that connects anew again
/// and again while items take seconds can't have more threads than the limit allows. Choose the limit by that: each stream
/// of a pipeline with `workers(n)` has n threads.
///
/// Pipelines are found in the stream that the answer is made from as [`fan_in`](crate::fan_in()) finds them; others are
/// named by [`of`](super::Events::of).
///
/// # Shutdown
///
/// actix-web's graceful stop waits for each open connection, for 30 s by default: one endless stream takes all of that.
/// [`on_signal`](Self::on_signal), and [`shutdown`](Self::shutdown) for applications with signals of their own, end the
/// streams first. Each gets its last line, which says `drained` or `stopped`, new ones are answered with 503, and all
/// other requests go on as before. The server then has to wait for other requests only, which it does in steps of a second
/// unless no connection is left; and for clients that don't read what was written, up to
/// [`shutdown_timeout`](actix_web::HttpServer::shutdown_timeout).
#[derive(Clone)]
pub struct Streams {
    shared: Arc<Shared>,
    retry_after: Duration,
}

impl Streams {
    /// At most `limit` streams at a time. 0 refuses all, as for maintenance.
    pub fn new(limit: usize) -> Self {
        Self { shared: Shared::new(limit), retry_after: RETRY_AFTER }
    }

    /// When clients that were refused are asked to come back: `Retry-After`, in whole seconds and at least 1. How long
    /// others look at their streams can't be known, so it is what the application says. The default is 5 s.
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = wait;
        self
    }

    /// A permit for one stream.
    ///
    /// # Errors
    ///
    /// [`Refused::Full`], which answers 503 with `Retry-After`, when all permits are out; [`Refused::Closed`], which
    /// answers 503, after [`close`](Self::close) and all that follow it.
    pub fn permit(&self) -> Result<Permit, Refused> {
        let permit = self.shared.permit();
        // Looked at afterwards: whoever closes and then sees no permit out must have been seen here.
        let closed = self.shared.phase() != Phase::Open;
        match permit {
            Some(permit) if !closed => Ok(permit),
            _ => {
                self.shared.refused();
                Err(if closed {
                    Refused::Closed { error: None }
                } else {
                    Refused::Full { retry_after: self.retry_after }
                })
            }
        }
    }

    /// Refuses new streams; those that are open go on.
    pub fn close(&self) {
        self.shared.advance(Phase::Closed);
    }

    /// Closes, and drains the pipelines of all streams: what is in flight in them is written, then `drained` as the last
    /// line. A stream that no pipeline is known of goes on to its end.
    pub fn drain(&self) {
        self.shared.advance(Phase::Draining);
    }

    /// Closes, and stops the pipelines of all streams, in effect when this returns; the last line of each is `stopped`. It
    /// waits for no item that runs.
    pub fn stop(&self) {
        self.shared.advance(Phase::Stopped);
    }

    /// Waits until no permit is out: no stream is open, and every worker's thread has left its last item. What was written
    /// may be on its way: that is for the server to wait for.
    pub async fn ended(&self) {
        self.shared.ended().await;
    }

    /// [Drains](Self::drain) until the deadline, which is any future, then [stops](Self::stop), and returns when all streams
    /// have [ended](Self::ended).
    ///
    /// Endless streams whose clients read slowly take as long for a drain as they are let: for them the deadline is best
    /// at once, as [`ready(())`](std::future::ready).
    pub async fn shutdown(&self, deadline: impl Future<Output = ()>) {
        let mut deadline = pin!(deadline);
        // One that has passed lets nothing drain first.
        let passed = poll_fn(|cx| Poll::Ready(deadline.as_mut().poll(cx).is_ready())).await;
        if !passed {
            self.drain();
            if let Either::Left(_) = select(pin!(self.ended()), deadline).await {
                return;
            }
        }
        self.stop();
        self.ended().await;
    }

    /// Waits for a signal that ends the process, SIGTERM, SIGINT or SIGQUIT, or for Ctrl-C where there are none, then
    /// [shuts the streams down](Self::shutdown) within `grace`, zero: at once. For
    /// [`HttpServer::shutdown_signal`](actix_web::HttpServer::shutdown_signal), which stops the server gracefully when
    /// this returns: with the streams' last item, or earlier at another signal.
    pub async fn on_signal(self, grace: Duration) {
        let mut signals = Signals::new();
        signals.next().await;
        log::info!("signalled: ending {} streams", self.stats().open);
        let deadline = if grace.is_zero() { Either::Left(ready(())) } else { Either::Right(sleep(grace)) };
        select(pin!(self.shutdown(deadline)), pin!(signals.next())).await;
        self.stop();
    }

    /// The numbers at this instant.
    pub fn stats(&self) -> StreamsStats {
        self.shared.stats()
    }
}

impl fmt::Debug for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streams")
            .field("phase", &self.shared.phase())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
