//! The grammar of numbers, the same for options, ranges, arguments and the words of an input.

use thiserror::Error;

/// The longest text that is parsed as a number. It limits the memory for a word without an end.
pub(crate) const LONGEST: usize = 64 * 1024;

/// Why a word cannot be tested.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum NumberError {
    /// It is not written as a number.
    #[error("is not a number: write 1000, 1_000, 0x3e8, 1e3 or 10^3")]
    NotANumber,
    /// It is a number below 0.
    #[error("is negative: numbers from 0 on can be tested")]
    Negative,
    /// It is 2^128 or more.
    #[error("has more than 128 bits: numbers up to 2^128 - 1 can be tested")]
    TooLarge,
    /// It is text in another encoding, probably like the whole input.
    #[error("is text in {0}: convert the input, for example with `iconv -f {0} -t UTF-8`")]
    Encoding(&'static str),
    /// It is longer than the longest text that is parsed as a number.
    #[error("is not a number: it has more than {LONGEST} characters")]
    TooLong,
}

/// Parses a number: `1000`, `+1000`, `1_000`, `0x3e8`, `1e3` or `10^3`.
///
/// An underscore must stand between two digits. The exponent after `e` may have a plus sign, as `printf` writes it.
///
/// # Errors
///
/// [`NumberError`] says what is wrong. Its message continues a sentence that begins with the word.
///
/// # Examples
///
/// ```
/// use prime_fan::{NumberError, number};
///
/// assert_eq!(number(b"2^61"), Ok(1 << 61));
/// assert_eq!(number(b"-7"), Err(NumberError::Negative));
/// ```
pub fn number(text: &[u8]) -> Result<u128, NumberError> {
    match text {
        [b'+', rest @ ..] => unsigned(rest),
        [b'-', rest @ ..] => Err(value(rest).map_or(NumberError::NotANumber, |_| NumberError::Negative)),
        _ => unsigned(text),
    }
}

/// Parses a number without a sign.
pub(crate) fn unsigned(text: &[u8]) -> Result<u128, NumberError> {
    value(text).ok_or(NumberError::NotANumber)?.ok_or(NumberError::TooLarge)
}

/// The value of a number; `None` if it has more than 128 bits.
type Value = Option<u128>;

fn value(text: &[u8]) -> Option<Value> {
    if let [b'0', b'x' | b'X', hex @ ..] = text {
        return digits(hex, 16);
    }
    let Some(sign) = text.iter().position(|byte| matches!(byte, b'e' | b'E' | b'^')) else { return digits(text, 10) };
    let (left, right) = (digits(&text[..sign], 10)?, &text[sign + 1..]);
    if text[sign] == b'^' {
        return Some(power(left, digits(right, 10)?));
    }
    let exponent = digits(right.strip_prefix(b"+").unwrap_or(right), 10)?;
    Some(match left {
        // 0 times any power of 10 is 0.
        Some(0) => Some(0),
        left => left.zip(power(Some(10), exponent)).and_then(|(left, power)| left.checked_mul(power)),
    })
}

fn power(base: Value, exponent: Value) -> Value {
    match (base, exponent) {
        (_, Some(0)) => Some(1),
        (Some(base @ (0 | 1)), _) => Some(base),
        (base, exponent) => base?.checked_pow(exponent?.try_into().ok()?),
    }
}

fn digits(text: &[u8], radix: u32) -> Option<Value> {
    let mut value = Some(0u128);
    // True at the start and after an underscore: a digit must follow.
    let mut is_due = true;
    for &byte in text {
        if byte == b'_' && !is_due {
            is_due = true;
            continue;
        }
        let digit = char::from(byte).to_digit(radix)?;
        value = value.and_then(|value| value.checked_mul(radix.into())?.checked_add(digit.into()));
        is_due = false;
    }
    (!is_due).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_written_in_many_ways() {
        for (text, value) in [
            ("0", 0),
            ("007", 7),
            ("1000", 1000),
            ("+1000", 1000),
            ("1_000", 1000),
            ("1_0_0_0", 1000),
            ("0x3e8", 1000),
            ("0X3_E8", 1000),
            ("+0x3e8", 1000),
            ("1e3", 1000),
            ("1E+03", 1000),
            ("10^3", 1000),
            ("+1_0^0_3", 1000),
            ("0e99999999999999999999999999999999999999999", 0),
            ("0^0", 1),
            ("1^99999999999999999999999999999999999999999", 1),
            ("0^7", 0),
            ("340282366920938463463374607431768211456^0", 1),
            ("2^127", 1 << 127),
            ("340282366920938463463374607431768211455", u128::MAX),
            ("0xffffffffffffffffffffffffffffffff", u128::MAX),
            ("1e38", 100_000_000_000_000_000_000_000_000_000_000_000_000),
        ] {
            assert_eq!(number(text.as_bytes()), Ok(value), "{text}");
        }
    }

    #[test]
    fn what_is_too_large_or_negative_is_a_number_nevertheless() {
        for text in
            ["340282366920938463463374607431768211456", "2^128", "1e39", "4e38", "2^99999999999", "10e4294967296"]
        {
            assert_eq!(number(text.as_bytes()), Err(NumberError::TooLarge), "{text}");
            assert_eq!(number(format!("-{text}").as_bytes()), Err(NumberError::Negative), "-{text}");
        }
        for text in ["-1", "-0", "-1e3", "-0x1f", "-1_000"] {
            assert_eq!(number(text.as_bytes()), Err(NumberError::Negative), "{text}");
        }
    }

    #[test]
    fn anything_else_is_no_number() {
        for text in [
            "",
            "+",
            "-",
            "++1",
            "+-1",
            "-+1",
            "--1",
            "_",
            "_1",
            "1_",
            "1__0",
            "0x",
            "0x_1",
            "0x1_",
            "0x+1",
            "0xg",
            "x",
            "1,000",
            "1.5",
            "1.5e3",
            "e3",
            "1e",
            "1e+",
            "1e-3",
            "1e++3",
            "1e3e3",
            "^3",
            "10^",
            "10^+3",
            "2^3^4",
            "1e2^3",
            "0x1^2",
            "٣",
            " 1",
            "1 ",
            // The rest would be too large, but that does not make it a number.
            "340282366920938463463374607431768211456x",
            "x^340282366920938463463374607431768211456",
            "99^",
            "0ex",
        ] {
            assert_eq!(number(text.as_bytes()), Err(NumberError::NotANumber), "{text}");
        }
    }
}
