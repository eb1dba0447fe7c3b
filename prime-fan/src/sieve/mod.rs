//! A segmented sieve, which finds the primes of a range.

mod base;
mod bits;
mod buckets;
mod caches;
mod large;
mod medium;
mod periods;
mod plan;
mod presieve;
mod segment;
mod segments;
mod slices;
mod tuplets;
mod wheel;

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use base::Base;
use plan::{MOST, Plan};
pub use segment::Segment;
pub use segments::Segments;
use slices::Slices;

/// A segmented sieve of Eratosthenes, whose segments several workers can sieve at the same time.
///
/// A `Sieve` has the data that all workers read, and is cheap to clone. Each worker has a [`Segment`], a buffer in
/// which it sieves one of the [`segments`](Self::segments) after the other, in any order.
///
/// # Guarantees
///
/// - Any range of `u64` is possible, up to and including [`u64::MAX`], and all primes are proven.
/// - The segments of a range are disjoint and cover it. So their counts add up to that of the range, and
///   [in order](https://docs.rs/actix-fan/latest/actix_fan/struct.FanOut.html#method.ordered) their primes ascend.
/// - Memory is bounded anywhere, whatever the length of the range: less than 95 MB that all workers share, of which none
///   is needed below 10^12 or in short ranges, and less than 10 MB per [`Segment`].
///
/// # Costs
///
/// On one thread, at 3.65 GHz:
///
/// | near | per number of a long range |
/// |---|---|
/// | 0 | 0.07 ns |
/// | 10^12 | 0.2 ns |
/// | 10^15 | 0.4 ns |
/// | 10^17 | 0.9 ns |
/// | 10^18 | 1.5 ns |
///
/// Far from 0 most of the time goes into the primes up to the square root of the range's end: their multiples are found
/// for some hundred million numbers at a time, by all workers together. In a short range far from 0 the sieve strikes
/// out the multiples of the smaller primes only, and tests the numbers that are left with [`is_prime`](super::is_prime):
/// 12 ns per number near 10^18. A range of ten numbers costs a few microseconds anywhere. To visit a prime that was found
/// costs 1.5 ns.
///
/// The first segment is short and done at once, wherever it lies. A later one takes some milliseconds near 0, some
/// tenths of a second far from it, and less in a short range, so that there are segments for several workers. The
/// primes of a segment have at most 15 MB of decimal text.
///
/// # Algorithm
///
/// The sieve of Eratosthenes in segments, on a wheel modulo 30: 8 of 30 numbers have none of the factors 2, 3 and 5,
/// and these are the bits of one byte.
///
/// - The multiples of primes up to 157 are copied from tables.
/// - Primes up to 12,288 strike out their multiples eight at a time, a turn of the wheel, in parts of the segment that fit
///   into a first-level cache.
/// - Primes up to about the numbers of bytes in a segment strike out their multiples from one to the next.
/// - The multiples of larger primes are sorted into buckets, by the 8 KiB of the sieve in which they are: a bucket sieve
///   in the manner of Oliveira e Silva, but without carrying primes from segment to segment, so that segments can be
///   sieved in any order.
///
/// # Examples
///
/// Count the primes and the twin primes below two million:
///
/// ```
/// use actix_fan::{FanOutExt, Job, work_fn};
/// use futures::TryStreamExt;
/// use prime_fan::Sieve;
///
/// # actix::System::new().block_on(async {
/// let sieve = Sieve::new(0..=2_000_000);
/// let counts = sieve.segments().fan_out().ordered().with(move || {
///     let mut segment = sieve.segment(); // one per worker
///     work_fn(move |range, job: &mut Job<'_, (u64, u64)>| {
///         segment.fill(range);
///         job.emit((segment.count(), segment.count_twins()));
///         Ok(())
///     })
/// })?;
/// let counts: Vec<(u64, u64)> = counts.try_collect().await?;
/// assert_eq!(counts.iter().map(|(primes, _)| primes).sum::<u64>(), 148_933);
/// assert_eq!(counts.iter().map(|(_, twins)| twins).sum::<u64>(), 14_871);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
///
/// Without a pipeline:
///
/// ```
/// use prime_fan::Sieve;
///
/// let start = 1_000_000_000_000_000_000;
/// let sieve = Sieve::new(start..=start + 30);
/// let mut segment = sieve.segment();
/// let mut primes = Vec::new();
/// for range in sieve.segments() {
///     segment.fill(range);
///     primes.extend(segment.primes());
/// }
/// assert_eq!(primes, [start + 3, start + 9]);
/// ```
#[derive(Clone)]
pub struct Sieve {
    shared: Arc<Shared>,
}

