//! Parses the values of arguments.

use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::grammar::NumberError;
use super::grammar::{self, number};
use super::input::Source;

/// Returns a parser of whole numbers in `range`. The message of every error says which values are valid.
pub(crate) fn whole<T: TryFrom<u64>>(range: RangeInclusive<u64>) -> impl Fn(&str) -> Result<T, String> + Clone {
    move |text| {
        let number = number(text.as_bytes()).ok().and_then(|number| u64::try_from(number).ok());
        number
            .filter(|number| range.contains(number))
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| format!("give a whole number from {} to {}", range.start(), range.end()))
    }
}

/// Parses a time: the sum of terms, each a number and a unit.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    terms(text).ok_or_else(|| "give a number and its unit: 10s, 500ms, 2m 30s".to_owned())
}

/// Parses the terms one by one, since humantime panics on some sums that are too large.
fn terms(text: &str) -> Option<Duration> {
    let mut rest = text.trim_start();
    let mut total = None;
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit() && c != '.')?);
        let after = after.trim_start();
        let (unit, after) = after.split_at(after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len()));
        // humantime accepts 0 without a unit.
        if unit.is_empty() {
            return None;
        }
        let term = humantime::parse_duration(&format!("{number}{unit}")).ok()?;
        total = Some(total.unwrap_or(Duration::ZERO).checked_add(term)?);
        rest = after.trim_start();
    }
    total
}

/// Parses a range: `A..B` without B, `A..=B` with it, `A..+N` for N numbers. An end that is left out is 0 or the last
/// number of 64 bits.
///
/// An end before the start is an error in each notation. `A..A` and `A..+0` are empty ranges.
pub(crate) fn range(text: &str) -> Result<RangeInclusive<u64>, String> {
    const LAST: u128 = u64::MAX as u128;
    let (start, end) = text.split_once("..").ok_or("give a range such as 100..200, 100..=200 or 1e12..+1e6")?;
    let start = if start.is_empty() { 0 } else { bound(start, number)? };
    let (written, after) = match end.as_bytes() {
        [] => (LAST, LAST + 1),
        [b'=', ..] => {
            let last = bound(&end[1..], number)?;
            (last, last.saturating_add(1))
        }
        [b'+', ..] => {
            let after = start.saturating_add(bound(&end[1..], grammar::unsigned)?);
            (after, after)
        }
        _ => {
            let after = bound(end, number)?;
            (after, after)
        }
    };
    if start > LAST || after > LAST + 1 {
        return Err(format!("numbers up to 2^64 - 1 = {LAST} can be searched"));
    }
    if written < start {
        return Err(format!("its end, {written}, is before its start, {start}"));
    }
    // The casts are exact: both were compared with LAST. The only empty inclusive ranges are reversed ones.
    Ok(match after.checked_sub(1) {
        Some(last) if after > start => start as u64..=last as u64,
        _ => RangeInclusive::new(1, 0),
    })
}

/// Parses a bound. One that is too large for the grammar becomes `u128::MAX`, which is too large for every range.
fn bound(text: &str, parse: impl Fn(&[u8]) -> Result<u128, NumberError>) -> Result<u128, String> {
    match parse(text.as_bytes()) {
        Err(NumberError::TooLarge) => Ok(u128::MAX),
        Err(reason) => Err(refusal(text, reason)),
        Ok(number) => Ok(number),
    }
}

/// Returns the message about a text that is not a valid number.
fn refusal(text: &str, reason: NumberError) -> String {
    let text: String = text.chars().take(40).flat_map(char::escape_debug).collect();
    format!("\"{text}\" {reason}")
}

