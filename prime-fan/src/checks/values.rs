//! Checks of the parsers of arguments.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::assert_presentable;
use crate::parse::values as parse;

/// Checks that a whole number is a number within its bounds.
pub fn whole(text: &str, min: u64, max: u64) {
    let value = read_number(text).flatten().and_then(|value| u64::try_from(value).ok());
    match parse::whole::<u64>(min..=max)(text) {
        Ok(found) => assert!(value == Some(found) && (min..=max).contains(&found), "{text:?} is not {found}"),
        Err(message) => {
            assert!(value.is_none_or(|value| value < min || value > max), "{text:?} is refused");
            assert_eq!(message, format!("give a whole number from {min} to {max}"));
        }
    }
    // A number that does not fit its type is rejected as well.
    let narrow = parse::whole::<u8>(0..=u64::MAX)(text);
    assert_eq!(narrow.ok(), value.and_then(|value| u8::try_from(value).ok()), "{text:?}");
}

/// Checks that a range has the bounds that are written, and is the same when it is printed and parsed again.
pub fn range(text: &str) {
    let found = parse::range(text);
    assert_eq!(found.as_ref().ok().map(bounds), read_range(text), "{text:?}: {found:?}");
    match found {
        Ok(found) => {
            let Some((start, end)) = bounds(&found) else { return };
            let last = end - 1;
            for printed in [
                format!("{start}..{end}"),
                format!("{start}..={last}"),
                format!("{start}..+{}", end - start),
                format!("{start:#x}..={last:#X}").replace("0X", "0x"),
            ] {
                assert_eq!(parse::range(&printed), Ok(found.clone()), "{printed} for {text:?}");
            }
        }
        Err(message) => assert_presentable(&message),
    }
}

/// Returns the first number of a range and the one after its last; `None` if it is empty.
fn bounds(range: &RangeInclusive<u64>) -> Option<(u128, u128)> {
    (!range.is_empty()).then(|| (u128::from(*range.start()), u128::from(*range.end()) + 1))
}

/// Parses a range as `prime-fan range --help` describes it; `None` if the text is not a range.
fn read_range(text: &str) -> Option<Option<(u128, u128)>> {
    let all = 1u128 << 64;
    let dots = text.find("..")?;
    let number = |text: &str| read_number(text).flatten();
    let (start, end) = (&text[..dots], &text[dots + 2..]);
    let start = if start.is_empty() { 0 } else { number(start)? };
    let end = match end.chars().next() {
        None => all,
        // An overflow is beyond the last range anyway. An end before the start is rejected, also if it is only 1 less.
        Some('=') => number(&end[1..]).filter(|&last| last >= start)?.checked_add(1)?,
        Some('+') if end.starts_with("++") => return None,
        Some('+') => number(&end[1..])?.checked_add(start)?,
        Some(_) => number(end)?,
    };
    (start <= end && start < all && end <= all).then_some((start < end).then_some((start, end)))
}

/// Parses `1000`, `1_000`, `0x3e8`, `1e3`, `1e+3` or `10^3`, with or without a plus sign. `None`: not a number;
/// `Some(None)`: more than 128 bits.
pub(super) fn read_number(text: &str) -> Option<Option<u128>> {
    let text = text.strip_prefix('+').unwrap_or(text);
    let is_hex = text.starts_with("0x") || text.starts_with("0X");
    let is_digit = |character: Option<&char>| {
        character.is_some_and(|digit| if is_hex { digit.is_ascii_hexdigit() } else { digit.is_ascii_digit() })
    };
    let characters: Vec<char> = text.chars().collect();
    let between_digits = |at: usize| at > 0 && is_digit(characters.get(at - 1)) && is_digit(characters.get(at + 1));
    if (0..characters.len()).any(|at| characters[at] == '_' && !between_digits(at)) {
        return None;
    }
    let text = text.replace('_', "");
    if is_hex {
        let digits = &text[2..];
        if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        let significant = digits.trim_start_matches('0');
        let value = |value: u128, digit: char| value << 4 | u128::from(digit.to_digit(16).expect("it was looked at"));
        return Some((significant.len() <= 32).then(|| significant.chars().fold(0, value)));
    }
    let Some(sign) = text.find(['e', 'E']).or_else(|| text.find('^')) else { return decimal(&text) };
    let (left, right) = (&text[..sign], &text[sign + 1..]);
    let is_power = text.as_bytes()[sign] == b'^';
    let right = if is_power { right } else { right.strip_prefix('+').unwrap_or(right) };
    let (base, exponent) = (decimal(left)?, decimal(right)?);
    if !is_power {
        let zeros = exponent.filter(|&zeros| zeros <= 38);
        let nothing = base == Some(0);
        return Some(if nothing {
            base
        } else {
            zeros.and_then(|n| decimal(&format!("{left}{}", "0".repeat(n as usize)))?)
        });
    }
    Some(match (base, exponent) {
        (_, Some(0)) => Some(1),
        (Some(0 | 1), _) => base,
        (Some(base), Some(exponent @ ..=127)) => (0..exponent).try_fold(1u128, |power, _| power.checked_mul(base)),
        _ => None,
    })
}

