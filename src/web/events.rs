//! Server-Sent Events.

use std::fmt::{self, Display};
use std::io;
use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::{HttpRequest, HttpResponse, Responder};
use futures::Stream;
use serde::Serialize;

use super::answer::{Settings, respond, setters};
use super::messages::{Messages, event, is_one_line};
use super::write::{self, WriteJson};
use crate::error::ItemError;

/// Proxies and browsers close connections that are quiet for half a minute or more.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Answers with a stream of results as
/// [Server-Sent Events](https://html.spec.whatwg.org/multipage/server-sent-events.html). The data of each event is the
/// result as JSON, written by serde.
///
/// ```
/// use actix_fan::FanOutExt;
/// use actix_fan::web::events;
/// use actix_web::{Responder, error::ErrorInternalServerError};
///
/// async fn squares() -> actix_web::Result<impl Responder> {
///     let squares = (0u64..).fan_out().ordered().map(|n| n * n);
///     Ok(events(squares.map_err(ErrorInternalServerError)?))
/// }
/// # let _ = squares;
/// ```
pub fn events<S, T>(results: S) -> Events<S, WriteJson<T>>
where
    S: Stream<Item = Result<T, ItemError>>,
    T: Serialize,
{
    events_with(results, write::json)
}

/// As [`events`], with a function that writes the data of an event: UTF-8 text of any number of lines.
pub fn events_with<S, T, W>(results: S, write: W) -> Events<S, W>
where
    S: Stream<Item = Result<T, ItemError>>,
    W: FnMut(&T, &mut Vec<u8>) -> io::Result<()>,
{
    let settings = Settings::of(&results, HEARTBEAT);
    Events { results, settings, messages: Messages::new(write) }
}

/// Results as `text/event-stream`; made by [`events`] and [`events_with`], and returned by a handler.
///
/// | event | `id` | `data` |
/// |---|---|---|
/// | none, or [`name`](Self::name): a result | its number, from 0 or [`first_id`](Self::first_id) | the result as it was written |
/// | `failure`: a failed item, in its position | its number | `{"error":"item 3 failed","index":3}` |
/// | `failure`: a result that could not be written | its number | `{"error":"result 3 could not be written","result":3}` |
/// | `end`: the last one, always | | `{"end":"complete","results":990,"failures":10}` |
///
/// The last event has the [`End`](crate::End) in one word (`complete`, `drained`, `stopped` or `failed`), and the
/// numbers of results and of failures before it. With `failed` comes an `error`. An answer without this event was cut
/// off on its way. See [The last line](super#the-last-line).
///
/// # Reconnecting
///
/// A browser's `EventSource` reconnects when an answer ends, which calls the handler again: let the page close it on
/// `end`. It also reconnects when the connection was lost, and sends the last `id` that it received in the header
/// `Last-Event-ID`. A handler that can continue from there gets the next number from [`resume_from`], and numbers its
/// events from it:
///
/// ```
/// use actix_fan::FanOutExt;
/// use actix_fan::web::{events, resume_from};
/// use actix_web::error::ErrorInternalServerError;
/// use actix_web::{HttpRequest, Responder, Result};
///
/// async fn squares(request: HttpRequest) -> Result<impl Responder> {
///     let first = resume_from(&request);
///     let squares = (first..).fan_out().ordered().map(|n| n * n);
///     let squares = squares.map_err(ErrorInternalServerError)?;
///     Ok(events(squares).first_id(first))
/// }
/// # let _ = squares;
/// ```
///
/// That needs [`ordered`](crate::FanOut::ordered) results, exactly one per item. For other streams, derive the `id`
/// from each result with [`id_by`](Self::id_by).
#[must_use = "a handler must return it"]
pub struct Events<S, W> {
    results: S,
    settings: Settings,
    messages: Messages<W>,
}

