//! Ctrl-C and its kin.

use actix_fan::primes::is_prime;

use crate::program::{Running, run};

const ENDLESS: &str = "--count 18446744073709551615";

#[test]
fn a_signal_prints_what_was_found_and_the_summary() {
    for signal in ["-INT", "-TERM", "-HUP"] {
        for options in ["", "--ordered", "--finder trial --bits 30"] {
            let mut running = Running::start(&format!("{ENDLESS} {options}"));
            let first = running.line().parse().unwrap();
            running.kill(signal);
            let ended = running.end();
            assert_eq!(ended.code, Some(130), "{signal} {options}");
            assert!(is_prime(first) && ended.numbers().into_iter().all(is_prime));
            let summary = format!(", {} prime", ended.numbers().len() + 1);
            assert!(ended.stderr.contains(&summary), "{summary:?} in {:?}", ended.stderr);
            assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
        }
    }
}

#[test]
fn an_ordered_search_that_was_interrupted_has_printed_the_beginning_of_the_whole() {
    let options = "--seed 11 --ordered";
    let mut running = Running::start(&format!("{ENDLESS} {options}"));
    let first = running.line();
    running.kill("-INT");
    let printed = format!("{first}\n{}", running.end().stdout);
    let whole = run(&format!("--count {} {options} --workers 1", printed.lines().count()));
    assert!(whole.stdout == printed, "the drain left something out");
}

/// A range of one prime, which takes trial division seconds: they are all in flight when the note comes.
const LONG: &str = "--finder trial --min 18446744073709551557 --max 18446744073709551557 --workers 2";

#[test]
fn a_second_signal_leaves_at_once() {
    let mut running = Running::start(LONG);
    assert!(running.error_line().contains(" numbers tested, 0 of 10 primes found so far"));
    running.kill("-INT");
    assert!(running.error_line().contains("interrupt again to leave at once"));
    running.kill("-INT");
    let ended = running.end();
    assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (Some(130), "", ""));
}

#[test]
fn signals_work_while_nobody_reads_the_output() {
    let mut running = Running::start(ENDLESS);
    running.line();
    // Different ones, since two of a kind may arrive as one.
    running.kill("-INT");
    running.kill("-TERM");
    assert_eq!(running.code(), Some(130));
}

#[test]
fn a_signal_ends_a_search_that_finds_nothing() {
    let mut running = Running::start("--min 24 --max 28");
    running.error_line();
    running.kill("-INT");
    let ended = running.end();
    assert_eq!(ended.code, Some(130));
    assert!(ended.stderr.ends_with(", 0 primes found\n"), "{}", ended.stderr);
}

#[test]
fn a_signal_just_after_the_start_ends_it() {
    // Whether it comes before the handler, before the pipeline or while that runs is chance; it is never lost.
    for _ in 0..20 {
        let running = Running::start(&format!("{ENDLESS} --min 24 --max 28"));
        running.kill("-TERM");
        let ended = running.end();
        assert!(matches!(ended.code, None | Some(130)), "{ended:?}");
    }
}
