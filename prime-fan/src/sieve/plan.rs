//! How far to strike out, and in what parts: a model of what a sieve costs.

use super::presieve::PRESIEVED;

/// The most numbers of a segment, a multiple of 30, unless the caller says otherwise: 1 MiB. Its primes are less than 6 MB
/// as decimal text near 0, where it isn't as long, and 15 MB near the end of `u64`.
pub(super) const MOST: u64 = 30 << 20;

/// How many numbers are in a block of the base's rare primes: a multiple of 30. A worker finds the primes of a block within a
/// millisecond, so it can stop between two blocks, and several workers find several blocks at the same time.
pub(super) const BLOCK: u64 = 30 << 17;

/// What segments have that cost little to start: their 320 KiB stay in a second-level cache.
const NEAR: f64 = (30 * 327_680) as f64;

/// The largest prime of which whole periods are struck out.
const FREQUENT: u32 = 327_680;

/// How many numbers the first segment has: a reader who wants one prime gets it at once.
const FIRST: u64 = 30 << 9;

/// How many times as long as all segments before it a segment may be.
const GROWTH: u64 = 7;

/// How long a worker should take for a segment...
const LONG: f64 = 10e6;

/// ... unless its start takes more than this part of it...
const START: f64 = 0.2;

/// ... or less, so that a range has so many segments...
const SEGMENTS: f64 = 32.0;

/// ... but not less than this, which is long to a pipeline.
const SHORT: f64 = 100e3;

// Costs in nanoseconds on one thread, measured on an EPYC with 3.65 GHz.

/// To find the base, for each number up to the limit.
const BASE: f64 = 0.2;

/// To start a segment, for each prime up to the limit.
const SEGMENT: f64 = 3.0;

/// To strike out, for each number of the range: 0.07 at its least.
const NUMBER: f64 = 0.15;

/// To decide a prime, and a composite without small factors.
const PRIME: f64 = 600.0;
const COMPOSITE: f64 = 250.0;

/// What a sieve does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Plan {
    /// Multiples of primes up to this are struck out.
    pub(super) limit: u32,
    /// Whether that holds for every segment. Otherwise it is the most, and what is cheapest for the segment counts.
    pub(super) fixed: bool,
    /// Up to which a prime has many multiples in a segment. Whole periods are struck out of these, which wastes one and a
    /// half periods of a byte for each number of the prime.
    pub(super) frequent: u32,
    /// The most numbers of a segment: a multiple of 30.
    pub(super) span: u64,
}

impl Plan {
    /// The cheapest for a range that isn't empty, in segments of at most `most` numbers.
    pub(super) fn new(start: u64, end: u64, most: u64) -> Self {
        let len = (end - start) as f64 + 1.0;
        // Where a long range begins; segments further on are looked at for themselves.
        let there = end.min(start.saturating_add(most));
        let root = there.isqrt() as u32;
        let estimates = limits(root).map(|limit| {
            let cost = Cost::of(limit, there);
            let span = cost.span(len, most);
            let segments = (len / span as f64).ceil();
            (limit, BASE * f64::from(limit) + segments * cost.segment + len * cost.number)
        });
        let (limit, _) = estimates.min_by(|(_, a), (_, b)| a.total_cmp(b)).expect("there is a limit");
        // As far as it pays to find primes that strike.
        let limit = if limit == root { end.isqrt() as u32 } else { limit };
        let span = [there, end].map(|end| Cost::of(limit.min(end.isqrt() as u32), end).span(len, most));
        let span = span[0].max(span[1]);
        Self { limit, fixed: false, frequent: frequent(span), span }
    }

    /// The one to find all primes up to `limit`, which are a base.
    pub(super) fn full(limit: u32) -> Self {
        let span = BLOCK.min(u64::from(limit) / 30 * 30 + 30);
        // None of its own primes is rare: this base needs no other.
        Self { limit: limit.isqrt(), fixed: true, frequent: limit.isqrt(), span }
    }

    /// How many numbers are to be in the segment that begins with `start`, when the range is `first..=end`: not
    /// necessarily so many are left.
    pub(super) fn next(&self, first: u64, start: u64, end: u64) -> u64 {
        let there = end.min(start.saturating_add(self.span - 1));
        let limit = self.limit(self.span, there);
        let longest = Cost::of(limit, there).span((end - first) as f64 + 1.0, self.span) / 30;
        // All of the same length: a short one would cost a start too.
        let bytes = end / 30 - start / 30 + 1;
        let even = 30 * bytes.div_ceil(bytes.div_ceil(longest));
        even.min((start - first).saturating_mul(GROWTH).max(FIRST) / 30 * 30)
    }

    /// Up to which primes are to strike in a segment of `len` numbers of which the last is `end`.
    pub(super) fn limit(&self, len: u64, end: u64) -> u32 {
        let most = self.limit.min(end.isqrt() as u32);
        if self.fixed {
            return most;
        }
        let costs = limits(most).map(|limit| {
            let cost = Cost::of(limit, end);
            (limit, cost.segment + len as f64 * cost.number)
        });
        costs.min_by(|(_, a), (_, b)| a.total_cmp(b)).expect("there is a limit").0
    }
}

