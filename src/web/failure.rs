//! Failures and ends, as they are written to the client and to the log.

use std::error::Error;

use super::ending::Ending;
use crate::error::{ItemError, texts};
use crate::util::log;

/// The number of failures of one answer that are logged at level `warn`. The others are logged at `debug`, so that an
/// input of failing items does not flood the log.
const WARNED: u64 = 10;
/// The longest path in a log line, in bytes.
const PATH: usize = 256;

/// The numbers of what was written so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) results: u64,
    /// Items that failed, and results that could not be written.
    pub(super) failures: u64,
}

impl Counts {
    /// The number of the next result or failure.
    pub(super) fn next(self) -> u64 {
        self.results + self.failures
    }
}

/// Writes failures to the client and to the log: how much the client gets, and the request's path for the log.
#[derive(Clone, Debug, Default)]
pub(super) struct Failures {
    /// True if panic messages and errors of the work are written to the client. They may contain internal details.
    pub(super) causes: bool,
    path: String,
    /// How many failures were logged.
    logged: u64,
}

impl Failures {
    /// Sets the path of the request, for log lines.
    pub(super) fn set_path(&mut self, path: &str) {
        self.path = short(path).to_owned();
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Writes a failed item: `{"error":"item 3 failed","index":3}`
    pub(super) fn item(&mut self, error: &ItemError, out: &mut Vec<u8>) {
        let index = error.index();
        let cause = chain(error);
        self.log(&cause);
        let text = if self.causes {
            cause
        } else if error.panic_message().is_some() {
            format!("item {index} panicked")
        } else {
            error.to_string()
        };
        object(&text, "index", index, out);
    }

    /// Writes a failure in place of a result that could not be written: `{"error":"result 3 could not be
    /// written","result":3}`
    pub(super) fn unwritten(&mut self, number: u64, error: &dyn Error, out: &mut Vec<u8>) {
        let text = format!("result {number} could not be written");
        let cause = format!("{text}: {}", chain(error));
        self.log(&cause);
        object(if self.causes { &cause } else { &text }, "result", number, out);
    }

    /// Writes the last line: `{"end":"complete","results":990,"failures":10}`, with an `error` if the stream failed.
    pub(super) fn end(&mut self, ending: &Ending, Counts { results, failures }: Counts, out: &mut Vec<u8>) {
        let word = ending.word();
        out.extend_from_slice(format!(r#"{{"end":"{word}","results":{results},"failures":{failures}"#).as_bytes());
        let failed = match ending {
            Ending::Complete | Ending::Drained | Ending::Stopped => None,
            Ending::Failed(error) => Some(("the pipeline ended before its source did", chain(error))),
            Ending::Panicked(message) => Some(("the stream of results panicked", message.clone())),
        };
        if let Some((text, cause)) = failed {
            let cause = format!("{text}: {cause}");
            log::warn!("{}: {cause}", self.path);
            out.extend_from_slice(br#","error":"#);
            string(if self.causes { &cause } else { text }, out);
        }
        out.push(b'}');
        if self.logged > WARNED {
            log::warn!("{}: {} items failed in all", self.path, self.logged);
        }
    }

    /// Logs a failure.
    fn log(&mut self, cause: &str) {
        self.logged += 1;
        match self.logged {
            ..WARNED => log::warn!("{}: {cause}", self.path),
            WARNED => log::warn!("{}: {cause}; more failures of this answer are logged at level debug", self.path),
            _ => log::debug!("{}: {cause}", self.path),
        }
    }
}

fn object(text: &str, key: &str, value: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"error":"#);
    string(text, out);
    out.extend_from_slice(format!(r#","{key}":{value}}}"#).as_bytes());
}

pub(super) fn string(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("a string can be written to memory");
}

/// Shortens a path for a log line. It is the URI's path, in which control characters are percent-encoded.
pub(super) fn short(path: &str) -> &str {
    let mut end = path.len().min(PATH);
    while !path.is_char_boundary(end) {
        end -= 1;
    }
    &path[..end]
}

/// The texts of an error and its causes, in one line.
pub(super) fn chain(error: &dyn Error) -> String {
    texts(error).join(": ")
}
