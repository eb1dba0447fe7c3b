//! Checks of the parsers of inputs.

use std::collections::VecDeque;
use std::fmt::{self, Display, Formatter};
use std::io::{self, Read};

use super::assert_presentable;
use super::values::read_number;
use crate::parse::grammar::{LONGEST, NumberError};
use crate::parse::input::{Bad, Input};
use crate::parse::numbers::{Number, take};
use crate::parse::slices::Slices;

/// Bytes that do not occur in UTF-8. In the script of an input they say how the input is read.
const CUT: u8 = 0xFF;
const LONG: u8 = 0xFE;
const NEXT_FILE: u8 = 0xFD;

/// The most long words per script; more would not test anything else.
const MANY: usize = 6;

/// Checks that the first word of a text has the value that its notation says.
pub fn numbers(text: &[u8]) {
    let text = text.trim_ascii_start();
    let Some(word) = split(text).next() else { return };
    assert_eq!(take(text), (word.len(), number(word)), "{}", text.escape_ascii());
}

/// Checks that the words of inputs, their lines and their indices do not depend on how the inputs are split into reads.
///
/// The script is the input itself, but for three bytes: 0xFF ends what a read gives, 0xFD ends a file, and 0xFE stands
/// for as many times the byte after it as a word may have characters, a few more or less by the byte after that.
pub fn slices(script: &[u8]) {
    let files = files(script);
    let expected = words(&files);
    let inputs = files.iter().map(|parts| {
        let bytes = Box::new(Parts(parts.iter().cloned().collect()));
        Ok(Input { file: None, bytes })
    });
    let mut found = Vec::new();
    for slice in Slices::new(inputs, true) {
        let slice = slice.expect("nothing fails");
        let indices = slice.index..;
        let mut lines = slice.lines();
        for (index, word) in indices.zip(slice.words()) {
            let line = lines.of(word.at);
            if let Err(reason) = word.number {
                let message = Bad::new(None, line, word.text, reason).to_string();
                assert!(message.starts_with(&format!("the standard input:{line}: \"")), "{message}");
                assert_presentable(&message);
            }
            // Of a word that is too long, the slice may have the beginning only.
            let text = word.text[..word.text.len().min(LONGEST + 1)].to_vec();
            found.push(Word { line, index, text, number: word.number });
        }
    }
    for (found, expected) in found.iter().zip(&expected) {
        assert!(found == expected, "{found} instead of {expected}");
    }
    assert_eq!(found.len(), expected.len());
}

#[derive(PartialEq)]
struct Word {
    line: u64,
    index: u64,
    text: Vec<u8>,
    number: Result<Number, NumberError>,
}

impl Display for Word {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { line, index, text, number } = self;
        let beginning = text[..text.len().min(50)].escape_ascii();
        write!(f, "line {line}, word {index}, {} bytes from \"{beginning}\" on: {number:?}", text.len())
    }
}

/// Returns the words of files, found in each whole file.
fn words(files: &[Vec<Vec<u8>>]) -> Vec<Word> {
    let mut words = Vec::new();
    for file in files {
        let file = file.concat();
        let file = file.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&file);
        for (line, text) in (1..).zip(file.split(|&byte| byte == b'\n')) {
            for text in split(text) {
                let number = number(text);
                let text = text[..text.len().min(LONGEST + 1)].to_vec();
                words.push(Word { line, index: words.len() as u64, text, number });
            }
        }
    }
    words
}

fn split(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| b" \t\n\x0c\r".contains(byte)).filter(|word| !word.is_empty())
}

/// Parses a word; if it is not a number, guesses its encoding.
fn number(word: &[u8]) -> Result<Number, NumberError> {
    if word.len() > 65_536 {
        return Err(NumberError::TooLong);
    }
    match plain(word) {
        Err(NumberError::NotANumber) => Err(encoding(word).map_or(NumberError::NotANumber, NumberError::Encoding)),
        number => number,
    }
}

