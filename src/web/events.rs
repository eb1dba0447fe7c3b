//! Server-Sent Events.

use std::fmt;
use std::io;
use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::{HttpRequest, HttpResponse, Responder};
use futures::Stream;
use serde::Serialize;

use super::body::{Body, Format};
use super::failure::Telling;
use super::write::{self, WriteJson};
use crate::error::{ItemError, PipelineError};

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
    let messages =
        Messages { write, telling: Telling::default(), opening: Vec::new(), name: None, sent: 0, data: Vec::new() };
    Events { results, heartbeat: HEARTBEAT, messages }
}

/// Results as `text/event-stream`; made by [`events`] and [`events_with`], and returned by a handler.
///
/// | event | `id` | `data` |
/// |---|---|---|
/// | none, or [`name`](Self::name): a result | its number, from 0 | what was written |
/// | `failure`: a failed item, in its place | its number | `{"error":"item 3 failed","index":3}` |
/// | `end`: the last one | | `{}`, or `{"error":"the pipeline ended before its source did","ended":true}` |
///
/// A browser's `EventSource` connects anew when an answer ends, which starts the handler again: let the page close it on
/// `end`. An `id` comes back as the header `Last-Event-ID` then, for those whose source can go on from there.
#[must_use = "a handler must return it"]
pub struct Events<S, W> {
    results: S,
    heartbeat: Duration,
    messages: Messages<W>,
}

impl<S, W> Events<S, W> {
    /// Writes a comment, which readers ignore, whenever nothing else was written for so long. The default is 15 s; zero
    /// turns it off. See [Disconnects](super#disconnects) for what it is good for.
    pub fn heartbeat(mut self, period: Duration) -> Self {
        self.heartbeat = period;
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

    /// Tells the client the messages of panics and the errors of the work as well.
    pub fn with_causes(mut self) -> Self {
        self.messages.telling.causes = true;
        self
    }
}

impl<S, T, W> Responder for Events<S, W>
where
    S: Stream<Item = Result<T, ItemError>> + 'static,
    T: 'static,
    W: FnMut(&T, &mut Vec<u8>) -> io::Result<()> + Unpin + 'static,
{
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        Body::new(self.results, self.messages, self.heartbeat).respond("text/event-stream")
    }
}

impl<S, W> fmt::Debug for Events<S, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("heartbeat", &self.heartbeat).finish_non_exhaustive()
    }
}

struct Messages<W> {
    write: W,
    telling: Telling,
    opening: Vec<u8>,
    name: Option<&'static str>,
    sent: u64,
    /// Of one event, before its lines are told apart.
    data: Vec<u8>,
}

impl<W> Messages<W> {
    fn send(&mut self, name: Option<&str>, chunk: &mut Vec<u8>) {
        event(name, Some(self.sent), &self.data, chunk);
        self.sent += 1;
    }
}

impl<T, W> Format<T> for Messages<W>
where
    W: FnMut(&T, &mut Vec<u8>) -> io::Result<()>,
{
    fn begin(&mut self, chunk: &mut Vec<u8>) {
        chunk.append(&mut self.opening);
    }

    fn value(&mut self, value: &T, chunk: &mut Vec<u8>) {
        self.data.clear();
        match write::append(&mut self.write, value, &mut self.data) {
            Ok(_) => self.send(self.name, chunk),
            Err(error) => {
                self.telling.unwritten(self.sent, &error, &mut self.data);
                self.send(Some("failure"), chunk);
            }
        }
    }

    fn failure(&mut self, error: &ItemError, chunk: &mut Vec<u8>) {
        self.data.clear();
        self.telling.item(error, &mut self.data);
        self.send(Some("failure"), chunk);
    }

    fn end(&mut self, error: Option<&PipelineError>, chunk: &mut Vec<u8>) {
        self.data.clear();
        match error {
            Some(error) => self.telling.ended(error, &mut self.data),
            None => self.data.extend_from_slice(b"{}"),
        }
        event(Some("end"), None, &self.data, chunk);
    }

    fn heartbeat(&self) -> &'static [u8] {
        b":\n\n"
    }
}

/// Appends an event. Each line of the data has a field of its own, and a line ends with CR, LF or both.
fn event(name: Option<&str>, id: Option<u64>, data: &[u8], out: &mut Vec<u8>) {
    if let Some(name) = name {
        field("event", name.as_bytes(), out);
    }
    if let Some(id) = id {
        field("id", id.to_string().as_bytes(), out);
    }
    let mut rest = data;
    while let Some(end) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
        field("data", &rest[..end], out);
        let both = rest[end..].starts_with(b"\r\n");
        rest = &rest[end + if both { 2 } else { 1 }..];
    }
    field("data", rest, out);
    out.push(b'\n');
}

fn field(name: &str, value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.push(b'\n');
}

fn is_one_line(text: &str) -> bool {
    !text.contains(['\n', '\r'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(data: &str) -> String {
        let mut out = Vec::new();
        event(None, None, data.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_line_of_the_data_has_a_field_of_its_own() {
        assert_eq!(written(""), "data: \n\n");
        assert_eq!(written("one"), "data: one\n\n");
        assert_eq!(written("one\ntwo\r\nthree\rfour"), "data: one\ndata: two\ndata: three\ndata: four\n\n");
        assert_eq!(written("\n\r\n"), "data: \ndata: \ndata: \n\n");
        assert_eq!(written("event: forged\n\nid: 1"), "data: event: forged\ndata: \ndata: id: 1\n\n");
    }
}
