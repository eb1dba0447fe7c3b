//! `prime-fan range`.

use prime_fan::is_prime;

use crate::program::{Running, run};

#[test]
fn a_range_has_the_primes_that_the_test_of_each_number_finds() {
    for start in [0, 4_294_960_000, 1_000_000_000_000, u64::MAX - 20_000] {
        for workers in [1, 3] {
            let ended = run(&format!("range {start}..+20001 --workers {workers}"));
            assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
            let expected: Vec<u64> = (start..=start + 20_000).filter(|&n| is_prime(n)).collect();
            assert_eq!(ended.numbers(), expected, "from {start}");
        }
    }
}

#[test]
fn many_segments_come_in_order_and_their_count_is_their_number() {
    let printed = run("range 1e9..+3e6 --workers 3");
    let numbers = printed.numbers();
    assert!(numbers.is_sorted());
    let counted = run("range 1e9..+3e6 --count --workers 3");
    assert_eq!(counted.numbers(), [numbers.len() as u64]);
}

#[test]
fn a_range_is_the_same_upwards_and_downwards() {
    for range in ["0..=5000", "1e12..+600_000", "18446744073709500000.."] {
        let mut down = run(&format!("range {range} --down --workers 3")).numbers();
        down.reverse();
        assert!(down == run(&format!("range {range} --workers 3")).numbers(), "{range}");
    }
}

#[test]
fn the_first_primes_are_the_beginning_of_all_of_them() {
    let all = run("range 1e12..+600_000").numbers();
    for number in [1, 2, 500, all.len() - 1, all.len(), all.len() + 1] {
        let first = run(&format!("range 1e12..+600_000 --number {number} --workers 2")).numbers();
        assert!(first == all[..number.min(all.len())], "{number}");
    }
}

#[test]
fn a_range_without_an_end_goes_on_until_the_reader_closes_the_pipe() {
    let mut running = Running::start("range 1e18..");
    assert_eq!(running.line(), "1000000000000000003");
    running.close_stdout();
    let ended = running.end();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
}

#[cfg(target_os = "linux")]
#[test]
fn a_reader_that_takes_its_time_costs_no_memory() {
    for format in ["text", "csv", "json"] {
        let mut running = Running::start(&format!("range 0.. --workers 2 --format {format}"));
        for _ in 0..300_000 {
            running.line();
        }
        assert!(running.peak_kib() < 64 * 1024, "{format}: {} KiB", running.peak_kib());
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_range_is_the_beginning_of_the_whole() {
    let mut running = Running::start("range 2..");
    assert_eq!(running.line(), "2");
    running.kill("-INT");
    let ended = running.end();
    assert_eq!(ended.signal, Some(2));
    let last = ended.numbers().last().copied().unwrap();
    let whole = run(&format!("range 3..={last}"));
    assert!(whole.stdout == ended.stdout);
}
