//! Plans a sieve by a model of its costs: up to which prime to strike out, and how long segments and slices are.

use std::num::NonZero;
use std::ops::RangeInclusive;
use std::sync::OnceLock;
use std::thread;

use super::buckets::NUMBERS;
use super::caches::Caches;
use super::presieve::PRESIEVED;

/// The most numbers of a segment, unless the caller sets another span: a multiple of 30, for 1 MiB. The primes of a
/// segment have less than 12 MB of decimal text near 0, where segments are shorter, and 15 MB near the end of `u64`.
pub(super) const MOST: u64 = 30 << 20;

/// How many numbers are in a block of the base's large primes: a multiple of 30. A worker finds the primes of a block
/// within a millisecond, so it can stop between two blocks, and several workers find several blocks at the same time.
pub(super) const BLOCK: u64 = 30 << 17;

/// The limit of the medium primes is between these, ...
const MEDIUM: [u64; 2] = [1 << 18, 40 << 20];

/// ... and about this many times the bytes of a segment: then the largest have one multiple in a segment.
const PER_BYTE: u64 = 8;

/// About the most multiples in a slice, which take two bytes each.
const MULTIPLES: f64 = 28e6;

/// The most buckets of a slice: its numbers are an `i32`.
const BUCKETS: u64 = 8192;

/// About the most multiples in a task, which takes a millisecond then, and more while memory is new.
const TASK: f64 = 250e3;

/// A segment with fewer numbers than this does not wait for a slice.
const SLICED: u64 = 1 << 21;

/// The numbers of the first segment: few, so that the first prime is found at once.
const FIRST: u64 = 30 << 9;

/// A segment may be this many times as long as all segments before it together.
const GROWTH: u64 = 7;

/// The time that a segment should take, in nanoseconds, ...
const LONG: f64 = 10e6;

/// ... longer if its start would take more than this part of it, ...
const START: f64 = 0.05;

/// ... shorter so that a range has this many segments per processor, ...
const SEGMENTS: usize = 4;

/// ... but at least this long, so that the cost per item of the pipeline does not matter.
const SHORT: f64 = 100e3;

// Costs in nanoseconds on one thread, measured on an EPYC at 3.65 GHz.

/// To find the base, per number up to the limit.
const BASE: f64 = 0.2;

/// To start a segment, per medium prime.
const SEGMENT: f64 = 8.0;

/// To find the first multiple in a slice, per large prime.
const SLICE: f64 = 3.5;

/// To put a multiple into a bucket, and to strike it out.
const MULTIPLE: f64 = 3.5;

/// To strike out, per number of the range: at least 0.07.
const NUMBER: f64 = 0.15;

/// To test a prime, and a composite without small factors.
const PRIME: f64 = 320.0;
const COMPOSITE: f64 = 120.0;

/// The parameters of a sieve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Plan {
    /// Multiples of primes up to this are struck out.
    pub(super) limit: u32,
    /// True if `limit` holds for every segment. Otherwise each segment uses the cheapest limit up to it.
    pub(super) fixed: bool,
    /// Primes up to this are frequent: they have many multiples in a segment, and whole periods of these are struck
    /// out. That strikes one and a half periods of `p` bytes in vain.
    pub(super) frequent: u32,
    /// Primes up to this that are not frequent are medium, and larger ones are large.
    pub(super) medium: u32,
    /// The most numbers of a segment: a multiple of 30.
    pub(super) span: u64,
    /// How many buckets a slice has.
    pub(super) slice: u64,
    pub(super) caches: Caches,
    /// How many segments the range should have, if they can be long enough.
    pub(super) segments: u32,
}

impl Plan {
    /// Returns the cheapest plan for a range that is not empty, in segments of at most `most` numbers.
    pub(super) fn new(start: u64, end: u64, most: u64) -> Self {
        Self::on(Caches::of_this_machine(), segments(), start, end, most)
    }

    /// Returns the plan for segments of at most `span` numbers that were cut elsewhere, by a plan of another machine.
    #[cfg(any(feature = "nats", test))]
    pub(super) fn for_segments(start: u64, end: u64, span: u64) -> Self {
        let plan = Self::new(start, end, span);
        Self { span, frequent: frequent(span, plan.caches), ..plan }
    }

