//! Parses the words of an input as numbers.

use super::grammar;
use super::grammar::{LONGEST, NumberError};

/// A number of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Number {
    Small(u64),
    /// From 2^64 on.
    Wide(u128),
}

/// How many decimal digits fit into 64 bits for any value.
const SAFE_DIGITS: usize = 19;

/// Parses the word at the start of `bytes`, which are not empty and do not start with white space. Returns the length
/// of the word and its number.
#[inline]
pub(crate) fn take(bytes: &[u8]) -> (usize, Result<Number, NumberError>) {
    let mut number = 0u64;
    let mut length = 0;
    // The fast path: most words are decimal and short. This finds their end and their value in one pass.
    while let Some(digit) = bytes.get(length).map(|byte| byte.wrapping_sub(b'0'))
        && digit < 10
        && length < SAFE_DIGITS
    {
        number = number * 10 + u64::from(digit);
        length += 1;
    }
    let next = bytes.get(length);
    if next.is_none_or(u8::is_ascii_whitespace) {
        return (length, Ok(Number::Small(number)));
    }
    // A 64-bit number may have one more digit.
    let digit = next.map_or(0, |byte| byte.wrapping_sub(b'0'));
    if length == SAFE_DIGITS
        && digit < 10
        && bytes.get(length + 1).is_none_or(u8::is_ascii_whitespace)
        && let Some(number) = number.checked_mul(10).and_then(|number| number.checked_add(u64::from(digit)))
    {
        return (length + 1, Ok(Number::Small(number)));
    }
    let length = bytes.iter().position(u8::is_ascii_whitespace).unwrap_or(bytes.len());
    (length, parse(&bytes[..length]))
}

fn parse(word: &[u8]) -> Result<Number, NumberError> {
    if word.len() > LONGEST {
        return Err(NumberError::TooLong);
    }
    let value = grammar::number(word).map_err(|reason| match reason {
        NumberError::NotANumber => encoding(word).map_or(reason, NumberError::Encoding),
        reason => reason,
    })?;
    Ok(u64::try_from(value).map_or(Number::Wide(value), Number::Small))
}