/// Parses an argument of `filter`: a number, a file, or `-` for the standard input. An argument that is written as a
/// number is one even if a file has that name: what a command does must not depend on the files in the folder.
pub(crate) fn source(argument: OsString) -> Result<Source, String> {
    match argument.to_str().map(|text| (text, number(text.as_bytes()))) {
        Some(("-", _)) => Ok(Source::Stdin),
        Some((text, Ok(_))) => Ok(Source::Number(text.to_owned())),
        None | Some((_, Err(NumberError::NotANumber | NumberError::TooLong))) => Ok(Source::File(argument.into())),
        Some((text, Err(reason))) => Err(refusal(text, reason)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_is_written_in_many_ways_and_keeps_its_bounds() {
        let parse = whole::<u16>(1..=1000);
        for text in ["1000", "+1000", "1_000", "0x3e8", "1e3", "10^3"] {
            assert_eq!(parse(text), Ok(1000), "{text}");
        }
        for text in ["0", "1001", "2^64", "1e39", "-1", "1.5", "ten", ""] {
            assert_eq!(parse(text).unwrap_err(), "give a whole number from 1 to 1000", "{text}");
        }
        assert!(whole::<u16>(0..=u64::MAX)("2^16").is_err());
    }

    #[test]
    fn a_range_is_written_in_many_ways() {
        for (text, expected) in [
            ("2..10", 2..=9),
            ("2..=10", 2..=10),
            ("1e12..+1e6", 1_000_000_000_000..=1_000_000_999_999),
            ("10^3..2^10", 1000..=1023),
            ("+1e3..=+1_005", 1000..=1005),
            ("1e+3..+2^2", 1000..=1003),
            ("0xff..0x1_00", 255..=255),
            ("1_000..", 1000..=u64::MAX),
            ("..5", 0..=4),
            ("..", 0..=u64::MAX),
            ("18446744073709551615..18446744073709551616", u64::MAX..=u64::MAX),
            ("2^63..=18446744073709551615", 1 << 63..=u64::MAX),
        ] {
            assert_eq!(range(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_range_may_be_empty() {
        for text in ["5..5", "0..0", "0..+0", "18446744073709551615..+0"] {
            assert!(range(text).unwrap().is_empty(), "{text}");
        }
    }

    #[test]
    fn what_is_no_range_is_refused_with_a_reason() {
        for (text, reason) in [
            ("", "give a range"),
            ("7", "give a range"),
            ("7...9", "\".9\""),
            ("x..9", "\"x\""),
            ("-1..9", "\"-1\""),
            ("1..0x", "\"0x\""),
            ("0x+1..9", "\"0x+1\""),
            ("1.5e3..2e3", "\"1.5e3\""),
            ("1e..9", "\"1e\""),
            ("5..++3", "\"+3\""),
            ("9..7", "its end, 7, is before its start, 9"),
            ("9..=7", "its end, 7, is before its start, 9"),
            ("9..=8", "its end, 8, is before its start, 9"),
            ("1..0", "its end, 0, is before its start, 1"),
            ("1..=0", "its end, 0, is before its start, 1"),
            ("0..=2^64", "2^64 - 1"),
            ("2^64..", "2^64 - 1"),
            ("0..1e40", "2^64 - 1"),
            ("1e40..", "2^64 - 1"),
            ("0..=1e40", "2^64 - 1"),
            ("0..+1e40", "2^64 - 1"),
            ("0..1e30", "2^64 - 1"),
            ("340282366920938463463374607431768211455..+1", "2^64 - 1"),
        ] {
            let message = range(text).unwrap_err();
            assert!(message.contains(reason), "{text}: {message}");
        }
    }

    #[test]
    fn an_argument_that_is_written_as_a_number_is_one() {
        for text in ["17", "+17", "0x11", "1e3", "2^61", "1_000"] {
            assert_eq!(source(text.into()), Ok(Source::Number(text.to_owned())), "{text}");
        }
        for text in ["./17", "17.txt", "x", "", "1e", "1_", "--"] {
            assert_eq!(source(text.into()), Ok(Source::File(text.into())), "{text}");
        }
        assert_eq!(source("-".into()), Ok(Source::Stdin));
        assert!(source("-17".into()).unwrap_err().starts_with("\"-17\" is negative"));
        assert!(source("1e39".into()).unwrap_err().starts_with("\"1e39\" has more than 128 bits"));
    }

    #[test]
    fn a_time_has_a_unit() {
        assert_eq!(duration("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(duration(" 1m500 ms "), Ok(Duration::from_millis(60_500)));
        assert_eq!(duration("1.5 s"), Ok(Duration::from_millis(1500)));
        for text in [
            "",
            " ",
            "10",
            "s",
            "-1s",
            "1.5",
            "1 0s",
            "0",
            "1s 0 ",
            "99999999999999999999s",
            "18446744073709551615s 1000ms",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
