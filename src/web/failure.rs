//! Failures as clients see them.

use std::error::Error;

use crate::error::{ItemError, PipelineError, texts};
use crate::logging;

/// How much of a failure is told to the client.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Telling {
    /// Panic messages and the errors of the work, which may say more than a stranger should know.
    pub(super) causes: bool,
}

impl Telling {
    /// `{"error":"item 3 failed","index":3}`
    pub(super) fn item(self, error: &ItemError, out: &mut Vec<u8>) {
        let index = error.index();
        let text = if self.causes {
            chain(error)
        } else if error.panic_message().is_some() {
            format!("item {index} panicked")
        } else {
            error.to_string()
        };
        logging::debug!("streamed as a failure: {}", chain(error));
        object(&text, "index", &index.to_string(), out);
    }

    /// A result that its writer could not write: `{"error":"result 3 could not be written","result":3}`
    pub(super) fn unwritten(self, number: u64, error: &dyn Error, out: &mut Vec<u8>) {
        let text = format!("result {number} could not be written");
        logging::warn!("{text}: {}", chain(error));
        let text = if self.causes { format!("{text}: {}", chain(error)) } else { text };
        object(&text, "result", &number.to_string(), out);
    }

    /// `{"error":"the pipeline ended before its source did","ended":true}`
    pub(super) fn ended(self, error: &PipelineError, out: &mut Vec<u8>) {
        let mut text = "the pipeline ended before its source did".to_owned();
        logging::warn!("{text}: {}", chain(error));
        if self.causes {
            text = format!("{text}: {}", chain(error));
        }
        object(&text, "ended", "true", out);
    }
}

fn object(text: &str, key: &str, value: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"error":"#);
    serde_json::to_writer(&mut *out, text).expect("a string can be written to memory");
    out.extend_from_slice(format!(r#","{key}":{value}}}"#).as_bytes());
}

/// The error and its causes in one line.
pub(super) fn chain(error: &dyn Error) -> String {
    texts(error).join(": ")
}
