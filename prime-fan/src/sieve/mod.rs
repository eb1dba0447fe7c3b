//! The finder for ranges: a segmented sieve.

mod base;
mod bits;
mod multiples;
mod periods;
mod plan;
mod presieve;
mod segment;
mod segments;
mod wheel;

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use base::Base;
use plan::{MOST, Plan};
pub use segment::Segment;
pub use segments::Segments;

/// The primes of a range, segment by segment: the item to fan out is a segment.
///
/// A `Sieve` has what all workers read, and is cheap to clone. Each worker has a [`Segment`], the buffer in which it
/// sieves one of the [`segments`](Self::segments) after the other, in any order.
///
/// # Guarantees
///
/// - Any range of `u64` will do, up to and with [`u64::MAX`], and every answer is proved, not probable.
/// - The segments of a range are disjoint and have all of it; so the counts of the segments add up to that of the range,
///   and in [order](https://docs.rs/actix-fan/latest/actix_fan/struct.FanOut.html#method.ordered) their primes ascend.
/// - The base, of which there is one, takes a byte for each prime up to the root of the range's end that was needed so far:
///   5.8 MB near 10^16, 51 MB near 10^18, 203 MB at the end of `u64`. A [`Segment`] takes less than 3 MB.
///
/// # Costs
///
/// On one thread, at 3.65 GHz: a number costs 0.07 ns near 0, 0.2 ns near 10^12, 0.7 ns near 10^15, 1.4 ns near 10^16 and
/// 8 ns near 10^18. The primes up to the root must be found first, at 0.2 ns a number, and each is looked at for every
/// segment: that is what grows, so there [longer segments](Self::with_span) are cheaper, 4 ns a number near 10^18. Where a
/// range is too short for that, the sieve strikes out as much as pays and decides the rest by
/// [`is_prime`](super::is_prime): 20 ns a number near 10^18. A range of ten numbers costs a few microseconds anywhere. To
/// visit a prime costs 1.5 ns.
///
/// The first segment is done at once, wherever it lies. A later one is some milliseconds of work near 0, some tenths of a
/// second far from it, and less in a short range, so that there are segments for several workers. In none are primes of
/// more than 15 MB of decimal text.
///
/// # Algorithm
///
/// The sieve of Eratosthenes in segments, on a wheel modulo 30: 8 of 30 numbers are left without the
/// factors 2, 3 and 5, and are the bits of one byte. The multiples of primes up to 157 are combined from tables. A prime
/// below a sixtieth of the segment, and below 327,680, has its multiples struck out eight at a time, by the turn of the
/// wheel, in parts that fit a cache; a larger one by a row of odd multiples as long as a segment can have, without a branch
/// that depends on the prime. The larger ones are found in blocks, by the worker that needs a block first.
///
/// # Examples
///
/// How many primes and twins there are below two million:
///
/// ```
/// use actix_fan::{FanOutExt, Job, work_fn};
/// use futures::TryStreamExt;
/// use prime_fan::Sieve;
///
/// # actix::System::new().block_on(async {
/// let sieve = Sieve::new(0..=2_000_000);
/// let counts = sieve.segments().fan_out().ordered().with(move || {
///     let mut segment = sieve.segment(); // one a worker
///     work_fn(move |range, job: &mut Job<'_, (u64, u64)>| {
///         segment.fill(range);
///         job.emit((segment.count(), segment.count_twins()));
///         Ok(())
///     })
/// })?;
/// let add = |sum: (u64, u64), counts: (u64, u64)| async move { Ok((sum.0 + counts.0, sum.1 + counts.1)) };
/// assert_eq!(counts.try_fold((0, 0), add).await?, (148_933, 14_871));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
///
/// Without a pipeline:
///
/// ```
/// use prime_fan::Sieve;
///
/// let sieve = Sieve::new(1_000_000_000_000_000_000..=1_000_000_000_000_000_030);
/// let mut segment = sieve.segment();
/// let mut primes = Vec::new();
/// for range in sieve.segments() {
///     segment.fill(range);
///     primes.extend(segment.primes());
/// }
/// assert_eq!(primes, [1_000_000_000_000_000_003, 1_000_000_000_000_000_009]);
/// ```
#[derive(Clone)]
pub struct Sieve {
    shared: Arc<Shared>,
}

/// What all segments of a sieve read.
struct Shared {
    range: RangeInclusive<u64>,
    plan: Plan,
    base: Base,
}

impl Sieve {
    /// A sieve of `range`, both of its ends included, which may be any and may be empty.
    ///
    /// This takes less than a millisecond: the base is found by the workers, part by part, as they need it.
    #[must_use]
    pub fn new(range: RangeInclusive<u64>) -> Self {
        Self::with_span(range, MOST)
    }

    /// [`new`](Self::new), with segments of at most `span` numbers.
    ///
    /// To start a segment costs about 2 ns for each prime up to the root of its numbers, of which there are 50 million near
    /// 10^18: there, longer segments are cheaper. Each takes a byte for 30 numbers. What is chosen is at least 30, at most
    /// 2^30, and never longer than pays.
    #[must_use]
    pub fn with_span(range: RangeInclusive<u64>, span: u64) -> Self {
        let span = span.clamp(30, 1 << 30) / 30 * 30;
        let plan = if range.is_empty() { Plan::full(0) } else { Plan::new(*range.start(), *range.end(), span) };
        Self::with(range, plan)
    }

    fn with(range: RangeInclusive<u64>, plan: Plan) -> Self {
        let base = Base::new(&plan);
        Self { shared: Arc::new(Shared { range, plan, base }) }
    }

    /// The range in parts: the items to fan out. They come in ascending order, without gaps and without overlap.
    #[must_use]
    pub fn segments(&self) -> Segments {
        Segments::new(&self.shared.range, self.shared.plan)
    }

    /// A buffer to sieve the segments in, one after the other: each worker needs one.
    #[must_use]
    pub fn segment(&self) -> Segment {
        Segment::new(Arc::clone(&self.shared))
    }

    /// The most numbers that a segment has.
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
