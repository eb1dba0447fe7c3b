//! `prime-fan range` and `primesieve` find the same. The environment variable `PRIMESIEVE` names that program; otherwise it
//! is searched for in `PATH`. Where it is not found, these tests pass with a note.

use std::env;
use std::process::{Command, Stdio};

use crate::program::run;

/// Numbers after which, and around which, the windows lie.
const AT: [u64; 4] = [0, 1_000_000_000_000, 1_000_000_000_000_000, 1_000_000_000_000_000_000];
const AROUND: [u64; 3] = [1 << 32, 1 << 52, 94_906_265 * 94_906_265];

/// Returns windows of each width, with their ends: at each place, and the last ones of 64 bits.
fn windows(widths: &[u64]) -> Vec<(u64, u64)> {
    let of = |width: u64| {
        let after = AT.map(|start| (start, start + width - 1));
        let around = AROUND.map(|middle| (middle - width / 2, middle + width - width / 2 - 1));
        // The largest number that `primesieve` sieves.
        let last = (u64::MAX - 1 - (width - 1), u64::MAX - 1);
        after.into_iter().chain(around).chain([last])
    };
    widths.iter().flat_map(|&width| of(width)).collect()
}

/// Runs `primesieve`. Returns its output, or `None` if it is not installed.
fn primesieve(arguments: &[String]) -> Option<String> {
    let program = env::var_os("PRIMESIEVE").unwrap_or_else(|| "primesieve".into());
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let Ok(output) = output else {
        println!("skipped: primesieve is not installed");
        return None;
    };
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    Some(String::from_utf8(output.stdout).unwrap())
}

fn assert_same(windows: &[(u64, u64)], prints: bool) {
    for &(start, end) in windows {
        let window = [start.to_string(), end.to_string()];
        let peer = |option: &str| primesieve(&[&window[..], &[option.to_owned(), "--quiet".to_owned()]].concat());
        let Some(counts) = peer("-c123456") else { return };
        // A line is "Primes: 168".
        let expected: Vec<&str> = counts.lines().filter_map(|line| line.rsplit(' ').next()).collect();
        let ours = run(&format!("range {start}..={end} --count --tuplets 1,2,3,4,5,6 --workers 2")).stdout;
        let counted: Vec<&str> = ours.lines().filter_map(|line| line.rsplit(' ').next()).collect();
        assert_eq!(counted, expected, "{start}..={end}");
        if prints {
            assert!(Some(run(&format!("range {start}..={end} --workers 2")).stdout) == peer("-p1"), "{start}..={end}");
        }
    }
}

#[test]
fn forty_windows_have_the_primes_and_the_tuplets_that_primesieve_finds() {
    let windows = windows(&[1, 30, 1000, 10_007, 300_000]);
    assert_eq!(windows.len(), 40);
    assert_same(&windows, true);
}

/// With the whole sieve, of which narrow windows far from 0 have no need.
#[test]
#[ignore = "takes minutes"]
fn wide_windows_have_the_primes_and_the_tuplets_that_primesieve_finds() {
    assert_same(&windows(&[30_000_000]), true);
    assert_same(&[(0, 999_999_999), (1_000_000_000_000_000, 1_000_000_999_999_999)], false);
}
