//! All streams of an application: their limit, and their common shutdown.

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

/// The default of [`Streams::retry_after`].
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The streamed answers of an application: limits how many are open at a time, counts them, and ends all of them when
/// the server shuts down. Create it once, before `HttpServer::new`, and clone it, which is cheap.
///
/// ```no_run
/// use std::time::Duration;
///
/// use actix_fan::FanOutExt;
/// use actix_fan::web::{Streams, events};
/// use actix_web::error::ErrorInternalServerError;
/// use actix_web::web::{Data, get};
/// use actix_web::{App, HttpServer, Responder, Result};
///
/// async fn squares(streams: Data<Streams>) -> Result<impl Responder> {
///     // 503 with `Retry-After` if 100 are open.
///     let permit = streams.permit()?;
///     let squares = (0u64..).fan_out().workers(2).map(|n| n * n);
///     let squares = squares.map_err(ErrorInternalServerError)?;
///     Ok(events(squares).permit(permit))
/// }
///
/// #[actix::main]
/// async fn main() -> std::io::Result<()> {
///     let streams = Streams::new(100);
///     let data = Data::new(streams.clone());
///     HttpServer::new(move || {
///         App::new()
///             .app_data(data.clone())
///             .route("/squares", get().to(squares))
///     })
///     .h1_allow_half_closed(false)
///     // Ends the streams, and then the server.
///     .shutdown_signal(streams.on_signal(Duration::ZERO))
///     // For clients that do not read their last line.
///     .shutdown_timeout(5)
///     .bind(("127.0.0.1", 8080))?
///     .run()
///     .await
/// }
/// ```
///
/// # Permits
///
/// [`permit`](Self::permit) takes one of `limit` permits, or returns the response 503. Attach the permit to the answer
/// with [`Events::permit`](super::Events::permit) or [`Ndjson::permit`](super::Ndjson::permit). It is released when the
/// results were dropped *and* every worker thread of their pipelines has completed its last item. So even a client that
/// reconnects again and again, while items take seconds, cannot start more threads than the limit allows. Choose the
/// limit by the number of threads: each stream of a pipeline with `workers(n)` has n.
///
/// The pipelines are found in the answer's stream as [`fan_in`](crate::fan_in()) finds them; name others with
/// [`of`](super::Events::of).
///
/// # Shutdown
///
/// actix-web's graceful stop waits for open connections, for up to 30 s by default: one endless stream takes all of
/// that. [`on_signal`](Self::on_signal) ends the streams first; so does [`shutdown`](Self::shutdown), for applications
/// with signal handlers of their own. Each stream gets its last line, `drained` or `stopped`, new streams are answered
/// with 503, and all other requests are served as before.
///
/// The server then waits only for the other requests, in steps of a second unless no connection is left, and for
/// clients that do not read what was written, for up to [`shutdown_timeout`](actix_web::HttpServer::shutdown_timeout).
#[derive(Clone)]
pub struct Streams {
    shared: Arc<Shared>,
    retry_after: Duration,
}

impl Streams {
    /// Allows `limit` streams at a time. 0 refuses all, for maintenance for example.
    pub fn new(limit: usize) -> Self {
        Self { shared: Shared::new(limit), retry_after: RETRY_AFTER }
    }

    /// Sets the time after which refused clients should retry: the header `Retry-After`, in whole seconds, at least 1.
    /// The default is 5 s. It is a setting, since the remaining time of open streams is not known.
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = wait;
        self
    }

    /// Takes a permit for one stream.
    ///
    /// # Errors
    ///
    /// [`Refused::Full`], which is 503 with `Retry-After`, if all permits are taken. [`Refused::Closed`], which is 503,
    /// after [`refuse_new`](Self::refuse_new), [`drain`](Self::drain), [`stop`](Self::stop) or
    /// [`shutdown`](Self::shutdown).
    pub fn permit(&self) -> Result<Permit, Refused> {
        let permit = self.shared.permit();
        // Read after the permit is taken: a caller that refuses new streams and then sees no permit taken must not
        // miss one from here.
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

    /// Refuses new streams. Open streams continue.
    pub fn refuse_new(&self) {
        self.shared.advance(Phase::Closed);
    }

    /// Refuses new streams, and drains the pipelines of the open ones: their items in flight are written, then
    /// `drained` as the last line. A stream without a known pipeline continues to its end.
    ///
    /// This does not wait; [`finished`](Self::finished) does.
    pub fn drain(&self) {
        self.shared.advance(Phase::Draining);
    }

    /// Refuses new streams, and stops the pipelines of the open ones; the last line of each is `stopped`. The pipelines
    /// are stopped when this returns, but running items may not have returned.
    pub fn stop(&self) {
        self.shared.advance(Phase::Stopped);
    }

    /// Waits until all permits are released: no stream is open, and every worker thread has completed its last item.
    /// Returns the numbers then.
    ///
    /// It ends nothing itself: without a [`drain`](Self::drain) or a [`stop`](Self::stop) it waits for the streams' own
    /// ends, and new ones may be opened after it. What was written last may not have been sent yet; the server waits
    /// for that.
    pub async fn finished(&self) -> StreamsStats {
        self.shared.finished().await;
        self.stats()
    }

    /// [Drains](Self::drain) until the deadline, which is any future, then [stops](Self::stop), and returns when all
    /// streams have [finished](Self::finished).
    ///
    /// Streams with slow clients may take the whole time to drain. To stop at once, pass
    /// [`ready(())`](std::future::ready).
    pub async fn shutdown(&self, deadline: impl Future<Output = ()>) {
        let mut deadline = pin!(deadline);
        // If the deadline has passed already, stop without a drain.
        let passed = poll_fn(|cx| Poll::Ready(deadline.as_mut().poll(cx).is_ready())).await;
        if !passed {
            self.drain();
            if let Either::Left(_) = select(pin!(self.finished()), deadline).await {
                return;
            }
        }
        self.stop();
        self.finished().await;
    }

    /// Waits for SIGTERM, SIGINT or SIGQUIT (Ctrl-C on systems without signals), then [shuts the streams
    /// down](Self::shutdown): with `grace` as the time to drain, or at once if it is zero. Returns when all streams
    /// have ended, or at a second signal, after stopping them.
    ///
    /// It is made for [`HttpServer::shutdown_signal`](actix_web::HttpServer::shutdown_signal), which stops the server
    /// gracefully when this returns.
    pub async fn on_signal(self, grace: Duration) {
        let mut signals = Signals::new();
        signals.next().await;
        log::info!("signal received: ending {} streams", self.stats().open);
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
