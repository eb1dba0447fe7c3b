//! Reads files in slices, which are the items for the workers. A slice ends between two words.

use std::io;
use std::iter;
use std::mem;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use memchr::memchr_iter;

use super::buffers::{Buffer, Buffers, KEPT, READ};
use super::grammar::NumberError;
use super::input::{BYTE_ORDER_MARK, Input, ReadError};
use super::numbers::{Number, take};

/// A piece of a file.
#[derive(Debug)]
pub(crate) struct Slice {
    buffer: Buffer,
    range: Range<usize>,
    /// The name of the file; `None` for the standard input.
    pub(crate) file: Option<Arc<Path>>,
    /// The line in which the slice begins, from 1.
    line: u64,
    /// The index of its first word among all words of the input, from 0, if words are counted.
    pub(crate) index: u64,
}

impl Slice {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer.bytes[self.range.clone()]
    }

    /// Makes a slice of bytes that end between two words.
    pub(crate) fn new(bytes: &[u8], file: Option<Arc<Path>>, line: u64, index: u64) -> Self {
        Self { buffer: Buffers::default().holding(bytes), range: 0..bytes.len(), file, line, index }
    }

    /// Cuts the slice into pieces of about so many bytes, each of which ends between two words: the bytes, their first line,
    /// and the index of their first word.
    pub(crate) fn pieces(&self, about: usize) -> Vec<(&[u8], u64, u64)> {
        let (mut rest, mut line, mut index) = (self.bytes(), self.line, self.index);
        let mut pieces = Vec::new();
        while !rest.is_empty() {
            let after = rest.get(about..).and_then(|after| after.iter().position(u8::is_ascii_whitespace));
            let (piece, next) = rest.split_at(after.map_or(rest.len(), |after| about + after + 1));
            pieces.push((piece, line, index));
            line += memchr_iter(b'\n', piece).count() as u64;
            index += words(piece);
            rest = next;
        }
        pieces
    }

    /// The words of the slice, parsed.
    #[inline]
    pub(crate) fn words(&self) -> impl Iterator<Item = Word<'_>> {
        let bytes = self.bytes();
        let mut at = 0;
        iter::from_fn(move || {
            at += bytes[at..].iter().position(|byte| !byte.is_ascii_whitespace())?;
            let (length, number) = take(&bytes[at..]);
            let word = Word { at, text: &bytes[at..at + length], number };
            at += length;
            Some(word)
        })
    }

    /// Returns a counter of the lines of the slice.
    pub(crate) fn lines(&self) -> Lines<'_> {
        Lines { bytes: self.bytes(), at: 0, line: self.line }
    }
}

/// Finds the lines of bytes, in ascending order of the bytes, so that each line break is counted once.
pub(crate) struct Lines<'a> {
    bytes: &'a [u8],
    /// The index up to which lines are counted.
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// Returns the line of the byte at `index`, which must not be less than in the call before.
    pub(crate) fn of(&mut self, index: usize) -> u64 {
        self.line += memchr_iter(b'\n', &self.bytes[self.at..index]).count() as u64;
        self.at = index;
        self.line
    }
}

/// A word: what stands between white space.
pub(crate) struct Word<'a> {
    /// The index in its slice at which it begins.
    pub(crate) at: usize,
    pub(crate) text: &'a [u8],
    pub(crate) number: Result<Number, NumberError>,
}

/// The slices of the inputs, one input after the other. If an input can't be read, or not to its end, the iterator
/// yields an error in its place and goes on with the next input.
///
/// A slice is what one read returned, up to the last white space in it: it does not wait for more input. A word that is
/// longer than any number is yielded before its end was read, since the end may never come; the rest of the word is
/// skipped.
pub(crate) struct Slices<I> {
    inputs: I,
    current: Option<Reading>,
    buffers: Buffers,
    /// The bytes that were read but not yielded yet, `kept` of them, and room for a read.
    buffer: Buffer,
    kept: usize,
    /// True if words are counted.
    counting: bool,
    words: u64,
}

/// The input that is read now.
struct Reading {
    input: Input,
    line: u64,
    /// True if no slice of it was yielded yet.
    is_new: bool,
    /// True if the next bytes are the rest of a word that was yielded already.
    is_inside_word: bool,
}

impl<I> Slices<I> {
    pub(crate) fn new(inputs: I, counting: bool) -> Self {
        let buffers = Buffers::default();
        let buffer = buffers.take();
        Self { inputs, current: None, buffers, buffer, kept: 0, counting, words: 0 }
    }

