//! The finder for ranges: a segmented sieve.

mod bits;
mod segment;
mod segments;
mod wheel;

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

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
    span: u64,
}

impl Sieve {
    /// A sieve of `range`, both of its ends included, which may be any and may be empty.
    #[must_use]
    pub fn new(range: RangeInclusive<u64>) -> Self {
        Self { shared: Arc::new(Shared { range, span: 30 * 32_768 }) }
    }

    /// The range in parts: the items to fan out. They come in ascending order, without gaps and without overlap.
    #[must_use]
    pub fn segments(&self) -> Segments {
        Segments::new(&self.shared.range, self.shared.span)
    }

    /// A buffer to sieve the segments in, one after the other: each worker needs one.
    #[must_use]
    pub fn segment(&self) -> Segment {
        Segment::new(Arc::clone(&self.shared))
    }

    /// The most numbers that a segment has.
    #[must_use]
    pub fn span(&self) -> u64 {
        self.shared.span
    }
}

impl fmt::Debug for Sieve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sieve")
            .field("range", &self.shared.range)
            .field("span", &self.shared.span)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
