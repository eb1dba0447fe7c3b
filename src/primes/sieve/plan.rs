//! How far to strike out, and in what parts: a model of what a sieve costs.

use super::presieve::PRESIEVED;

/// The most numbers of a segment, a multiple of 30: its 320 KiB stay in a second-level cache, and its primes are less than
/// 5 MB as decimal text.
pub(super) const MOST: u64 = 30 * 327_680;

/// The largest limit: primes up to here take 16 MB.
const LIMIT: u64 = 1 << 26;

/// How long a worker should take for a segment...
const LONG: f64 = 10e6;

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
    /// The most numbers of a segment: a multiple of 30.
    pub(super) span: u64,
}

impl Plan {
    /// The cheapest for a range that isn't empty.
    pub(super) fn new(start: u64, end: u64) -> Self {
        let root = end.isqrt();
        let least = u64::from(PRESIEVED[PRESIEVED.len() - 1]).min(root);
        let most = root.min(LIMIT);
        let powers =
            (0..).map(|i| 1 << i).skip_while(move |&limit| limit <= least).take_while(move |&limit| limit < most);
        let limits = [least].into_iter().chain(powers).chain([most]);
        let estimates = limits.map(|limit| Estimate::new(limit as u32, start, end));
        estimates.min_by(|a, b| a.cost.total_cmp(&b.cost)).expect("there are two limits or more").plan
    }

    /// The one for the primes up to `limit`, which are a base.
    pub(super) fn full(limit: u32) -> Self {
        Self { limit: limit.isqrt(), span: MOST.min(u64::from(limit) / 30 * 30 + 30) }
    }

    /// Up to which a prime has many multiples in a segment. Whole periods are struck out of these, which wastes one and a
    /// half periods of a byte for each number of the prime.
    pub(super) fn frequent(&self) -> u32 {
        (self.span / 30 / 2) as u32
    }
}

struct Estimate {
    plan: Plan,
    cost: f64,
}

impl Estimate {
    fn new(limit: u32, start: u64, end: u64) -> Self {
        let base = BASE * f64::from(limit);
        let segment = SEGMENT * primes(limit);
        let number = NUMBER + survivors(limit, end);

        let len = (end - start) as f64 + 1.0;
        // To a segment of less numbers than this, its start would be most of the work.
        let short = SHORT.max(segment) / number;
        let long = ((LONG - segment) / number).max(short);
        let longest = (len / SEGMENTS).clamp(short, long).clamp(30.0, MOST as f64) as u64 / 30;
        // All of the same length: a short one would cost a start too.
        let bytes = end / 30 - start / 30 + 1;
        let segments = bytes.div_ceil(longest);
        let span = 30 * bytes.div_ceil(segments);
        Self { plan: Plan { limit, span }, cost: base + segments as f64 * segment + len * number }
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
        Plan::new(start, start.saturating_add(len - 1))
    }

    fn is_full(plan: Plan, end: u64) -> bool {
        u64::from(plan.limit) >= end.isqrt()
    }

    #[test]
    fn long_ranges_are_sieved_in_full_as_far_as_memory_allows() {
        for start in [0, 1_000_000_000_000, 1_000_000_000_000_000, 4_000_000_000_000_000] {
            let plan = plan(start, 100_000_000);
            assert!(is_full(plan, start + 99_999_999), "{plan:?}");
        }
        for start in [1 << 53, 1_000_000_000_000_000_000, u64::MAX - 100_000_000] {
            let plan = plan(start, 100_000_000);
            assert!(!is_full(plan, start + 99_999_999) && u64::from(plan.limit) <= LIMIT, "{plan:?}");
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
                let Plan { span, limit } = plan(start, len);
                assert!((30..=MOST).contains(&span) && span.is_multiple_of(30));
                assert!(span < len + 60 && u64::from(limit) <= LIMIT);
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
