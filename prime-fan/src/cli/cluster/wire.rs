//! Items and results on their way between machines. `Serialize` is written out where a derive would have to stand with the
//! type, which has nothing to do with networks.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anstream::adapter::strip_str;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::cli::args::{Keep, OnBad, What};
use crate::cli::commands::filter::{Sift, Sifted};
use crate::cli::commands::range::Sieved;
use crate::cli::format::{Format, Layout};
use crate::parse::grammar::NumberError;
use crate::parse::input::Bad;
use crate::parse::slices::Slice;

/// A segment of a range that is to be sieved.
pub(super) struct SegmentTask {
    /// The whole range, and the most numbers of its segments: they decide how it is sieved.
    pub(super) range: RangeInclusive<u64>,
    pub(super) span: u64,
    pub(super) segment: RangeInclusive<u64>,
    pub(super) what: Vec<What>,
    /// How to write the primes; `None` if they are only counted.
    pub(super) lines: Option<Layout>,
    /// True if they are written in descending order.
    pub(super) down: bool,
}

type Ends = (u64, u64);

fn ends(range: &RangeInclusive<u64>) -> Ends {
    (*range.start(), *range.end())
}

impl Serialize for SegmentTask {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { range, span, segment, what, lines, down } = self;
        let what: Vec<u8> = what.iter().map(|what| what.size() as u8).collect();
        (ends(range), span, ends(segment), what, lines.map(layout), down).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SegmentTask {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        type Fields = (Ends, u64, Ends, Vec<u8>, Option<LayoutCode>, bool);
        let (range, span, segment, sizes, lines, down) = Fields::deserialize(deserializer)?;
        let lines = lines.map(layout_of).transpose().map_err(D::Error::custom)?;
        if sizes.is_empty() || (lines.is_some() && sizes.len() > 1) {
            return Err(D::Error::custom("it is not known what to search for"));
        }
        let what = sizes.iter().map(|&size| What::ALL.into_iter().find(|what| what.size() == usize::from(size)));
        let what = what.collect::<Option<_>>().ok_or_else(|| D::Error::custom("there are no tuplets of this size"))?;
        Ok(Self { range: range.0..=range.1, span, segment: segment.0..=segment.1, what, lines, down })
    }
}

impl Serialize for Sieved {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { lines, numbers, found } = self;
        (Bytes(lines), numbers, found).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Sieved {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (Bytes(lines), numbers, found): (_, _, Vec<u64>) = Deserialize::deserialize(deserializer)?;
        if found.is_empty() {
            return Err(D::Error::custom("it does not say how many were found"));
        }
        Ok(Self { lines, numbers, found })
    }
}

/// A piece of a slice, and what to do with its numbers.
#[derive(Debug)]
pub(crate) struct Piece {
    bytes: Vec<u8>,
    file: Option<Arc<Path>>,
    line: u64,
    index: u64,
    pub(super) sift: Sift,
}

impl Piece {
    /// Cuts a slice into pieces of about so many bytes.
    pub(super) fn all_of(slice: &Slice, sift: Sift, about: usize) -> Vec<Self> {
        let piece = |(bytes, line, index): (&[u8], u64, u64)| Self {
            bytes: bytes.to_vec(),
            file: slice.file.clone(),
            line,
            index,
            sift,
        };
        slice.pieces(about).into_iter().map(piece).collect()
    }

    pub(super) fn slice(&self) -> Slice {
        Slice::new(&self.bytes, self.file.clone(), self.line, self.index)
    }
}

impl Serialize for Piece {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { bytes, file, line, index, sift: Sift { keep, bad, layout: form, count } } = self;
        let keep = match keep {
            Keep::Primes => 0u8,
            Keep::Others => 1,
            Keep::All => 2,
        };
        let bad = match bad {
            OnBad::Stop => 0u8,
            OnBad::Skip => 1,
            OnBad::Report => 2,
        };
        let file = file.as_deref().map(path_bytes);
        (Bytes(bytes), file, line, index, (keep, bad, layout(*form), count)).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Piece {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        type Fields = (Bytes<Vec<u8>>, Option<Vec<u8>>, u64, u64, (u8, u8, LayoutCode, bool));
        let (Bytes(bytes), file, line, index, (keep, bad, form, count)) = Fields::deserialize(deserializer)?;
        let keep = match keep {
            0 => Keep::Primes,
            1 => Keep::Others,
            2 => Keep::All,
            other => return Err(D::Error::custom(format_args!("no numbers are kept by the rule {other}"))),
        };
        let bad = match bad {
            0 => OnBad::Stop,
            1 => OnBad::Skip,
            2 => OnBad::Report,
            other => return Err(D::Error::custom(format_args!("bad words are not treated by the rule {other}"))),
        };
        let sift = Sift { keep, bad, layout: layout_of(form).map_err(D::Error::custom)?, count };
        // Each word has an index.
        if index.checked_add(bytes.len() as u64).is_none() || line.checked_add(bytes.len() as u64).is_none() {
            return Err(D::Error::custom("the piece begins too far from the start of its file"));
        }
        Ok(Self { bytes, file: file.map(|file| Arc::from(path(file))), line, index, sift })
    }
}

