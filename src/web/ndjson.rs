//! One line of JSON per result.

use std::fmt;
use std::io;
use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::{HttpRequest, HttpResponse, Responder};
use futures::Stream;
use serde::Serialize;

use super::answer::{Settings, respond, setters};
use super::body::Format;
use super::ending::Ending;
use super::failure::{Counts, Failures};
use super::write::{self, WriteJson};
use crate::error::ItemError;

/// Answers with a stream of results as [NDJSON](https://github.com/ndjson/ndjson-spec): one line per result, written by
/// serde.
///
/// ```
/// use actix_fan::FanOutExt;
/// use actix_fan::web::ndjson;
/// use actix_web::{Responder, error::ErrorInternalServerError};
///
/// async fn squares() -> actix_web::Result<impl Responder> {
///     let squares = (0..1_000_000u64).fan_out().map(|n| n * n);
///     Ok(ndjson(squares.map_err(ErrorInternalServerError)?))
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

/// As [`ndjson`], with a function that writes a result as one line of JSON, without the line break at its end. Line
/// breaks in it are replaced by spaces; JSON has them only between tokens.
///
/// ```
/// # use std::io::Write;
/// # use actix_fan::FanOutExt;
/// # actix::System::new().block_on(async {
/// let squares = (0..1_000_000u64).fan_out().map(|n| (n, n * n))?;
/// let answer = actix_fan::web::ndjson_with(squares, |(n, square), line| {
///     write!(line, r#"{{"{n}":"{square}"}}"#)
/// });
/// # let _ = answer;
/// # Ok::<(), actix_fan::StartError>(())
/// # }).unwrap();
/// ```
pub fn ndjson_with<S, T, W>(results: S, write: W) -> Ndjson<S, W>
where
    S: Stream<Item = Result<T, ItemError>>,
    W: FnMut(&T, &mut Vec<u8>) -> io::Result<()>,
{
    let settings = Settings::of(&results, Duration::ZERO);
    Ndjson { results, settings, lines: Lines { write, failures: Failures::default() } }
}

/// Results as `application/x-ndjson`; made by [`ndjson`] and [`ndjson_with`], and returned by a handler.
///
/// | line | |
/// |---|---|
/// | a result | the result as it was written |
/// | a failed item, in its position; the stream continues | `{"error":"item 3 failed","index":3}` |
/// | a result that could not be written | `{"error":"result 3 could not be written","result":3}` |
/// | always the last one | `{"end":"complete","results":990,"failures":10}` |
///
/// The last line has the [`End`](crate::End) in one word (`complete`, `drained`, `stopped` or `failed`), and the
/// numbers of results and of failures before it. With `failed` comes an `error`. An answer without this line was cut
/// off on its way. See [The last line](super#the-last-line).
#[must_use = "a handler must return it"]
pub struct Ndjson<S, W> {
    results: S,
    settings: Settings,
    lines: Lines<W>,
}

impl<S, W> Ndjson<S, W> {
    /// Writes an empty line whenever nothing else was written for this time. By default there is no heartbeat, since
    /// not all readers of NDJSON ignore empty lines. [Disconnects](super#disconnects) says what heartbeats are for.
    pub fn heartbeat(mut self, period: Duration) -> Self {
        self.settings.heartbeat = period;
        self
    }

    /// Leaves out the last line, for readers that take every line for a result. An answer that is complete or drained
    /// then ends normally, and one that was stopped or failed is aborted, so that the client's HTTP library reports an
    /// error. On HTTP/1.0 a client cannot tell the two apart.
    pub fn without_end(mut self) -> Self {
        self.settings.end = false;
        self
    }

    setters!(failures: lines.failures);
}

impl<S, T, W> Responder for Ndjson<S, W>
where
    S: Stream<Item = Result<T, ItemError>> + 'static,
    T: 'static,
    W: FnMut(&T, &mut Vec<u8>) -> io::Result<()> + Unpin + 'static,
{
    type Body = BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        respond(self.results, self.lines, self.settings, request, "application/x-ndjson")
    }
}

impl<S, W> fmt::Debug for Ndjson<S, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ndjson").field("heartbeat", &self.settings.heartbeat).finish_non_exhaustive()
    }
}

/// The format of NDJSON.
struct Lines<W> {
    write: W,
    failures: Failures,
}

impl<T, W> Format<T> for Lines<W>
where
    W: FnMut(&T, &mut Vec<u8>) -> io::Result<()>,
{
    fn begin(&mut self, _: &mut Vec<u8>) {}

    fn value(&mut self, value: &T, number: u64, chunk: &mut Vec<u8>) -> bool {
        let written = write::append(&mut self.write, value, chunk);
        match &written {
            Ok(start) => {
                for byte in &mut chunk[*start..] {
                    if matches!(byte, b'\n' | b'\r') {
                        *byte = b' ';
                    }
                }
            }
            Err(error) => self.failures.unwritten(number, error, chunk),
        }
        chunk.push(b'\n');
        written.is_ok()
    }

    fn failure(&mut self, error: &ItemError, _: u64, chunk: &mut Vec<u8>) {
        self.failures.item(error, chunk);
        chunk.push(b'\n');
    }

    fn end(&mut self, ending: &Ending, counts: Counts, chunk: &mut Vec<u8>) {
        self.failures.end(ending, counts, chunk);
        chunk.push(b'\n');
    }

    fn heartbeat(&self) -> &'static [u8] {
        b"\n"
    }

    fn failures(&mut self) -> &mut Failures {
        &mut self.failures
    }
}
