//! Numbers, rates and times in a readable form.

use std::time::Duration;

/// Formats a number with three digits and an SI prefix: `12.3 M`.
pub(crate) fn short(number: f64) -> String {
    const PREFIXES: [&str; 7] = ["", " k", " M", " G", " T", " P", " E"];
    let mut scaled = number.max(0.0);
    let mut prefixes = PREFIXES.iter();
    let mut prefix = prefixes.next().expect("there are some");
    // A value that rounds to 1000 gets the next prefix.
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

/// Formats a number with its noun, singular or plural: `1 prime`, `3 primes`.
pub(crate) fn count(number: impl Into<u64>, nouns: [&str; 2]) -> String {
    let number = number.into();
    format!("{number} {}", nouns[usize::from(number != 1)])
}

/// Numbers per second.
pub(crate) fn rate(rate: f64) -> String {
    match rate {
        // A test takes 20 seconds and more.
        rate if rate < 0.05 => "0 numbers/s".to_owned(),
        rate if rate < 9.95 => format!("{rate:.1} numbers/s"),
        rate => format!("{} numbers/s", short(rate)),
    }
}

/// Joins the parts of a sentence that fit into `columns`, in their order. The parts of the lowest rank are left out
/// first; one part always stays.
pub(crate) fn fit(columns: usize, parts: &[(u8, String)]) -> String {
    let mut parts: Vec<&(u8, String)> = parts.iter().collect();
    loop {
        let text: String = parts.iter().map(|(_, text)| text.as_str()).collect();
        let text = text.trim_start_matches([',', ';', ' ']);
        if text.chars().count() <= columns || parts.len() <= 1 {
            return text.to_owned();
        }
        let least = parts.iter().enumerate().min_by_key(|(_, (rank, _))| rank).map(|(index, _)| index);
        parts.remove(least.expect("there are some"));
    }
}

/// Formats a part from 0 to 1 in percent, rounded down: 100 % is shown only when all is done.
pub(crate) fn percent(part: f64) -> String {
    format!("{} %", (part.clamp(0.0, 1.0) * 100.0).floor())
}

/// Formats a time with at most two units; `None` from 100 years on.
pub(crate) fn time(time: Duration) -> Option<String> {
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
    fn one_is_not_many() {
        let segments = ["segment", "segments"];
        assert_eq!([0u64, 1, 2].map(|number| count(number, segments)), ["0 segments", "1 segment", "2 segments"]);
    }

    #[test]
    fn a_slow_rate_has_a_decimal() {
        let rates = [0.0, 0.4, 9.94, 9.96, 1.2e9].map(rate);
        assert_eq!(rates, ["0 numbers/s", "0.4 numbers/s", "9.9 numbers/s", "10 numbers/s", "1.20 G numbers/s"]);
    }

    #[test]
    fn what_has_no_room_is_left_out_by_rank() {
        let parts = [(2, "7 tested"), (0, " by 2 workers"), (1, " in 3 s"), (3, ", 1 found")];
        let parts = parts.map(|(rank, text)| (rank, text.to_owned()));
        assert_eq!(fit(100, &parts), "7 tested by 2 workers in 3 s, 1 found");
        assert_eq!(fit(36, &parts), "7 tested in 3 s, 1 found");
        assert_eq!(fit(20, &parts), "7 tested, 1 found");
        assert_eq!(fit(10, &parts), "1 found");
        assert_eq!(fit(0, &parts), "1 found");
        assert_eq!(fit(0, &[]), "");
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