/// Guesses the encoding of a word that is text in UTF-16 or UTF-32, which PowerShell writes for example: it begins with
/// a byte order mark and has zeros, or every second byte is 0. In the middle of a text, the byte order can't be
/// determined.
fn encoding(word: &[u8]) -> Option<&'static str> {
    let is_zero_at = |rest: usize| word.iter().enumerate().all(|(i, &byte)| (byte == 0) == (i % 2 == rest));
    match word {
        [0xFF, 0xFE, 0, 0, ..] | [0, 0, 0xFE, 0xFF, ..] => Some("UTF-32"),
        [0xFF, 0xFE, rest @ ..] | [0xFE, 0xFF, rest @ ..] if rest.is_empty() || rest.contains(&0) => Some("UTF-16"),
        [_, 0, ..] if word.len().is_multiple_of(2) && is_zero_at(1) => Some("UTF-16"),
        [0, _, ..] if is_zero_at(0) => Some("UTF-16"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(word: &str) -> Result<Number, NumberError> {
        let (length, number) = take(word.as_bytes());
        assert_eq!(length, word.len());
        number
    }

    #[test]
    fn numbers_are_read_in_every_notation() {
        for (word, number) in [
            ("0", 0),
            ("007", 7),
            ("9999999999999999999", 9_999_999_999_999_999_999),
            ("18446744073709551615", u64::MAX),
            ("00000000000000000000000000000000000000000000000000000000000000000000000000000000011", 11),
            ("0x1f", 31),
            ("0XFFFFFFFFFFFFFFFF", u64::MAX),
            ("+13", 13),
            ("1_000", 1000),
            ("1e3", 1000),
            ("2^31", 1 << 31),
        ] {
            assert_eq!(whole(word), Ok(Number::Small(number)), "{word}");
        }
        assert_eq!(whole("18446744073709551616"), Ok(Number::Wide(1 << 64)));
        assert_eq!(whole("340282366920938463463374607431768211455"), Ok(Number::Wide(u128::MAX)));
        assert_eq!(whole("0xffffffffffffffffffffffffffffffff"), Ok(Number::Wide(u128::MAX)));
    }

    #[test]
    fn what_is_no_number_is_refused_with_a_reason() {
        for word in ["x", "3x", "0x", "0xg", "++7", "1__0", "1,000", "3.0", "1e", "--7", "-", "٣", "\u{0}", "0x-1"] {
            assert_eq!(whole(word), Err(NumberError::NotANumber), "{word}");
        }
        assert_eq!(whole("-7"), Err(NumberError::Negative));
        assert_eq!(whole("340282366920938463463374607431768211456"), Err(NumberError::TooLarge));
        assert_eq!(whole("0x100000000000000000000000000000000"), Err(NumberError::TooLarge));
        assert_eq!(whole(&"0".repeat(LONGEST)), Ok(Number::Small(0)));
        assert_eq!(whole(&"0".repeat(LONGEST + 1)), Err(NumberError::TooLong));
    }

    #[test]
    fn text_in_another_encoding_is_refused_by_its_name() {
        for (bytes, encoding) in [
            ("\u{feff}7\n".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>(), "UTF-16"),
            ("\u{feff}7\n".encode_utf16().flat_map(u16::to_be_bytes).collect(), "UTF-16"),
            ("17\n".encode_utf16().flat_map(u16::to_le_bytes).collect(), "UTF-16"),
            ("17\n".encode_utf16().flat_map(u16::to_be_bytes).collect(), "UTF-16"),
            ("\u{feff}\n".encode_utf16().flat_map(u16::to_le_bytes).collect(), "UTF-16"),
            ("\u{feff}7".chars().flat_map(|c| u32::from(c).to_le_bytes()).collect(), "UTF-32"),
            ("\u{feff}7".chars().flat_map(|c| u32::from(c).to_be_bytes()).collect(), "UTF-32"),
        ] {
            assert_eq!(take(&bytes).1, Err(NumberError::Encoding(encoding)), "{bytes:?}");
        }
        for word in ["\0", "7\0\0", "\0\0", "7\x001", "\u{feff}7"] {
            assert_eq!(whole(word), Err(NumberError::NotANumber), "{word:?}");
        }
        assert_eq!(take(b"\xFF\xFE7").1, Err(NumberError::NotANumber));
    }

    #[test]
    fn the_end_of_a_word_is_any_white_space() {
        for end in [" ", "\n", "\r\n", "\t", "\u{c}", ""] {
            for word in ["7", "18446744073709551615", "18446744073709551616", "0x7", "x"] {
                assert_eq!(take(format!("{word}{end}8").as_bytes()).0, word.len() + usize::from(end.is_empty()));
            }
        }
    }

    proptest! {
        #[test]
        fn numbers_of_any_length_come_back(number in any::<u128>(), shift in 0u32..128) {
            let number = number >> shift;
            let expected = u64::try_from(number).map_or(Number::Wide(number), Number::Small);
            prop_assert_eq!(whole(&number.to_string()), Ok(expected));
            prop_assert_eq!(whole(&format!("{number:#x}")), Ok(expected));
        }

        #[test]
        fn any_word_is_taken_whole(word in "[0-9a-dA-Dx+-]{1,50}") {
            // The standard library decides whether it is a number; it allows a plus sign as well.
            let decimal = word.parse::<u128>().ok();
            let hex = word.strip_prefix('+').unwrap_or(&word).strip_prefix("0x").and_then(|digits| {
                u128::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'))
            });
            let expected = decimal.or(hex).map(|n| u64::try_from(n).map_or(Number::Wide(n), Number::Small));
            prop_assert_eq!(whole(&word).ok(), expected);
        }
    }
}