/// Guesses the encoding from the byte order mark, or from the zeros among the other bytes.
fn encoding(word: &[u8]) -> Option<&'static str> {
    let zeros: String = word.iter().map(|&byte| if byte == 0 { '0' } else { '.' }).collect();
    let is_wide =
        zeros.len() > 1 && (zeros == ".0".repeat(zeros.len() / 2) || zeros == "0.".repeat(zeros.len())[..zeros.len()]);
    if word.starts_with(b"\xFF\xFE\0\0") || word.starts_with(b"\0\0\xFE\xFF") {
        return Some("UTF-32");
    }
    let is_marked = word.starts_with(b"\xFF\xFE") || word.starts_with(b"\xFE\xFF");
    (is_wide || is_marked && (word.len() == 2 || zeros.contains('0'))).then_some("UTF-16")
}

/// Parses a word by the grammar of the command line.
fn plain(word: &[u8]) -> Result<Number, NumberError> {
    let word = str::from_utf8(word).map_err(|_| NumberError::NotANumber)?;
    if let Some(rest) = word.strip_prefix('-') {
        let is_number = !rest.starts_with('+') && read_number(rest).is_some();
        return Err(if is_number { NumberError::Negative } else { NumberError::NotANumber });
    }
    let value = read_number(word).ok_or(NumberError::NotANumber)?.ok_or(NumberError::TooLarge)?;
    Ok(u64::try_from(value).map_or(Number::Wide(value), Number::Small))
}

/// Returns the bytes of each read of each file.
fn files(script: &[u8]) -> Vec<Vec<Vec<u8>>> {
    let mut files = vec![vec![Vec::new()]];
    let mut script = script.iter().copied();
    let mut long_words = 0;
    while let Some(byte) = script.next() {
        let parts = files.last_mut().expect("there is one");
        match byte {
            NEXT_FILE => files.push(vec![Vec::new()]),
            CUT => parts.push(Vec::new()),
            LONG if long_words < MANY => {
                long_words += 1;
                let (byte, more) = (script.next().unwrap_or(b'0'), script.next().unwrap_or(8));
                parts.last_mut().expect("there is one").extend(vec![byte; LONGEST - 8 + usize::from(more % 16)]);
            }
            byte => parts.last_mut().expect("there is one").push(byte),
        }
    }
    files
}

/// Returns one part per read.
pub(crate) struct Parts(pub(crate) VecDeque<Vec<u8>>);

impl Read for Parts {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        // An empty part is skipped: a read of no bytes would be the end of the file.
        while let Some(mut part) = self.0.pop_front() {
            let rest = part.split_off(part.len().min(room.len()));
            if !rest.is_empty() {
                self.0.push_front(rest);
            }
            if !part.is_empty() {
                room[..part.len()].copy_from_slice(&part);
                return Ok(part.len());
            }
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_mark_at_the_start_makes_no_number_of_a_word_that_is_too_long() {
        // The kept beginning of the word must be too long without the byte order mark as well.
        slices(b"\xEF\xBB\xBF\xFE0\x0D\xFF\n7");
        slices(b"\xEF\xBB\xBF\xFE0\x0A\xFF\n\xFD\xEF\xBB\xBF\xFE1\x0F\xFF2\xFF \xFE0\x08\xFE0\x08");
    }

    proptest! {
        #[test]
        fn the_first_word_is_what_its_notation_says(
            text in "[0-9]{0,45}[ \n]?[0-9a-fA-FxX+^_\\- \t\x0b]{0,12}",
            short in "[+-]?[0-9]{1,3}[eE^_]?[0-9+]{0,3}",
            bytes in any::<Vec<u8>>(),
        ) {
            numbers(text.as_bytes());
            numbers(short.as_bytes());
            numbers(&bytes);
        }

        #[test]
        fn words_and_their_places_are_the_same_however_the_input_comes(script in prop::collection::vec(script(), 0..30)) {
            slices(&script.concat());
        }
    }

    /// A piece of a script.
    fn script() -> impl Strategy<Value = Vec<u8>> {
        let long = (prop::sample::select(b"0 7x\n".to_vec()), any::<u8>());
        prop_oneof![
            8 => "[0-9x \n\r\t-]{1,8}".prop_map(String::into_bytes),
            4 => Just(vec![CUT]),
            1 => Just(vec![NEXT_FILE]),
            1 => Just("\u{feff}".into()),
            1 => long.prop_map(|(byte, more)| vec![LONG, byte, more]),
            1 => any::<Vec<u8>>(),
        ]
    }
}