/// The data that all segments of a sieve read.
struct Shared {
    range: RangeInclusive<u64>,
    plan: Plan,
    base: Base,
    slices: Slices,
}

impl Sieve {
    /// Creates a sieve of `range`, both ends included. The range may be empty.
    ///
    /// This takes less than a millisecond: the workers find the base later, block by block, when they need it.
    #[must_use]
    pub fn new(range: RangeInclusive<u64>) -> Self {
        Self::with_span(range, MOST)
    }

    /// Creates a sieve as [`new`](Self::new) does, with segments of at most `span` numbers.
    ///
    /// To start a segment costs up to some milliseconds far from 0, so longer segments are cheaper there. A segment takes
    /// one byte per 30 numbers. `span` is limited to 30 to 2^30, and a segment is never longer than is useful.
    #[must_use]
    pub fn with_span(range: RangeInclusive<u64>, span: u64) -> Self {
        let span = span.clamp(30, 1 << 30) / 30 * 30;
        let plan = if range.is_empty() { Plan::full(0) } else { Plan::new(*range.start(), *range.end(), span) };
        Self::with(range, plan)
    }

    /// Creates a sieve for segments of `range` with at most `span` numbers, however they were cut: by a sieve of another
    /// machine, say, which has other caches and another number of processors.
    #[cfg(any(feature = "nats", test))]
    pub(crate) fn for_segments(range: RangeInclusive<u64>, span: u64) -> Self {
        let span = span.clamp(30, 1 << 30) / 30 * 30;
        let (start, end) = (*range.start(), *range.end());
        let plan = if range.is_empty() { Plan::full(0) } else { Plan::for_segments(start, end, span) };
        Self::with(range, plan)
    }

    /// Returns what decides where segments begin and end.
    #[cfg(feature = "nats")]
    pub(crate) fn cut(&self) -> impl fmt::Debug + use<> {
        self.shared.plan
    }

    fn with(range: RangeInclusive<u64>, plan: Plan) -> Self {
        let base = Base::new(&plan);
        let slices = Slices::new(*range.start(), plan.slice, base.large.tasks.len());
        Self { shared: Arc::new(Shared { range, plan, base, slices }) }
    }

    /// Returns the segments of the range, the items to fan out: in ascending order, without gaps and without overlap.
    #[must_use]
    pub fn segments(&self) -> Segments {
        Segments::new(&self.shared.range, self.shared.plan)
    }

    /// Returns the segments as [`segments`](Self::segments) does, but in descending order, from the last number down.
    #[must_use]
    pub fn segments_down(&self) -> Segments {
        Segments::down(&self.shared.range, self.shared.plan)
    }

    /// Returns a buffer in which to sieve segments, one after the other: each worker needs one.
    #[must_use]
    pub fn segment(&self) -> Segment {
        Segment::new(Arc::clone(&self.shared))
    }

    /// Returns the most numbers that a segment has.
    #[must_use]
    pub fn span(&self) -> u64 {
        self.shared.plan.span
    }
}

impl fmt::Debug for Sieve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sieve")
            .field("range", &self.shared.range)
            .field("span", &self.shared.plan.span)
            .field("limit", &self.shared.plan.limit)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
