//! Tests of the whole sieve against the tests of single numbers.

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;

use super::caches::Caches;
use super::segments::Segments;
use super::*;
use crate::{is_prime, is_prime_by_trial_division};

/// Numbers near which the ranges of the tests lie.
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
fn tuplets_belong_to_the_segment_of_their_first() {
    fn found<const K: usize>(patterns: [&[u64]; 2]) {
        for whole in [0..=6000, (1 << 32) - 100..=(1 << 32) + 30_000, u64::MAX - 30_000..=u64::MAX] {
            let sieve = Sieve::new(whole.clone());
            let mut segment = sieve.segment();
            let mut tuplets = Vec::new();
            for start in whole.clone().step_by(7) {
                let end = start.saturating_add(6).min(*whole.end());
                segment.fill(start..=end);
                tuplets.extend(segment.tuplets::<K>());
                assert_eq!(segment.tuplets::<K>().count() as u64, segment.count_tuplets::<K>());
            }
            let is_found = |n: u64, d: u64| n.checked_add(d).is_some_and(|n| whole.contains(&n) && is_prime(n));
            let matching = |n: u64| patterns.into_iter().find(|pattern| pattern.iter().all(|&d| is_found(n, d)));
            let expected = whole.clone().filter_map(|n| {
                let pattern = matching(n)?;
                Some(std::array::from_fn(|i| n + pattern[i]))
            });
            assert!(tuplets.into_iter().eq(expected), "{whole:?}, {K}");
        }
    }
    found::<2>([&[0, 2], &[0, 2]]);
    found::<3>([&[0, 2, 6], &[0, 4, 6]]);
    found::<4>([&[0, 2, 6, 8], &[0, 2, 6, 8]]);
    found::<5>([&[0, 2, 6, 8, 12], &[0, 4, 6, 10, 12]]);
    found::<6>([&[0, 4, 6, 10, 12, 16], &[0, 4, 6, 10, 12, 16]]);
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

fn plan(limit: u32, span: u64) -> Plan {
    let caches = Caches::of_this_machine();
    Plan {
        limit,
        fixed: true,
        span,
        frequent: plan::frequent(span, caches),
        medium: 20_000,
        slice: 50,
        caches,
        segments: 8,
    }
}

fn primes_by(range: RangeInclusive<u64>, plan: Plan) -> Vec<u64> {
    let sieve = Sieve::with(range, plan);
    let mut segment = sieve.segment();
    let fill = |part| {
        segment.fill(part);
        segment.primes().collect::<Vec<_>>()
    };
    sieve.segments().flat_map(fill).collect()
}

#[test]
fn segments_that_another_machine_has_cut_are_sieved() {
    for (start, len, most) in
        [(0, 10_000_000, 30 << 20), (1_000_000_000_000, 3_000_000, 30 << 17), (u64::MAX - 99_999, 99_999, 3000)]
    {
        let range = start..=start + len;
        let own = Sieve::with_span(range.clone(), most);
        let mut segment = own.segment();
        let counts = own.segments().map(|part| {
            segment.fill(part);
            segment.count()
        });
        let expected: u64 = counts.sum();
        for (blocks, segments) in [(128 << 10, 8), (512 << 10, 64), (1 << 20, 8), (1 << 20, 1)] {
            let other = Plan::on(Caches { block: 36 << 10, blocks }, segments, start, start + len, most);
            let sieve = Sieve::for_segments(range.clone(), other.span);
            let mut segment = sieve.segment();
            let counts = Segments::new(&range, other).map(|part| {
                segment.fill(part);
                segment.count()
            });
            assert_eq!(counts.sum::<u64>(), expected, "{range:?} with {other:?}");
        }
    }
}

#[test]
fn every_limit_and_every_span_find_the_same() {
    for offset in OFFSETS {
        let range = near(offset, 1000);
        let expected: Vec<u64> = range.clone().filter(|&n| is_prime(n)).collect();
        let root = range.end().isqrt();
        for limit in [157, 158, 1000, 20_000, root].map(|limit| limit.min(root).min(1 << 20) as u32) {
            for span in [30, 90, 990, 3000, 300_000] {
                let plan = plan(limit, span);
                for (medium, slice) in [(0, 1), (1000, 2), (20_000, 1000), (u32::MAX, 1)] {
                    let plan = Plan { medium, slice, ..plan };
                    assert_eq!(primes_by(range.clone(), plan), expected, "{range:?} with {plan:?}");
                }
            }
        }
    }
}

#[test]
fn whole_periods_and_rows_of_multiples_find_the_same_in_a_long_segment() {
    for offset in [1u64 << 32, 1_000_000_000_000, 1_000_000_000_000_000, (1 << 52) + 12_345] {
        let range = offset..=offset + 1_999_999;
        let limit = offset.isqrt().min(1 << 20) as u32 + 1;
        let expected = primes_by(range.clone(), plan(limit, 29_970));
        assert_eq!(primes_by(range, plan(limit, plan::MOST)), expected, "{offset}");
    }
}

#[test]
fn the_primes_below_powers_of_ten_are_as_many_as_is_known() {
    for (end, pi, twins) in [(10, 4, 2), (100, 25, 8), (1_000_000, 78_498, 8169), (10_000_000, 664_579, 58_980)] {
        let sieve = Sieve::new(0..=end);
        let mut segment = sieve.segment();
        let counts = sieve.segments().map(|part| {
            segment.fill(part);
            (segment.count(), segment.count_twins())
        });
        assert_eq!(counts.fold((0, 0), |sum, counts| (sum.0 + counts.0, sum.1 + counts.1)), (pi, twins), "{end}");
    }
}

#[test]
fn a_part_of_a_segment_has_its_primes_only() {
    let sieve = Sieve::new(999_000..=1_001_000);
    let mut segment = sieve.segment();
    for start in 1_000_000..1_000_035 {
        for end in [start, start + 1, start + 29, start + 30, start + 700] {
            segment.fill(start..=end);
            assert!(segment.primes().eq((start..=end).filter(|&n| is_prime(n))), "{start}..={end}");
        }
    }
}

#[test]
fn a_segment_is_forgotten_by_the_next() {
    let sieve = Sieve::new(0..=1_000_000);
    let mut segment = sieve.segment();
    for part in [0..=5000, 0..=9, 999_000..=1_000_000, 3..=3, 4..=4, 0..=1] {
        segment.fill(part.clone());
        assert!(segment.primes().eq(part.filter(|&n| is_prime(n))));
    }
}

#[test]
fn external_iteration_yields_what_internal_does() {
    let sieve = Sieve::new(0..=100_000);
    let mut segment = sieve.segment();
    segment.fill(0..=30_000);
    for taken in [0, 1, 3, 4, 1000] {
        let mut primes = segment.primes();
        let mut all: Vec<u64> = primes.by_ref().take(taken).collect();
        primes.for_each(|prime| all.push(prime));
        assert!(all.into_iter().eq(segment.primes()), "{taken}");
    }
}

#[test]
fn the_largest_prime_is_found() {
    assert_eq!(primes(u64::MAX - 100..=u64::MAX).last(), Some(&18_446_744_073_709_551_557));
    assert!(primes(u64::MAX..=u64::MAX).is_empty());
}

#[test]
fn a_sieve_is_shared_and_its_segments_are_items() {
    fn is_shared<T: Clone + Send + Sync + 'static>(_: &T) {}
    fn is_sent<T: Send + 'static>(_: &T) {}
    let sieve = Sieve::new(0..=1);
    is_shared(&sieve);
    is_shared(&sieve.segments());
    is_sent(&sieve.segment());
}

#[test]
fn a_segment_that_gives_up_is_empty_and_can_be_filled_again() {
    for (range, span) in [(0..=1_000_000, 1_000_020), (1 << 60..=(1 << 60) + 20_000, 30_000)] {
        let expected: Vec<u64> = range.clone().filter(|&n| is_prime(n)).collect();
        // Only strikes; strikes and tests of numbers; almost only tests of numbers.
        for limit in [range.end().isqrt().min(10_000_000) as u32, 10_000, 157] {
            // A new sieve each time, since it sorts the multiples of the large primes once.
            let segment = || Sieve::with(range.clone(), plan(limit, span)).segment();
            let mut asked = 0;
            let mut filled = segment();
            assert!(filled.fill_unless(range.clone(), || {
                asked += 1;
                false
            }));
            assert!(asked > 0 && filled.primes().eq(expected.iter().copied()));
            for last in 1..=asked {
                let mut segment = segment();
                let mut left = last;
                assert!(!segment.fill_unless(range.clone(), || {
                    left -= 1;
                    left == 0
                }));
                assert_eq!((segment.count(), segment.primes().count(), segment.twins().count()), (0, 0, 0));
                segment.fill(range.clone());
                assert!(segment.primes().eq(expected.iter().copied()), "{range:?}, {limit}, {last}");
            }
        }
    }
}

/// Workers that need the same block of the base find it once.
#[test]
fn several_segments_share_one_base() {
    let range = 1_000_000_000_000_000..=1_000_000_000_999_999;
    let sieve = Sieve::with(range.clone(), plan(31_622_777, 1_000_020));
    let primes = || {
        let mut segment = sieve.segment();
        segment.fill(range.clone());
        segment.primes().collect::<Vec<_>>()
    };
    let (here, there) = std::thread::scope(|scope| {
        let there = scope.spawn(primes);
        (primes(), there.join().unwrap())
    });
    assert!(here == there && here.into_iter().eq(range.filter(|&n| is_prime(n))));
}

/// The whole base near 2^52, where it begins to exceed a cache, and far beyond.
#[test]
fn a_full_sieve_agrees_with_is_prime_far_from_0() {
    for start in [(1 << 52) - 30_000, 10_000_000_000_000_000] {
        let range: RangeInclusive<u64> = start..=start + 59_999;
        let limit = range.end().isqrt() as u32;
        assert!(primes_by(range.clone(), plan(limit, 60_000)).into_iter().eq(range.filter(|&n| is_prime(n))));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_ranges_agree_with_is_prime(n in any::<u64>(), shift in 0u32..64, len in 0u64..3000) {
        let start = n >> shift;
        let range = start..=start.saturating_add(len);
        let expected: Vec<u64> = range.clone().filter(|&n| is_prime(n)).collect();
        prop_assert_eq!(primes(range), expected);
    }

    /// Near numbers whose square roots pass powers of two, and at the end of `u64`, with any plan.
    #[test]
    fn random_windows_far_from_0_agree_with_is_prime(
        centre in prop::sample::select(vec![
            1 << 52, 10_000_000_000_000_000, 100_000_000_000_000_000, 1_000_000_000_000_000_000, 1 << 62, 1 << 63, u64::MAX,
        ]),
        before in 0u64..1 << 40,
        len in 0u64..5_000,
        span in 30u64..100_000,
        limit in 157u32..2_000_000,
    ) {
        let start = centre - before;
        let range = start..=start.saturating_add(len);
        let expected: Vec<u64> = range.clone().filter(|&n| is_prime(n)).collect();
        prop_assert_eq!(&primes(range.clone()), &expected);
        prop_assert_eq!(&primes_by(range, plan(limit, span / 30 * 30)), &expected);
    }

    /// The sizes of the processor's caches change the order of the strikes alone.
    #[test]
    fn caches_of_any_size_find_the_same(
        start in 0u64..20_000_000_000_000_000,
        shift in 0u32..54,
        len in 30u64..3_000_000,
        block in 1usize..100,
        blocks in 1usize..2000,
    ) {
        let start = start >> shift;
        let range = start..=start + len;
        let limit = range.end().isqrt().min(3_000_000) as u32;
        let span = 90_000 * 30;
        let plan = Plan { medium: limit, ..plan(limit, span) };
        let caches = Caches { block: block << 10, blocks: blocks << 10 };
        let other = Plan { frequent: plan::frequent(span, caches), caches, ..plan };
        prop_assert!(primes_by(range.clone(), other) == primes_by(range, plan));
    }

    /// The same primes strike out the same numbers, whether their multiples are sorted into buckets or struck out from
    /// one to the next, and whether one worker sieves the segments or several do, in any order.
    #[test]
    fn buckets_have_the_multiples_that_a_plain_sieve_strikes_out(
        start in 0u64..20_000_000_000,
        shift in 0u32..34,
        len in 30u64..3_000_000,
        span in 30u64..1_000_000,
        medium in 0u32..20_000,
        slice in 1u64..20,
        backwards in any::<bool>(),
    ) {
        let start = start >> shift;
        let range = start..=start + len;
        let limit = range.end().isqrt() as u32;
        let plan = Plan { medium, slice, ..plan(limit, (span / 30 * 30).max(len / 900 * 30).max(30)) };
        let expected = primes_by(range.clone(), Plan { medium: limit, ..plan });
        let sieve = Sieve::with(range, plan);
        let mut parts: Vec<_> = sieve.segments().collect();
        if backwards {
            parts.reverse();
        }
        let next = AtomicUsize::new(0);
        let worker = || {
            let mut segment = sieve.segment();
            let mut primes = Vec::new();
            while let Some(part) = parts.get(next.fetch_add(1, Ordering::Relaxed)) {
                segment.fill(part.clone());
                primes.extend(segment.primes());
            }
            primes
        };
        let mut primes = std::thread::scope(|scope| {
            let other = scope.spawn(worker);
            let mut primes = worker();
            primes.extend(other.join().unwrap());
            primes
        });
        primes.sort_unstable();
        prop_assert!(primes == expected);
    }
}
