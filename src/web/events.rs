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

/// Proxies and browsers give a quiet connection half a minute or more.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Answers with a stream of results as
/// [Server-Sent Events](https://html.spec.whatwg.org/multipage/server-sent-events.html), the data of each as serde writes it.
///
/// ```
/// use actix_fan::FanOutExt;
/// use actix_web::{Responder, error::ErrorInternalServerError};
///
/// async fn squares() -> actix_web::Result<impl Responder> {
///     let squares = (0u64..).fan_out().ordered().map(|n| n * n).map_err(ErrorInternalServerError)?;
///     Ok(actix_fan::web::events(squares))
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

/// As [`events`], with a function that writes the data of an event: any UTF-8 text, of any number of lines.
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
/// | none, or [`name`](Self::name): a result | its number, from 0 or [`first_id`](Self::first_id) | what was written |
/// | `failure`: a failed item, in its place | its number | `{"error":"item 3 failed","index":3}` |
/// | `failure`: a result that could not be written | its number | `{"error":"result 3 could not be written","result":3}` |
/// | `end`: the last one, always | | `{"end":"complete","results":990,"failures":10}` |
///
/// The last event has the [`End`](crate::End) in one word: `complete`, `drained`, `stopped` or `failed`, and how many of the
/// other events were results and how many failures. After `failed` there is an `error`. An answer without it was cut off on
/// its way. See [The last line](super#the-last-line).
///
/// # Coming back
///
/// A browser's `EventSource` connects anew when an answer ends, which starts the handler again: let the page close it on
/// `end`. When the connection was lost it comes back too, with the `id` that it saw last in the header `Last-Event-ID`, each
/// time as anew. A handler that can go on from there asks [`resume_from`] where, and numbers on from there:
///
/// ```
/// use actix_fan::FanOutExt;
/// use actix_fan::web::{events, resume_from};
/// use actix_web::{HttpRequest, Responder, error::ErrorInternalServerError};
///
/// async fn squares(request: HttpRequest) -> actix_web::Result<impl Responder> {
///     let first = resume_from(&request);
///     let squares = (first..).fan_out().ordered().map(|n| n * n).map_err(ErrorInternalServerError)?;
///     Ok(events(squares).first_id(first))
/// }
/// # let _ = squares;
/// ```
///
/// That needs [`ordered`](crate::FanOut::ordered) results, one per item. For others the `id` is what
/// [`id_by`](Self::id_by) makes of a result.
#[must_use = "a handler must return it"]
pub struct Events<S, W> {
    results: S,
    settings: Settings,
    messages: Messages<W>,
}

impl<S, W> Events<S, W> {
    /// Writes a comment, which readers ignore, whenever nothing else was written for so long. The default is 15 s; zero
    /// turns it off. See [Disconnects](super#disconnects) for what it is good for.
    pub fn heartbeat(mut self, period: Duration) -> Self {
        self.settings.heartbeat = period;
        self
    }

    /// Names the events of results, so that a page listens for that name instead of `message`.
    ///
    /// # Panics
    ///
    /// If there is a line break in it.
    pub fn name(mut self, name: &'static str) -> Self {
        assert!(is_one_line(name), "an event's name {name:?} is one line");
        self.messages.name = Some(name);
        self
    }

    /// Names the event of each result. A name that isn't one line makes a failure of the result.
    ///
    /// ```
    /// # use actix_fan::FanOutExt;
    /// # actix::System::new().block_on(async {
    /// let squares = (0..100u64).fan_out().map(|n| n * n)?;
    /// let answer = actix_fan::web::events(squares).name_by(|n: &u64| if n % 2 == 0 { "even" } else { "odd" });
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

    /// The number of the first event, from which the others count on. The default is 0. See
    /// [Coming back](Self#coming-back).
    pub fn first_id(mut self, id: u64) -> Self {
        self.messages.first_id = id;
        self
    }

    /// The `id` of each result, in place of its number; failures have none then, so that a client that comes back names
    /// the last result. One that isn't one line, or has a NUL, makes a failure of the result.
    pub fn id_by<T, I>(mut self, mut id: impl FnMut(&T) -> I + 'static) -> Self
    where
        S: Stream<Item = Result<T, ItemError>>,
        T: 'static,
        I: Display,
    {
        self.messages.id_by = Some(Box::new(move |value| value.downcast_ref().map(|value| id(value).to_string())));
        self
    }

    /// How long a client that lost the connection is to wait before it comes back, in whole milliseconds. Without this the
    /// browser decides: a few seconds.
    pub fn retry(mut self, wait: Duration) -> Self {
        self.messages.retry = Some(wait);
        self
    }

    /// Sends an event before all others, and at once, whenever the first result comes: to tell what was started, say.
    ///
    /// # Panics
    ///
    /// If there is a line break in the name.
    pub fn opening(mut self, name: &str, data: impl AsRef<str>) -> Self {
        assert!(is_one_line(name), "an event's name {name:?} is one line");
        event(Some(name), None, data.as_ref().as_bytes(), &mut self.messages.opening);
        self
    }

    setters!(telling: messages.telling);
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

/// The number of the event that a client lacks which comes back: one more than its `Last-Event-ID`. 0 for a client that
/// has none, or none that is a number.
pub fn resume_from(request: &HttpRequest) -> u64 {
    let last = request.headers().get("Last-Event-ID").and_then(|id| id.to_str().ok());
    last.and_then(|id| id.parse::<u64>().ok()).map_or(0, |last| last.saturating_add(1))
}
