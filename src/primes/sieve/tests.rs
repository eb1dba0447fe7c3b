//! The sieve as a whole, against the finders for one number.

use std::ops::RangeInclusive;

use super::*;
use crate::primes::{is_prime, is_prime_by_trial_division};

/// Near which the ranges of the tests lie.
const OFFSETS: [u64; 6] = [0, 1 << 32, 1_000_000_000_000, 1_000_000_000_000_000, 1 << 63, u64::MAX];

fn primes(range: RangeInclusive<u64>) -> Vec<u64> {
    let sieve = Sieve::new(range);
    let mut segment = sieve.segment();
    let mut primes = Vec::new();
    for part in sieve.segments() {
        let before = primes.len();
        segment.fill(part);
        primes.extend(segment.primes());
        assert_eq!((primes.len() - before) as u64, segment.count());
    }
    primes
}

fn near(offset: u64, radius: u64) -> RangeInclusive<u64> {
    offset.saturating_sub(radius)..=offset.saturating_add(radius)
}

#[test]
fn small_numbers_agree_with_trial_division() {
    assert!(primes(0..=20_000).into_iter().eq((0..=20_000).filter(|&n| is_prime_by_trial_division(n))));
}

#[test]
fn ranges_agree_with_is_prime_at_every_alignment() {
    for offset in OFFSETS {
        for start in near(offset, 17) {
            for end in near(offset, 17).filter(|&end| start <= end) {
                let expected: Vec<u64> = (start..=end).filter(|&n| is_prime(n)).collect();
                assert_eq!(primes(start..=end), expected, "{start}..={end}");
            }
        }
    }
}

#[test]
fn twins_belong_to_the_segment_of_their_first() {
    for offset in OFFSETS {
        for whole_end in near(offset, 20) {
            let whole = offset.saturating_sub(20)..=whole_end;
            let sieve = Sieve::new(whole.clone());
            let mut segment = sieve.segment();
            for border in whole.clone() {
                let mut twins = Vec::new();
                for part in [*whole.start()..=border, border.saturating_add(1)..=whole_end] {
                    if border == u64::MAX && *part.start() == border {
                        continue;
                    }
                    segment.fill(part);
                    twins.extend(segment.twins());
                    assert_eq!(segment.twins().count() as u64, segment.count_twins());
                }
                let pair = |n: u64| Some((n, n.checked_add(2)?));
                let expected: Vec<_> = whole
                    .clone()
                    .filter_map(pair)
                    .filter(|&(p, twin)| whole.contains(&twin) && is_prime(p) && is_prime(twin))
                    .collect();
                assert_eq!(twins, expected, "{whole:?} at {border}");
            }
        }
    }
}

#[test]
#[expect(clippy::reversed_empty_ranges)]
fn an_empty_range_has_nothing() {
    let sieve = Sieve::new(5..=3);
    let mut segment = sieve.segment();
    assert_eq!((segment.count(), segment.count_twins()), (0, 0));
    segment.fill(1..=0);
    assert_eq!((segment.primes().count(), segment.twins().count()), (0, 0));
    assert_eq!(sieve.segments().count(), 0);
}

#[test]
#[should_panic(expected = "is not within")]
fn a_range_outside_is_refused() {
    Sieve::new(10..=20).segment().fill(10..=21);
}

#[test]
#[should_panic(expected = "is longer than")]
fn a_range_longer_than_the_span_is_refused() {
    let sieve = Sieve::new(0..=u64::MAX);
    sieve.segment().fill(1..=sieve.span() + 1);
}