    /// Returns the plan of a machine with these caches, and processors for so many segments.
    pub(super) fn on(caches: Caches, segments: u32, start: u64, end: u64, most: u64) -> Self {
        let len = (end - start) as f64 + 1.0;
        // The estimate is for the beginning of a long range; `limit` chooses for later segments.
        let there = end.min(start.saturating_add(most));
        let root = there.isqrt() as u32;
        let medium = medium(len as u64, most, segments);
        let longest = |cost: &Cost| cost.span(len, most, caches, segments);
        let estimates = limits(root).map(|limit| {
            let cost = Cost::of(limit, there, len, medium);
            let count = (len / longest(&cost) as f64).ceil();
            (limit, BASE * f64::from(limit) + count * cost.segment + len * cost.number)
        });
        let (limit, _) = estimates.min_by(|(_, a), (_, b)| a.total_cmp(b)).expect("there is a limit");
        // If all primes up to the root are worth it at the beginning, they are worth it up to the end of the range.
        let limit = if limit == root { end.isqrt() as u32 } else { limit };
        let span = [there, end].map(|end| longest(&Cost::of(limit.min(end.isqrt() as u32), end, len, medium)));
        let span = span[0].max(span[1]);
        // Slices of the same length.
        let buckets = end / NUMBERS - start / NUMBERS + 1;
        let slice = buckets.div_ceil(buckets.div_ceil(slice(limit, medium)));
        Self { limit, fixed: false, frequent: frequent(span, caches), medium, span, slice, caches, segments }
    }

    /// Returns the plan to find all primes up to `limit`, for a base.
    pub(super) fn full(limit: u32) -> Self {
        let span = BLOCK.min(u64::from(limit) / 30 * 30 + 30);
        // All of its own primes are frequent, so that this base needs no further one.
        let (root, caches) = (limit.isqrt(), Caches::of_this_machine());
        let segments = segments();
        Self { limit: root, fixed: true, frequent: root, medium: root, span, slice: 1, caches, segments }
    }

    /// Returns the limit of the medium primes whose multiples are struck out block by block, since they have several in a
    /// block.
    pub(super) fn narrow(&self) -> u32 {
        3 * self.caches.blocks as u32
    }

    /// Returns the length of the segment that begins with `start`, for the range `first..=end`. Fewer numbers may be
    /// left.
    pub(super) fn next(&self, first: u64, start: u64, end: u64) -> u64 {
        let there = end.min(start.saturating_add(self.span - 1));
        let len = self.len(there, start - first, (start, end));
        // A segment has whole buckets, unless it is short.
        let over = (start - start % 30).saturating_add(len) % NUMBERS;
        if len > 4 * NUMBERS { len - over } else { len }
    }

    /// Returns the first number of the segment that ends with `end`, for the range `start..=last` that is sieved
    /// downwards. It may be below the range.
    pub(super) fn next_down(&self, last: u64, start: u64, end: u64) -> u64 {
        let len = self.len(end, last - end, (start, end));
        // Its last byte may be a part, which is one of the `len / 30`.
        let first = (end / 30 + 1).saturating_sub(len / 30) * 30;
        if len > 4 * NUMBERS { first.next_multiple_of(NUMBERS) } else { first }
    }

    /// Returns the length of a segment near `there`, after `done` numbers, if those from `start` to `end` are left.
    fn len(&self, there: u64, done: u64, (start, end): (u64, u64)) -> u64 {
        let limit = self.limit(self.span, there);
        let numbers = (end - start).saturating_add(done) as f64 + 1.0;
        let cost = Cost::of(limit, there, self.slice_numbers(), self.medium);
        let longest = cost.span(numbers, self.span, self.caches, self.segments) / 30;
        // All segments of the same length, since a short last one would cost as much to start.
        let bytes = end / 30 - start / 30 + 1;
        let even = 30 * bytes.div_ceil(bytes.div_ceil(longest));
        even.min(done.saturating_mul(GROWTH).max(FIRST) / 30 * 30)
    }

    /// Returns the limit of the primes that strike in a segment of `len` numbers, the last of which is `end`.
    pub(super) fn limit(&self, len: u64, end: u64) -> u32 {
        let most = self.limit.min(end.isqrt() as u32);
        if self.fixed || (most > self.medium && len >= SLICED.min(self.span / 2)) {
            return most;
        }
        let costs = limits(most.min(self.medium)).map(|limit| {
            let cost = Cost::of(limit, end, len as f64, self.medium);
            (limit, cost.segment + len as f64 * cost.number)
        });
        costs.min_by(|(_, a), (_, b)| a.total_cmp(b)).expect("there is a limit").0
    }

    fn slice_numbers(&self) -> f64 {
        (self.slice * NUMBERS) as f64
    }

    /// Returns the large primes, which are those larger than `above`, in parts for which it takes about as long to put
    /// their multiples in a slice into buckets.
    pub(super) fn tasks(&self, above: u32) -> Box<[RangeInclusive<u32>]> {
        let mut tasks = Vec::new();
        let mut from = u64::from(above) + 1;
        while from <= u64::from(self.limit) {
            let most = (from as f64).ln() * (TASK / WHEEL / self.slice_numbers()).exp();
            let to = (most.exp() as u64).max(from + 1000).min(from / BLOCK * BLOCK + BLOCK - 1).min(self.limit.into());
            tasks.push(from as u32..=to as u32);
            from = to + 1;
        }
        tasks.into()
    }
}

