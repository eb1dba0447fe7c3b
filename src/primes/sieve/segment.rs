//! A worker's part of the sieve.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::Shared;
use super::bits::{Bits, Twins};
use super::wheel::{BIT, bits_from};
use crate::primes::is_prime;

/// One segment at a time, sieved in a buffer that is reused: see [`Sieve::segment`](super::Sieve::segment).
///
/// It is empty until it is [filled](Self::fill).
pub struct Segment {
    shared: Arc<Shared>,
    /// What it was filled with.
    range: RangeInclusive<u64>,
    bytes: Vec<u8>,
}

impl Segment {
    #[expect(clippy::reversed_empty_ranges)]
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, range: 1..=0, bytes: Vec::new() }
    }

    /// Finds the primes of `range`, usually one of the sieve's [segments](super::Sieve::segments). Those of the range
    /// before are forgotten.
    ///
    /// # Panics
    ///
    /// When `range` has a number outside the sieve's range, or more numbers than the sieve's
    /// [`span`](super::Sieve::span). An empty range is fine, and has no primes.
    pub fn fill(&mut self, range: RangeInclusive<u64>) {
        self.bytes.clear();
        self.range = range;
        if self.range.is_empty() {
            return;
        }
        let (start, end) = (*self.range.start(), *self.range.end());
        let whole = &self.shared.range;
        assert!(whole.contains(&start) && whole.contains(&end), "{:?} is not within {whole:?}", self.range);
        assert!(end - start < self.shared.span, "{:?} is longer than {}", self.range, self.shared.span);
        for byte in start / 30..=end / 30 {
            let bits = (0..30u64)
                .filter(|n| BIT[*n as usize] != 0)
                .filter(|n| (byte * 30).checked_add(*n).is_some_and(is_prime))
                .map(|n| BIT[n as usize])
                .sum();
            self.bytes.push(bits);
        }
        self.bytes[0] &= bits_from(start % 30);
        let last = self.bytes.len() - 1;
        self.bytes[last] &= !bits_from(end % 30 + 1);
        self.bytes.resize((last + 1).next_multiple_of(8), 0);
    }

    /// How many primes the segment has.
    pub fn count(&self) -> u64 {
        self.small(|p| p).count() as u64 + self.bits().count()
    }

    /// The primes of the segment, in ascending order.
    ///
    /// Internal iteration, as by [`for_each`](Iterator::for_each), is the fastest way through them.
    pub fn primes(&self) -> impl Iterator<Item = u64> {
        self.small(|p| p).chain(self.bits().primes())
    }

    /// How many twins the segment has: as many as [`twins`](Self::twins) yields.
    pub fn count_twins(&self) -> u64 {
        self.small_twins().count() as u64 + self.bits().count_twins() + u64::from(self.straddling().is_some())
    }

    /// The pairs of primes `(p, p + 2)`, in ascending order.
    ///
    /// It is `p` that is in the segment. `p + 2` may lie beyond the segment's end, as long as it is in the range of the
    /// sieve: so each pair of the range belongs to exactly one of its segments.
    pub fn twins(&self) -> impl Iterator<Item = (u64, u64)> {
        self.small_twins().chain(Twins::of(self.bits())).chain(self.straddling())
    }

    fn bits(&self) -> Bits<'_> {
        Bits { bytes: &self.bytes, start: self.range.start() / 30 * 30 }
    }

    /// Those primes that the wheel leaves out and the range has.
    fn small<T>(&self, f: impl Fn(u64) -> T) -> impl Iterator<Item = T> {
        [2, 3, 5].into_iter().filter(|p| self.range.contains(p)).map(f)
    }

    fn small_twins(&self) -> impl Iterator<Item = (u64, u64)> {
        let whole = &self.shared.range;
        self.small(|p| (p, p + 2)).filter(|&(p, twin)| p > 2 && whole.contains(&twin))
    }

    /// The pair whose second prime lies beyond the segment, unless 2, 3 or 5 is its first.
    fn straddling(&self) -> Option<(u64, u64)> {
        let end = *self.range.end();
        let p = end - u64::from(end.is_multiple_of(2) && end > 0);
        let twin = p.checked_add(2)?;
        let found = p > 5
            && self.range.contains(&p)
            && self.shared.range.contains(&twin)
            && self.bits().contains(p)
            && is_prime(twin);
        found.then_some((p, twin))
    }
}

impl fmt::Debug for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Segment").field("range", &self.range).finish_non_exhaustive()
    }
}
