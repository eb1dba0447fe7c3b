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
use plan::Plan;
pub use segment::Segment;
pub use segments::Segments;

/// The primes of a range, segment by segment.
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
    #[must_use]
    pub fn new(range: RangeInclusive<u64>) -> Self {
        let plan = if range.is_empty() { Plan::full(0) } else { Plan::new(*range.start(), *range.end()) };
        Self::with(range, plan)
    }

    fn with(range: RangeInclusive<u64>, plan: Plan) -> Self {
        let base = Base::new(plan.limit, plan.frequent());
        Self { shared: Arc::new(Shared { range, plan, base }) }
    }

    /// The range in parts: the items to fan out. They come in ascending order, without gaps and without overlap.
    #[must_use]
    pub fn segments(&self) -> Segments {
        Segments::new(&self.shared.range, self.shared.plan.span)
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