/// The part of the numbers that is on the wheel.
const WHEEL: f64 = 8.0 / 30.0;

/// Returns about how many multiples of primes in `from..to` are on the wheel, per number.
fn multiples(from: u32, to: u32) -> f64 {
    WHEEL * (f64::from(to.max(from)).ln() / f64::from(from).ln()).ln()
}

/// Returns [`Plan::segments`] for the processors of this machine.
fn segments() -> u32 {
    static PROCESSORS: OnceLock<usize> = OnceLock::new();
    let processors = PROCESSORS.get_or_init(|| thread::available_parallelism().map_or(1, NonZero::get));
    (SEGMENTS * (*processors).clamp(2, 16)) as u32
}

/// Returns [`Plan::medium`] for a range of `len` numbers in segments of at most `most`.
fn medium(len: u64, most: u64, segments: u32) -> u32 {
    let bytes = most.min(len / u64::from(segments)) / 30;
    (bytes * PER_BYTE).clamp(MEDIUM[0], MEDIUM[1]) as u32
}

/// Returns the most buckets that a slice should have.
fn slice(limit: u32, medium: u32) -> u64 {
    let numbers = MULTIPLES / multiples(medium, limit).max(1e-9);
    (numbers as u64 / NUMBERS).clamp(1, BUCKETS)
}

/// Returns the limits to choose from; the last is `most`.
fn limits(most: u32) -> impl Iterator<Item = u32> {
    let least = PRESIEVED[PRESIEVED.len() - 1].min(most);
    let powers =
        (0..32).map(|i| 1 << i).skip_while(move |&limit| limit <= least).take_while(move |&limit| limit < most);
    [least].into_iter().chain(powers).chain([most])
}

/// Returns [`Plan::frequent`] for segments of `span` numbers.
pub(super) fn frequent(span: u64, caches: Caches) -> u32 {
    // Half a block: a period fits into a first-level cache.
    (span / 30).min(caches.block as u64) as u32 / 2
}

/// The costs of segments in which the primes up to a limit strike.
struct Cost {
    /// To start a segment.
    segment: f64,
    /// Per number.
    number: f64,
}

impl Cost {
    /// `len` is how many numbers share slices.
    fn of(limit: u32, end: u64, len: f64, medium: u32) -> Self {
        let slice = len.min((slice(limit, medium) * NUMBERS) as f64);
        let large = SLICE * (primes(limit) - primes(limit.min(medium))) / slice + MULTIPLE * multiples(medium, limit);
        Self { segment: SEGMENT * primes(limit.min(medium)), number: NUMBER + survivors(limit, end) + large }
    }

    /// Returns the most numbers that a segment should have, in a range of `len` numbers that should have so many segments.
    fn span(&self, len: f64, most: u64, caches: Caches, segments: u32) -> u64 {
        // A segment that costs little to start fits into a second-level cache.
        let near = 30.0 * caches.blocks as f64 * 0.625;
        // In a shorter segment, the start would be most of the work.
        let short = SHORT.max(self.segment) / self.number;
        let far = self.segment / START / self.number;
        let long = (LONG / self.number).min(near).max(far).max(short);
        (len / f64::from(segments)).clamp(short, long).clamp(30.0, most as f64) as u64 / 30 * 30
    }
}

/// Returns the cost of testing the numbers without a factor up to `limit`, per number of the range.
fn survivors(limit: u32, end: u64) -> f64 {
    let root = end.isqrt();
    if u64::from(limit) >= root {
        return 0.0;
    }
    let primes = 1.0 / (end as f64).ln();
    // The share of numbers without a factor up to `limit`, by Mertens' third theorem.
    let left = 0.5615 / f64::from(limit).ln();
    PRIME * primes + COMPOSITE * (left - primes).max(0.0)
}

/// Returns about how many primes there are up to `n`.
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
        // Ranges up to the end of `u64`.
        for start in [1, 1_000_000_000_000_000] {
            let plan = Plan::new(start, u64::MAX, MOST);
            assert_eq!(plan.limit(MOST, start + MOST), (start + MOST).isqrt() as u32);
        }
    }

    /// The cost per number has no jump at any size of the range's numbers.
    #[test]
    fn the_cost_grows_with_the_primes_and_the_width_alone() {
        let mut before = f64::INFINITY;
        for shift in 60..128 {
            let end = 2f64.powf(f64::from(shift) / 2.0).min(u64::MAX as f64) as u64;
            let len = 1_000_000_000;
            let plan = plan(end - len + 1, len);
            let cost = Cost::of(plan.limit(plan.span, end), end, plan.slice_numbers(), plan.medium);
            let per_number = cost.number + cost.segment / plan.span as f64;
            assert!(per_number < 2.0 * before, "{per_number} ns per number below {end}, {before} before: {plan:?}");
            before = per_number;
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
            assert!(len / plan.span >= 8, "{start}: {plan:?}");
        }
    }
}
