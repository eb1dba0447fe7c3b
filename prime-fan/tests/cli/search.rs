//! `prime-fan random`, and what searches print.

use prime_fan::is_prime;

use crate::program::{Running, prime_fan, run};

#[test]
fn ten_primes_and_a_summary_are_printed() {
    let ended = run("");
    assert_eq!(ended.code, Some(0));
    assert_eq!(ended.numbers().len(), 10);
    assert!(ended.numbers().into_iter().all(is_prime));
    let summary = &ended.stderr;
    assert_eq!(summary.lines().count(), 2, "{summary}");
    for part in
        ["prime-fan: ", " numbers tested by ", " worker", " s (", " numbers/s), 10 primes found, ", "-bound ", " %\n"]
    {
        assert!(summary.contains(part), "{part:?} in {summary:?}");
    }
}

#[test]
fn random_is_the_default_command() {
    let options = "--seed 5 --ordered --number 20";
    let numbers = run(options).numbers();
    assert_eq!(numbers.len(), 20);
    assert_eq!(run(&format!("random {options}")).numbers(), numbers);
}

#[test]
fn primes_have_the_bits_asked_for() {
    for bits in [2, 3, 31, 32, 33, 63, 64] {
        let ended = run(&format!("--number 200 --bits {bits}"));
        assert_eq!((ended.code, ended.numbers().len()), (Some(0), 200));
        assert!(ended.numbers().into_iter().all(|n| is_prime(n) && 64 - n.leading_zeros() == bits), "{bits} bits");
    }
}

#[test]
fn primes_lie_in_the_range_asked_for() {
    for (options, range) in [
        ("--min 90 --max 101", 90..=101),
        ("--max 3", 0..=3),
        ("--min 18446744073709551000", 18_446_744_073_709_551_000..=u64::MAX),
        ("--min 7 --max 7", 7..=7),
        ("--min 1e3 --max 2^32", 1000..=1 << 32),
        ("--min 0x10 --max +1_000 --tested 1e6", 16..=1000),
    ] {
        let ended = run(&format!("--number 50 {options}"));
        assert_eq!((ended.code, ended.numbers().len()), (Some(0), 50), "{options}");
        assert!(ended.numbers().into_iter().all(|n| is_prime(n) && range.contains(&n)), "{options}");
    }
}

#[test]
fn a_seed_and_an_order_print_the_same_with_any_number_of_workers() {
    for options in ["--number 5000", "--number 100000 --tested 30000"] {
        let with = |workers| run(&format!("--seed 7 --ordered {options} --workers {workers}"));
        let (one, three) = (with(1), with(3));
        assert!(!one.stdout.is_empty());
        assert_eq!((one.code, &one.stdout), (three.code, &three.stdout), "{options}");
    }
}

#[test]
fn another_seed_and_no_seed_print_something_else() {
    let with = |seed: &str| run(&format!("--ordered {seed}")).numbers();
    assert_ne!(with("--seed 1"), with("--seed 2"));
    assert_ne!(with(""), with(""));
}

#[test]
fn a_seed_that_was_drawn_is_told_and_repeats_the_run() {
    let drawn = run("--ordered -n 20");
    let seed = drawn.stderr.lines().last().and_then(|line| line.strip_prefix("prime-fan: ")).unwrap();
    let seed = seed.strip_suffix(" draws the same numbers again").unwrap();
    assert!(seed.starts_with("--seed "), "{seed}");
    let again = run(&format!("--ordered -n 20 {seed}"));
    assert_eq!(again.numbers(), drawn.numbers());
    // The user has given the seed, so it is not printed.
    assert_eq!(again.stderr.lines().count(), 1, "{}", again.stderr);
    assert!(run("-q").stderr.is_empty());
    let statistics = run("--ordered -n 20 --stats text").stderr;
    assert!(statistics.lines().any(|line| line.starts_with("seed       ")), "{statistics}");
}

#[test]
fn a_range_without_a_prime_is_refused_at_once() {
    for (options, message) in [
        ("--min 24 --max 28", "no number from 24 to 28 is prime: lower --min or raise --max"),
        ("--max 1", "no number from 0 to 1 is prime: lower --min or raise --max"),
        ("--min 18446744073709551558", "no number from 18446744073709551558 to 18446744073709551615 is prime"),
        ("--bits 1", "give a whole number from 2 to 64"),
    ] {
        let ended = run(options);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{options}");
        assert!(ended.stderr.contains(message), "{options}: {}", ended.stderr);
    }
}

#[test]
fn trial_division_finds_the_same_primes() {
    let by = |finder: &str| run(&format!("--bits 28 --seed 3 --ordered --number 300 --finder {finder}"));
    let (fast, trial) = (by("fast"), by("trial"));
    assert_eq!((fast.code, fast.numbers().len()), (Some(0), 300));
    assert_eq!(fast.stdout, trial.stdout);
}

#[test]
fn too_few_primes_are_printed_and_told() {
    let ended = run("--min 24 --max 29 --tested 1000 --number 999 --seed 1");
    assert_eq!(ended.code, Some(1));
    let found = ended.numbers().len();
    assert!(found > 0 && ended.numbers().into_iter().all(|n| n == 29));
    let (summary, message) = ended.stderr.split_once('\n').unwrap();
    assert!(summary.starts_with("prime-fan: 1000 numbers tested by "), "{summary}");
    assert_eq!(
        message.trim_end(),
        format!("prime-fan: 1000 numbers tested, {found} of 999 primes found: raise --tested to search longer")
    );
}

#[test]
fn as_many_primes_as_asked_for_are_enough_whatever_tested_says() {
    assert_eq!(run("--min 7 --max 7 --number 10 --tested 10").code, Some(0));
    assert_eq!(run("--min 7 --max 7 --number 11 --tested 10").code, Some(1));
}

/// Trial division takes seconds for the only prime of the range, which is drawn after some other numbers.
const RARE: &str = "--finder trial --min 18446744073709551557 --seed 1 --workers 1";

#[test]
fn a_search_that_finds_nothing_for_long_says_so() {
    let mut running = Running::start(RARE);
    let note = running.error_line();
    assert!(note.starts_with("prime-fan: ") && !note.starts_with("prime-fan: 0 "), "{note}");
    let end = " numbers tested, 0 of 10 primes found so far; --tested N gives up after N, Ctrl-C stops";
    assert!(note.ends_with(end), "{note}");
}

#[test]
fn quiet_leaves_the_primes_and_the_errors() {
    let ended = run("--quiet");
    assert_eq!((ended.code, ended.numbers().len(), ended.stderr.as_str()), (Some(0), 10, ""));
    let ended = run("random -q --tested 1 --number 2");
    assert_eq!((ended.code, ended.stderr.lines().count()), (Some(1), 1), "{}", ended.stderr);
}

#[test]
fn the_pipeline_is_logged_where_that_is_asked_for() {
    let started = "fan-out started: 2 workers";
    assert!(run("-v --workers 2").stderr.contains(started));
    assert!(!run("--workers 2").stderr.contains(started));
    let with = |level: &str, options: &str| {
        let output = prime_fan(&format!("--workers 2 {options}")).env("RUST_LOG", level).output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(with("actix_fan=info", "").contains(started));
    // -q and -v take precedence over RUST_LOG.
    assert_eq!(with("trace", "-q"), "");
    assert!(with("off", "-v").contains(started));
    assert!(!with("trace", "-v").contains("TRACE"));
}