    /// Reads until there is a slice; `None` at the end of the file.
    fn slice(&mut self, reading: &mut Reading) -> io::Result<Option<Slice>> {
        loop {
            let room = &mut self.buffer.bytes[self.kept..self.kept + READ];
            let read = match reading.input.bytes.read(room) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let mut start = 0;
            if reading.is_inside_word && read > 0 {
                // The rest of a word that is too long is skipped.
                match room[..read].iter().position(u8::is_ascii_whitespace) {
                    Some(end) => start = end,
                    None => continue,
                }
                reading.is_inside_word = false;
            }
            let end = self.kept + read;
            let mut cut = match room[..read].iter().rposition(u8::is_ascii_whitespace) {
                Some(last) => self.kept + last + 1,
                None if read == 0 => end,
                None => 0,
            };
            // The word is too long, whatever follows.
            if end - cut >= KEPT {
                cut = end;
                reading.is_inside_word = true;
            }
            self.kept = end - cut;
            if cut > 0 {
                let mut next = self.buffers.take();
                next.bytes[..self.kept].copy_from_slice(&self.buffer.bytes[cut..end]);
                let buffer = mem::replace(&mut self.buffer, next);
                return Ok(Some(self.give(reading, buffer, start..cut)));
            }
            if read == 0 {
                return Ok(None);
            }
        }
    }

    /// Makes a slice of a range of a buffer, and counts its lines and words.
    fn give(&mut self, reading: &mut Reading, buffer: Buffer, mut range: Range<usize>) -> Slice {
        if mem::take(&mut reading.is_new) && buffer.bytes[range.clone()].starts_with(BYTE_ORDER_MARK) {
            range.start += BYTE_ORDER_MARK.len();
        }
        let slice = Slice { buffer, range, file: reading.input.file.clone(), line: reading.line, index: self.words };
        reading.line += memchr_iter(b'\n', slice.bytes()).count() as u64;
        if self.counting {
            self.words += words(slice.bytes());
        }
        slice
    }
}

impl<I: Iterator<Item = Result<Input, ReadError>>> Iterator for Slices<I> {
    type Item = Result<Slice, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let mut reading = match self.current.take() {
                Some(reading) => reading,
                None => match self.inputs.next()? {
                    Ok(input) => Reading { input, line: 1, is_new: true, is_inside_word: false },
                    Err(error) => return Some(Err(error)),
                },
            };
            match self.slice(&mut reading) {
                Ok(Some(slice)) => {
                    self.current = Some(reading);
                    return Some(Ok(slice));
                }
                Ok(None) => {}
                Err(source) => {
                    // What was kept may be the first half of a number, which must not be taken for a number.
                    self.kept = 0;
                    return Some(Err(ReadError::new(reading.input.file, source)));
                }
            }
        }
    }
}

/// Counts the words that begin in `bytes`, which begin between two words.
fn words(bytes: &[u8]) -> u64 {
    let space = |byte: &u8| byte.is_ascii_whitespace();
    let begin = bytes.windows(2).filter(|pair| space(&pair[0]) & !space(&pair[1])).count();
    begin as u64 + u64::from(bytes.first().is_some_and(|byte| !space(byte)))
}

