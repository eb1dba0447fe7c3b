//! An error of another process, as its texts.

use std::error::Error;
use std::fmt;

/// The error of an item that ran in another process: its text, and its causes as further errors.
///
/// The error of the work stays on the node, since its type means nothing elsewhere. What crosses the network is its text
/// and those of its causes, up to 8 of them, each up to 1,000 bytes, with control characters escaped. It is what
/// [`ItemError::work_error`](crate::ItemError::work_error) returns for such an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteError {
    text: String,
    cause: Option<Box<RemoteError>>,
}

impl RemoteError {
    /// Of texts, the error's own first.
    pub(crate) fn chain(texts: impl DoubleEndedIterator<Item = String>) -> Self {
        let chain = texts.rev().fold(None, |cause, text| Some(Box::new(Self { text, cause })));
        chain.map_or_else(|| Self::new("an error without a text"), |error| *error)
    }

    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), cause: None }
    }
}

impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for RemoteError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as &(dyn Error + 'static))
    }
}