impl Serialize for Sifted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { lines, tested, found, bad, first_bad, messages, bytes } = self;
        let first_bad = first_bad.as_ref().map(|bad| {
            let (file, line, text, reason) = bad.parts();
            (file.map(path_bytes), line, text, reason_code(reason))
        });
        (Bytes(lines), (tested, found, bad), first_bad, messages, bytes).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Sifted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        type FirstBad = (Option<Vec<u8>>, u64, String, u8);
        type Fields = (Bytes<Vec<u8>>, (u64, u64, u64), Option<FirstBad>, String, u64);
        let (Bytes(lines), (tested, found, bad), first_bad, messages, bytes) = Fields::deserialize(deserializer)?;
        let first_bad = first_bad.map(|(file, line, text, reason)| {
            let reason = reason_of(reason).ok_or_else(|| D::Error::custom("a word is bad for an unknown reason"))?;
            let text = text.chars().filter(|character| !character.is_control()).collect();
            Ok(Bad::of_parts(file.map(|file| Arc::from(path(file))), line, text, reason))
        });
        // They go to a terminal: what a node says must not control it.
        let mut messages = strip_str(&messages).to_string();
        messages.retain(|character| character == '\n' || !character.is_control());
        Ok(Self { lines, tested, found, bad, first_bad: first_bad.transpose()?, messages, bytes })
    }
}

/// Bytes, which are copied as a whole. A vector of them is written and read one by one.
struct Bytes<B>(B);

impl<B: AsRef<[u8]>> Serialize for Bytes<B> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0.as_ref())
    }
}

impl<'de> Deserialize<'de> for Bytes<Vec<u8>> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Copies;
        impl Visitor<'_> for Copies {
            type Value = Vec<u8>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }
        }
        deserializer.deserialize_bytes(Copies).map(Self)
    }
}

/// A format, `annotate`, how many primes a record has, and `location`.
type LayoutCode = (u8, bool, u8, bool);

fn layout(Layout { format, annotate, size, location }: Layout) -> LayoutCode {
    let format = match format {
        Format::Text => 0,
        Format::Json => 1,
        Format::Csv => 2,
    };
    (format, annotate, size as u8, location)
}

fn layout_of((format, annotate, size, location): LayoutCode) -> Result<Layout, String> {
    let format = match format {
        0 => Format::Text,
        1 => Format::Json,
        2 => Format::Csv,
        other => return Err(format!("there is no format {other}")),
    };
    if !(1..=What::ALL.len()).contains(&usize::from(size)) {
        return Err(format!("no record has {size} primes"));
    }
    Ok(Layout { format, annotate, size: size.into(), location })
}

/// The reasons for which a word is bad, by their codes.
const REASONS: [NumberError; 6] = [
    NumberError::NotANumber,
    NumberError::Negative,
    NumberError::TooLarge,
    NumberError::TooLong,
    NumberError::Encoding("UTF-16"),
    NumberError::Encoding("UTF-32"),
];

fn reason_code(reason: &NumberError) -> u8 {
    REASONS.iter().position(|known| known == reason).unwrap_or(0) as u8
}

fn reason_of(code: u8) -> Option<NumberError> {
    REASONS.get(usize::from(code)).cloned()
}

/// A path as its bytes, also where it is not text.
#[cfg(unix)]
fn path_bytes(path: &Path) -> Vec<u8> {
    std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str()).to_vec()
}

#[cfg(unix)]
fn path(bytes: Vec<u8>) -> PathBuf {
    let path: std::ffi::OsString = std::os::unix::ffi::OsStringExt::from_vec(bytes);
    path.into()
}

#[cfg(not(unix))]
fn path_bytes(path: &Path) -> Vec<u8> {
    path.to_string_lossy().into_owned().into_bytes()
}

#[cfg(not(unix))]
fn path(bytes: Vec<u8>) -> PathBuf {
    String::from_utf8_lossy(&bytes).into_owned().into()
}