#[cfg(test)]
impl Slice {
    /// Makes a slice of a file with this name, from its 7th line and 100th word on.
    pub(crate) fn for_test(bytes: &[u8], file: &str) -> Self {
        Self::new(bytes, Some(Path::new(file).into()), 7, 100)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use proptest::prelude::*;

    use super::super::grammar::LONGEST;
    use super::*;
    use crate::checks::words::Parts;

    fn slices(parts: &[&str]) -> Vec<Slice> {
        let bytes = Parts(parts.iter().map(|part| part.as_bytes().to_vec()).collect());
        let input = Input { file: None, bytes: Box::new(bytes) };
        Slices::new([Ok(input)].into_iter(), true).map(Result::unwrap).collect()
    }

    fn texts(parts: &[&str]) -> Vec<String> {
        slices(parts).into_iter().map(|slice| String::from_utf8(slice.bytes().to_vec()).unwrap()).collect()
    }

    #[test]
    fn what_has_arrived_does_not_wait_for_more() {
        assert_eq!(texts(&["7\n", "11\n", "13"]), ["7\n", "11\n", "13"]);
        assert_eq!(texts(&["7\n1", "1\n13", "\n"]), ["7\n", "11\n", "13\n"]);
        assert_eq!(texts(&["7 ", "11 1", "3"]), ["7 ", "11 ", "13"]);
        assert!(texts(&[]).is_empty());
    }

    #[test]
    fn a_slice_knows_its_line_and_its_first_words_index() {
        let places: Vec<_> = slices(&["1 2\n3\r\n", "4\n5", "6\n\n", "7"]).iter().map(|s| (s.line, s.index)).collect();
        assert_eq!(places, [(1, 0), (3, 3), (4, 4), (6, 5)]);
    }

    #[test]
    fn a_mark_at_the_start_is_no_part_of_the_first_word() {
        assert_eq!(texts(&["\u{feff}7\n\u{feff}"]), ["7\n", "\u{feff}"]);
        assert_eq!(texts(&["\u{feff}", "7\n"]), ["7\n"]);
    }

    #[test]
    fn a_word_without_an_end_is_cut_short_and_too_long() {
        let long = "1".repeat(READ);
        let parts = vec![long.as_str(); 20];
        let texts = texts(&[&parts[..], &["1 2\n"]].concat());
        assert_eq!(texts, [long.as_str(), " 2\n"]);
    }

    #[test]
    fn a_word_that_is_too_long_is_given_before_its_end_has_come() {
        let endless = Endless { first: b"7 ", read: Arc::default() };
        let read = endless.read.clone();
        let input = Input { file: None, bytes: Box::new(endless) };
        let mut slices = Slices::new([Ok(input)].into_iter(), true).map(Result::unwrap);
        let slice = slices.next().unwrap();
        let words: Vec<_> = slice.words().map(|word| word.number).collect();
        assert_eq!(words, [Ok(Number::Small(7)), Err(NumberError::TooLong)]);
        assert_eq!(read.load(Relaxed), 1);
    }

    /// Reads as an endless word.
    struct Endless {
        first: &'static [u8],
        /// The number of reads.
        read: Arc<AtomicUsize>,
    }

    impl Read for Endless {
        fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
            self.read.fetch_add(1, Relaxed);
            room.fill(b'1');
            room[..self.first.len()].copy_from_slice(mem::take(&mut self.first));
            Ok(room.len())
        }
    }

    #[test]
    fn an_input_that_fails_is_an_error_in_its_place_and_takes_nothing_of_the_others_along() {
        let input = |bytes: Box<dyn Read + Send>| Ok(Input { file: None, bytes });
        let parts = |parts: &[&str]| Parts(parts.iter().map(|part| part.as_bytes().to_vec()).collect());
        let failing = parts(&["2 3\n5"]).chain(Failing);
        let missing = Err(ReadError::new(None, io::ErrorKind::NotFound.into()));
        let inputs = [missing, input(Box::new(failing)), input(Box::new(parts(&["7 11"])))];
        let slices: Vec<_> = Slices::new(inputs.into_iter(), true)
            .map(|slice| slice.ok().map(|slice| (String::from_utf8(slice.bytes().to_vec()).unwrap(), slice.index)))
            .collect();
        let slice = |text: &str, index| Some((text.to_owned(), index));
        assert_eq!(slices, [None, slice("2 3\n", 0), None, slice("7 ", 2), slice("11", 3)]);
    }

    struct Failing;

    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::InvalidData.into())
        }
    }

    #[test]
    fn a_word_that_is_too_long_stays_so_after_a_mark() {
        let text = format!("\u{feff}{}", "0".repeat(LONGEST + 5));
        assert!(texts(&[&text, "\n7"])[0].trim_end().len() > LONGEST);
    }

    #[test]
    fn pieces_are_the_slice_and_know_their_lines_and_words() {
        let slice = Slice::for_test(b"1 23\n4\n\n567 8", "n.txt");
        let pieces = slice.pieces(3);
        assert_eq!(pieces, [(&b"1 23\n"[..], 7, 100), (b"4\n\n567 ", 8, 102), (b"8", 10, 104)]);
        assert_eq!(slice.pieces(100).len(), 1);
    }

    proptest! {
        #[test]
        fn slices_are_the_input_and_end_between_words(
            parts in prop::collection::vec("[ \n\r0-9x]{1,8}", 0..20),
        ) {
            let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
            let whole = parts.concat();
            let texts = texts(&parts);
            prop_assert_eq!(texts.concat(), whole.clone());
            let split: Vec<&str> = texts.iter().flat_map(|text| text.split_ascii_whitespace()).collect();
            prop_assert_eq!(split, whole.split_ascii_whitespace().collect::<Vec<_>>());
            prop_assert_eq!(words(whole.as_bytes()), whole.split_ascii_whitespace().count() as u64);
        }
    }
}