/// Those to choose from, of which the last is `most`.
fn limits(most: u32) -> impl Iterator<Item = u32> {
    let least = PRESIEVED[PRESIEVED.len() - 1].min(most);
    let powers =
        (0..32).map(|i| 1 << i).skip_while(move |&limit| limit <= least).take_while(move |&limit| limit < most);
    [least].into_iter().chain(powers).chain([most])
}

/// [`Plan::frequent`] of segments of so many numbers.
pub(super) fn frequent(span: u64) -> u32 {
    (span / 30 / 2).min(u64::from(FREQUENT)) as u32
}

/// What segments cost when the primes up to a limit strike.
struct Cost {
    /// To start one.
    segment: f64,
    /// A number.
    number: f64,
}

impl Cost {
    fn of(limit: u32, end: u64) -> Self {
        Self { segment: SEGMENT * primes(limit), number: NUMBER + survivors(limit, end) }
    }

    /// How many numbers a segment should have at most, in a range of `len`.
    fn span(&self, len: f64, most: u64) -> u64 {
        // To a segment of less numbers than this, its start would be most of the work.
        let short = SHORT.max(self.segment) / self.number;
        let far = self.segment / START / self.number;
        let long = (LONG / self.number).min(NEAR).max(far).max(short);
        (len / SEGMENTS).clamp(short, long).clamp(30.0, most as f64) as u64 / 30 * 30
    }
}

/// What it costs to decide one by one what has no factor up to `limit`: the cost a number of the range.
fn survivors(limit: u32, end: u64) -> f64 {
    let root = end.isqrt();
    if u64::from(limit) >= root {
        return 0.0;
    }
    let primes = 1.0 / (end as f64).ln();
    // Mertens' third theorem.
    let left = 0.5615 / f64::from(limit).ln();
    PRIME * primes + COMPOSITE * (left - primes).max(0.0)
}

/// About how many primes there are up to `n`.
fn primes(n: u32) -> f64 {
    let n = f64::from(n.max(100));
    n / (n.ln() - 1.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(start: u64, len: u64) -> Plan {
        Plan::new(start, start.saturating_add(len - 1), MOST)
    }

    fn is_full(plan: Plan, end: u64) -> bool {
        u64::from(plan.limit) >= end.isqrt()
    }

    #[test]
    fn long_ranges_are_sieved_in_full() {
        for start in [0, 1_000_000_000_000, 1_000_000_000_000_000, 1 << 52, 1_000_000_000_000_000_000] {
            let plan = plan(start, 1_000_000_000);
            assert!(is_full(plan, start + 999_999_999), "{plan:?}");
        }
        // However far it goes on.
        for start in [1, 1_000_000_000_000_000] {
            let plan = Plan::new(start, u64::MAX, MOST);
            assert_eq!(plan.limit(MOST, start + MOST), (start + MOST).isqrt() as u32);
        }
    }

    /// No root at which what a number costs leaps up.
    #[test]
    fn the_cost_grows_with_the_primes_and_the_width_alone() {
        let mut before = f64::INFINITY;
        for shift in 60..128 {
            let end = 2f64.powf(f64::from(shift) / 2.0).min(u64::MAX as f64) as u64;
            let len = 1_000_000_000;
            let plan = plan(end - len + 1, len);
            let cost = Cost::of(plan.limit(plan.span, end), end);
            let a_number = cost.number + cost.segment / plan.span as f64;
            assert!(a_number < 2.0 * before, "{a_number} ns a number below {end}, {before} a bit before: {plan:?}");
            before = a_number;
        }
    }

    #[test]
    fn short_ranges_are_not_made_to_wait_for_a_base() {
        for start in [1_000_000_000_000, 1_000_000_000_000_000, 1_000_000_000_000_000_000] {
            assert!(plan(start, 10).limit < 200);
            assert!(plan(start, 1000).limit < 5000);
        }
    }

    #[test]
    fn a_segment_is_never_longer_than_a_buffer() {
        for start in [0, 1 << 32, 1 << 50, 1 << 63] {
            for len in (0..63).map(|i| 1 << i) {
                let Plan { span, .. } = plan(start, len);
                assert!((30..=MOST).contains(&span) && span.is_multiple_of(30));
            }
        }
        assert!(plan(0, u64::MAX).span <= MOST);
    }

    #[test]
    fn a_range_of_a_moment_has_segments_for_several_workers() {
        for (start, len) in [(0, 100_000_000), (1_000_000_000_000, 100_000_000), (1_000_000_000_000_000_000, 1_000_000)]
        {
            let plan = plan(start, len);
            assert!(len / plan.span >= 16, "{start}: {plan:?}");
        }
    }
}
