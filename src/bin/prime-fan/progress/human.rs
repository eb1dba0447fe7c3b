//! Numbers for people.

use std::time::Duration;

/// Three digits and the prefix of a power of a thousand: `12.3 M`.
pub(super) fn short(number: f64) -> String {
    const PREFIXES: [&str; 7] = ["", " k", " M", " G", " T", " P", " E"];
    let mut scaled = number.max(0.0);
    let mut prefixes = PREFIXES.iter();
    let mut prefix = prefixes.next().expect("there are some");
    // What would be rounded to a thousand belongs to the next one.
    while scaled >= 999.5
        && let Some(next) = prefixes.next()
    {
        (scaled, prefix) = (scaled / 1000.0, next);
    }
    let digits = match prefix {
        &"" => 0,
        _ if scaled < 9.995 => 2,
        _ if scaled < 99.95 => 1,
        _ => 0,
    };
    format!("{scaled:.digits$}{prefix}")
}

/// A part from 0 to 1. It is not all before it is all.
pub(super) fn percent(part: f64) -> String {
    format!("{} %", (part.clamp(0.0, 1.0) * 100.0).floor())
}

/// Two units at most. `None` for what nobody waits for.
pub(super) fn time(time: Duration) -> Option<String> {
    const YEAR: u64 = 365 * 24 * 60 * 60;
    let text = humantime::format_duration(Duration::from_secs(time.as_secs())).to_string();
    (time.as_secs() < 100 * YEAR).then(|| text.split(' ').take(2).collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        for (number, text) in [
            (0.0, "0"),
            (7.4, "7"),
            (999.4, "999"),
            (999.6, "1.00 k"),
            (1234.0, "1.23 k"),
            (9_996.0, "10.0 k"),
            (99_960.0, "100 k"),
            (12_345_678.0, "12.3 M"),
            (999_600_000.0, "1.00 G"),
            (1.8e19, "18.0 E"),
        ] {
            assert_eq!(short(number), text);
        }
    }

    #[test]
    fn a_part_is_not_all_before_it_is_all() {
        assert_eq!([0.0, 0.428, 0.999, 1.0].map(percent), ["0 %", "42 %", "99 %", "100 %"]);
    }

    #[test]
    fn a_time_has_two_units_and_whole_seconds() {
        assert_eq!(time(Duration::from_millis(125_900)).unwrap(), "2m 5s");
        assert_eq!(time(Duration::from_millis(900)).unwrap(), "0s");
        assert_eq!(time(Duration::from_secs(100_000)).unwrap(), "1day 3h");
        assert_eq!(time(Duration::from_secs(1 << 40)), None);
    }
}