/// Parses decimal digits. `Some(None)`: more than 128 bits.
fn decimal(text: &str) -> Option<Option<u128>> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok())
}

/// Checks that a time is the sum of its terms, and is the same when it is printed and parsed again.
pub fn duration(text: &str) {
    let found = parse::duration(text);
    match (&found, read_duration(text)) {
        (Ok(found), Some(nanos)) => assert_eq!(found.as_nanos(), nanos, "{text:?}"),
        (Ok(found), None) => panic!("{text:?} is taken for {found:?}"),
        // Not every fraction is a number of nanoseconds.
        (Err(_), Some(nanos)) => assert!(text.contains('.') || nanos > Duration::MAX.as_nanos() || has_wide_term(text)),
        (Err(message), None) => assert_presentable(message),
    }
    if let Ok(found) = found {
        let printed = humantime::format_duration(found).to_string();
        assert_eq!(parse::duration(&printed), Ok(found), "{printed} for {text:?}");
    }
}

/// Returns true if a term may have more than 64 bits, in its unit or in nanoseconds.
fn has_wide_term(text: &str) -> bool {
    text.split(|digit: char| !digit.is_ascii_digit()).any(|digits| digits.trim_start_matches('0').len() > 11)
}

/// Parses terms of digits, optionally a point and more digits, and a unit, with white space allowed between these.
/// Returns nanoseconds, rounded down.
fn read_duration(text: &str) -> Option<u128> {
    let mut total = 0u128;
    let mut rest = text.trim_start();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let unit_at = rest.find(|digit: char| !digit.is_ascii_digit() && digit != '.')?;
        let (number, unit_and_rest) = rest.split_at(unit_at);
        let unit_and_rest = unit_and_rest.trim_start();
        let unit_end =
            unit_and_rest.find(|c: char| !c.is_ascii_alphabetic() && c != 'µ').unwrap_or(unit_and_rest.len());
        let (unit, after) = unit_and_rest.split_at(unit_end);
        let unit = nanos(unit)?;
        let (whole, fraction) = match number.split_once('.') {
            Some((whole, fraction)) => (decimal(whole).flatten()?, Some(fraction)),
            None => (decimal(number).flatten()?, None),
        };
        total = total.saturating_add(whole.saturating_mul(unit));
        if let Some(fraction) = fraction {
            let numerator = decimal(fraction).flatten()?;
            let denominator = 10u128.checked_pow(fraction.len() as u32)?;
            total = total.saturating_add(numerator.checked_mul(unit)? / denominator);
        }
        rest = after.trim_start();
    }
    Some(total)
}

fn nanos(unit: &str) -> Option<u128> {
    const SECOND: u128 = 1_000_000_000;
    Some(match unit {
        "nanos" | "nsec" | "ns" => 1,
        "usec" | "us" | "µs" => 1000,
        "millis" | "msec" | "ms" => 1_000_000,
        "seconds" | "second" | "secs" | "sec" | "s" => SECOND,
        "minutes" | "minute" | "mins" | "min" | "m" => 60 * SECOND,
        "hours" | "hour" | "hrs" | "hr" | "h" => 3600 * SECOND,
        "days" | "day" | "d" => 86_400 * SECOND,
        "weeks" | "week" | "wks" | "wk" | "w" => 7 * 86_400 * SECOND,
        // 30.44 and 365.25 days.
        "months" | "month" | "M" => 2_630_016 * SECOND,
        "years" | "year" | "yrs" | "yr" | "y" => 31_557_600 * SECOND,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_longest_time_is_one_and_a_longer_one_is_refused() {
        for text in [
            "18446744073709551615s",
            "18446744073709551615s 999999999ns",
            "18446744073709551615s 1000ms",
            "18446744073709551615s 1000000000ns",
            "18446744073709551616s",
            "99999999999999999999999999999999999999999999 weeks",
        ] {
            duration(text);
        }
    }

    proptest! {
        #[test]
        fn a_whole_number_is_what_its_notation_says(
            text in "[+-]?[0-9_]{0,21}|[+-]?[0-9]{1,2}[eE^][0-9+]{1,3}|0[xX][0-9a-fA-F_]{0,17}|\\PC{0,5}",
             one in any::<u64>(), other in 0u64..300) {
            whole(&text, one.min(other), one.max(other));
            whole(&other.to_string(), 0, one);
        }

        #[test]
        fn a_range_is_what_its_notation_says(
            text in "(\\+?[0-9_]{1,3}([eE^][0-9+]{1,2})?|0[xX][0-9a-f_]{0,17}|)\\.\\.[=+]?([0-9]{1,22}|[0-9]e[0-9]{1,2}|2\\^6[345]|)",
            any in "\\PC{0,9}",
            ends in any::<[u64; 2]>(),
        ) {
            range(&text);
            range(&any);
            range(&format!("{any}..{any}"));
            range(&format!("{}..={}", ends[0], ends[1]));
        }

        #[test]
        fn a_time_is_the_sum_of_its_terms(
            text in "( ?[0-9]{1,20}(\\.[0-9]{1,3})? ?(ns|us|µs|ms|s|min|m|h|days|weeks|M|y|x)?){1,3} ?",
            any in "\\PC{0,9}",
        ) {
            duration(&text);
            duration(&any);
        }
    }
}
