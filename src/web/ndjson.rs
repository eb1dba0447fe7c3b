//! A line of JSON a result.

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

/// Answers with a stream of results as [NDJSON](https://github.com/ndjson/ndjson-spec), each as serde writes it.
///
/// ```
/// use actix_fan::FanOutExt;
/// use actix_web::{HttpResponse, Responder, error::ErrorInternalServerError};
///
/// async fn squares() -> actix_web::Result<impl Responder> {
///     let squares = (0..1_000_000u64).fan_out().ordered().map(|n| n * n).map_err(ErrorInternalServerError)?;
///     Ok(actix_fan::web::ndjson(squares))
/// }
/// # let _ = squares;
/// ```
pub fn ndjson<S, T>(results: S) -> Ndjson<S, WriteJson<T>>
where
    S: Stream<Item = Result<T, ItemError>>,
    T: Serialize,
{
    ndjson_with(results, write::json)
}

/// As [`ndjson`], with a function that writes a value: one line of JSON, without its end. Line breaks in it, which JSON
/// has between its words only, become spaces.
///
/// ```
/// # use std::io::Write;
/// # use actix_fan::FanOutExt;
/// # actix::System::new().block_on(async {
/// let squares = (0..1_000_000u64).fan_out().map(|n| (n, n * n))?;
/// let answer = actix_fan::web::ndjson_with(squares, |(n, square), line| write!(line, r#"{{"{n}":"{square}"}}"#));
/// # let _ = answer;
/// # Ok::<(), actix_fan::StartError>(())
/// # }).unwrap();
/// ```
pub fn ndjson_with<S, T, W>(results: S, write: W) -> Ndjson<S, W>
where
    S: Stream<Item = Result<T, ItemError>>,
    W: FnMut(&T, &mut Vec<u8>) -> io::Result<()>,
{
    Ndjson { results, heartbeat: Duration::ZERO, lines: Lines { write, telling: Telling::default(), written: 0 } }
}

/// Results as `application/x-ndjson`; made by [`ndjson`] and [`ndjson_with`], and returned by a handler.
///
/// A result is a line. A failed item is `{"error":"item 3 failed","index":3}` in its place, and the stream goes on. A
/// pipeline that ended too early has `{"error":"the pipeline ended before its source did","ended":true}` for its last
/// line; an answer that just ends is complete.
#[must_use = "a handler must return it"]
pub struct Ndjson<S, W> {
    results: S,
    heartbeat: Duration,
    lines: Lines<W>,
}

impl<S, W> Ndjson<S, W> {
    /// Writes an empty line whenever nothing else was written for so long. Readers of NDJSON may ignore empty lines, but
    /// not all do, so there is no heartbeat by default; see [Disconnects](super#disconnects) for what it is good for.
    pub fn heartbeat(mut self, period: Duration) -> Self {
        self.heartbeat = period;
        self
    }

    /// Tells the client the messages of panics and the errors of the work as well.
    pub fn with_causes(mut self) -> Self {
        self.lines.telling.causes = true;
        self
    }
}

impl<S, T, W> Responder for Ndjson<S, W>
where
    S: Stream<Item = Result<T, ItemError>> + 'static,
    T: 'static,
    W: FnMut(&T, &mut Vec<u8>) -> io::Result<()> + Unpin + 'static,
{
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        Body::new(self.results, self.lines, self.heartbeat).respond("application/x-ndjson")
    }
}

impl<S, W> fmt::Debug for Ndjson<S, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ndjson").field("heartbeat", &self.heartbeat).finish_non_exhaustive()
    }
}

struct Lines<W> {
    write: W,
    telling: Telling,
    written: u64,
}

impl<T, W> Format<T> for Lines<W>
where
    W: FnMut(&T, &mut Vec<u8>) -> io::Result<()>,
{
    fn begin(&mut self, _: &mut Vec<u8>) {}

    fn value(&mut self, value: &T, chunk: &mut Vec<u8>) {
        match write::append(&mut self.write, value, chunk) {
            Ok(start) => {
                for byte in &mut chunk[start..] {
                    if matches!(byte, b'\n' | b'\r') {
                        *byte = b' ';
                    }
                }
            }
            Err(error) => self.telling.unwritten(self.written, &error, chunk),
        }
        self.written += 1;
        chunk.push(b'\n');
    }

    fn failure(&mut self, error: &ItemError, chunk: &mut Vec<u8>) {
        self.telling.item(error, chunk);
        self.written += 1;
        chunk.push(b'\n');
    }

    fn end(&mut self, error: Option<&PipelineError>, chunk: &mut Vec<u8>) {
        if let Some(error) = error {
            self.telling.ended(error, chunk);
            chunk.push(b'\n');
        }
    }

    fn heartbeat(&self) -> &'static [u8] {
        b"\n"
    }
}