impl<S, W> Events<S, W> {
    /// Writes a comment, which readers ignore, whenever nothing else was written for this time. The default is 15 s;
    /// zero turns it off. [Disconnects](super#disconnects) says what heartbeats are for.
    pub fn heartbeat(mut self, period: Duration) -> Self {
        self.settings.heartbeat = period;
        self
    }

    /// Sets the event name of all results. A page then listens for that name instead of `message`.
    ///
    /// # Panics
    ///
    /// If the name has a line break.
    pub fn name(mut self, name: &'static str) -> Self {
        assert!(is_one_line(name), "the event name {name:?} has a line break");
        self.messages.name = Some(name);
        self
    }

    /// Sets the event name of each result. If the name has a line break, a failure is written in place of the result.
    ///
    /// ```
    /// # use actix_fan::FanOutExt;
    /// # actix::System::new().block_on(async {
    /// let squares = (0..100u64).fan_out().map(|n| n * n)?;
    /// let parity = |n: &u64| if n % 2 == 0 { "even" } else { "odd" };
    /// let answer = actix_fan::web::events(squares).name_by(parity);
    /// # let _ = answer;
    /// # Ok::<(), actix_fan::StartError>(())
    /// # }).unwrap();
    /// ```
    pub fn name_by<T, N>(mut self, mut name: impl FnMut(&T) -> N + 'static) -> Self
    where
        S: Stream<Item = Result<T, ItemError>>,
        T: 'static,
        N: Display,
    {
        self.messages.name_by = Some(Box::new(move |value| value.downcast_ref().map(|value| name(value).to_string())));
        self
    }

    /// Sets the number of the first event; the others count on from it. The default is 0. See
    /// [Reconnecting](Self#reconnecting).
    pub fn first_id(mut self, id: u64) -> Self {
        self.messages.first_id = id;
        self
    }

    /// Sets the `id` of each result, in place of its number. Failures then have no `id`, so that a client that
    /// reconnects sends that of the last result. If the `id` has a line break or a NUL, a failure is written in place
    /// of the result.
    pub fn id_by<T, I>(mut self, mut id: impl FnMut(&T) -> I + 'static) -> Self
    where
        S: Stream<Item = Result<T, ItemError>>,
        T: 'static,
        I: Display,
    {
        self.messages.id_by = Some(Box::new(move |value| value.downcast_ref().map(|value| id(value).to_string())));
        self
    }

    /// Sets how long a client that lost the connection waits before it reconnects, in whole milliseconds. By default
    /// the browser decides: a few seconds.
    pub fn retry(mut self, wait: Duration) -> Self {
        self.messages.retry = Some(wait);
        self
    }

    /// Sends an event before all others, at once, without waiting for the first result. It can say what was started,
    /// for example.
    ///
    /// # Panics
    ///
    /// If the name has a line break.
    pub fn opening(mut self, name: &str, data: impl AsRef<str>) -> Self {
        assert!(is_one_line(name), "the event name {name:?} has a line break");
        event(Some(name), None, data.as_ref().as_bytes(), &mut self.messages.opening);
        self
    }

    setters!(failures: messages.failures);
}

impl<S, T, W> Responder for Events<S, W>
where
    S: Stream<Item = Result<T, ItemError>> + 'static,
    T: 'static,
    W: FnMut(&T, &mut Vec<u8>) -> io::Result<()> + Unpin + 'static,
{
    type Body = BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        respond(self.results, self.messages, self.settings, request, "text/event-stream")
    }
}

impl<S, W> fmt::Debug for Events<S, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("heartbeat", &self.settings.heartbeat).finish_non_exhaustive()
    }
}

/// Returns the number of the next event for a client that reconnects: one more than its `Last-Event-ID`. Returns 0 if
/// the request has no such header, or its value is not a number.
pub fn resume_from(request: &HttpRequest) -> u64 {
    let last = request.headers().get("Last-Event-ID").and_then(|id| id.to_str().ok());
    last.and_then(|id| id.parse::<u64>().ok()).map_or(0, |last| last.saturating_add(1))
}
