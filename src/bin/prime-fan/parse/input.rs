//! What is read, and what may be wrong with it.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

/// Nothing longer is taken for a number. It bounds what is kept of a word without an end.
pub(crate) const LONGEST: usize = 64 * 1024;

/// What some editors put at the start of a text.
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Characters of a bad word that are shown.
const SHOWN: usize = 40;

/// Something that is read.
pub(crate) struct Input {
    /// None: the standard input.
    pub(crate) file: Option<Arc<Path>>,
    pub(crate) bytes: Box<dyn Read + Send>,
}

impl Input {
    /// A file; `-` is the standard input.
    pub(crate) fn open(path: PathBuf) -> Result<Self, ReadError> {
        if path.as_os_str() == "-" {
            return Ok(Self { file: None, bytes: Box::new(io::stdin()) });
        }
        let file = Some(Arc::from(path.as_path()));
        match File::open(&path) {
            Ok(bytes) => Ok(Self { file, bytes: Box::new(bytes) }),
            Err(source) => Err(ReadError::new(file, source)),
        }
    }
}

/// A file could not be read.
#[derive(Clone, Debug, Error)]
#[error("could not read {}", name(file.as_deref()))]
pub(crate) struct ReadError {
    file: Option<Arc<Path>>,
    source: Arc<io::Error>,
}

impl ReadError {
    pub(crate) fn new(file: Option<Arc<Path>>, source: io::Error) -> Self {
        Self { file, source: Arc::new(source) }
    }
}

/// What a file is called in a message.
fn name(file: Option<&Path>) -> String {
    file.map_or("the standard input".to_owned(), |path| path.display().to_string())
}

/// A word that is no number.
#[derive(Clone, Debug, Error)]
#[error("{}:{line}: \"{text}\" {reason}", name(file.as_deref()))]
pub(crate) struct Bad {
    file: Option<Arc<Path>>,
    line: u64,
    /// Its beginning, in printable characters.
    text: String,
    reason: Reason,
}

impl Bad {
    pub(crate) fn new(file: Option<Arc<Path>>, line: u64, word: &[u8], reason: Reason) -> Self {
        // A character has four bytes at most.
        let beginning = String::from_utf8_lossy(&word[..word.len().min(4 * (SHOWN + 1))]);
        let mut text: String = beginning.chars().take(SHOWN).flat_map(char::escape_debug).collect();
        if beginning.chars().nth(SHOWN).is_some() {
            text.push('…');
        }
        Self { file, line, text, reason }
    }
}

/// Why a word is no number.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(crate) enum Reason {
    #[error("is not a number: write 1000, 1_000, 0x3e8, 1e3 or 10^3")]
    NotANumber,
    #[error("is negative: numbers from 0 on can be tested")]
    Negative,
    #[error("has more than 128 bits: numbers up to 2^128 - 1 can be tested")]
    TooLarge,
    #[error("is not a number: it has more than {LONGEST} characters")]
    TooLong,
}
