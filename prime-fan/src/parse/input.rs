//! The inputs of `filter`, and the errors about them.

use std::fs::{self, File};
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use super::grammar::NumberError;
use super::identity::Identity;

/// The byte order mark, which some editors write at the start of a text.
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// How many characters of a bad word a message shows.
const SHOWN: usize = 40;

/// An argument of `filter`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Stdin,
    File(PathBuf),
    /// The number itself, as it was written.
    Number(String),
}

impl Source {
    /// Returns the identity of the file, if it is one that could be written to while it is read.
    pub(crate) fn identity(&self) -> Option<Identity> {
        match self {
            Self::Stdin => Identity::of_stream(io::stdin()),
            Self::File(path) => fs::metadata(path).ok().as_ref().and_then(Identity::of),
            Self::Number(_) => None,
        }
    }
}

/// An open input.
pub(crate) struct Input {
    /// The name of the file; `None` for the standard input.
    pub(crate) file: Option<Arc<Path>>,
    pub(crate) bytes: Box<dyn Read + Send>,
}

impl Input {
    /// Opens an input. It is an error if it is one of `outputs`: reading a file while writing to it would never end.
    pub(crate) fn open(source: Source, outputs: &[Identity]) -> Result<Self, ReadError> {
        let path = match source {
            Source::Stdin => {
                let stdin = io::stdin();
                let identity = Identity::of_stream(&stdin);
                return Self { file: None, bytes: Box::new(stdin) }.unless_in(outputs, identity);
            }
            Source::Number(number) => {
                let file = Some(Arc::from(Path::new("(argument)")));
                return Ok(Self { file, bytes: Box::new(Cursor::new(number)) });
            }
            Source::File(path) => path,
        };
        let file = Some(Arc::from(path.as_path()));
        match File::open(&path).and_then(|bytes| Ok((bytes.metadata()?, bytes))) {
            Ok((metadata, bytes)) => Self { file, bytes: Box::new(bytes) }.unless_in(outputs, Identity::of(&metadata)),
            Err(source) => Err(ReadError::new(file, source)),
        }
    }

    fn unless_in(self, outputs: &[Identity], identity: Option<Identity>) -> Result<Self, ReadError> {
        if identity.is_some_and(|identity| outputs.contains(&identity)) {
            let reason = "it is also the output; use --output FILE, which replaces the file at the end";
            return Err(ReadError::new(self.file, io::Error::other(reason)));
        }
        Ok(self)
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

/// Returns the name of an input for a message.
fn name(file: Option<&Path>) -> String {
    file.map_or("the standard input".to_owned(), shown)
}

/// Returns a path for a message, with control characters escaped, so that it is one line and can't control the
/// terminal.
pub(crate) fn shown(path: &Path) -> String {
    let mut shown = String::new();
    for character in path.to_string_lossy().chars() {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// A word that is not a number, with its file and line.
#[derive(Clone, Debug, Error)]
#[error("{}:{line}: \"{text}\" {reason}", name(file.as_deref()))]
pub(crate) struct Bad {
    file: Option<Arc<Path>>,
    line: u64,
    /// The beginning of the word, in printable characters.
    text: String,
    reason: NumberError,
}

impl Bad {
    pub(crate) fn new(file: Option<Arc<Path>>, line: u64, word: &[u8], reason: NumberError) -> Self {
        // A character has four bytes at most.
        let beginning = String::from_utf8_lossy(&word[..word.len().min(4 * (SHOWN + 1))]);
        let mut text: String = beginning.chars().take(SHOWN).flat_map(char::escape_debug).collect();
        if beginning.chars().nth(SHOWN).is_some() {
            text.push('…');
        }
        Self { file, line, text, reason }
    }

    /// What it is made of: the file, the line, the beginning of the word in printable characters, and the reason.
    pub(crate) fn parts(&self) -> (Option<&Path>, u64, &str, &NumberError) {
        (self.file.as_deref(), self.line, &self.text, &self.reason)
    }

    pub(crate) fn of_parts(file: Option<Arc<Path>>, line: u64, text: String, reason: NumberError) -> Self {
        Self { file, line, text, reason }
    }

    /// Returns true if the word is text in an encoding that is not supported.
    pub(crate) fn is_encoded(&self) -> bool {
        matches!(self.reason, NumberError::Encoding(_))
    }
}
