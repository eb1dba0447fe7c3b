//! A worker's part of the sieve.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::Shared;
use super::bits::{Bits, Twins, keep};
use super::multiples;
use super::periods::Strikers;
use super::presieve::{CHUNK, presieve};
use super::wheel::{BIT, bits_from};
use crate::is_prime;

/// How many bytes are sieved at a time by the primes below it: they stay in a first-level cache.
const BLOCK: usize = 24 << 10;

/// The same for a second-level cache, and all frequent primes.
const BLOCKS: usize = 320 << 10;

/// An odd number without a pattern: its multiples, modulo the number of blocks of a base, lie far from each other.
const TURN: u64 = 0x9E37_79B9_7F4A_7C15;

/// How many words are decided number by number between two questions whether to give up.
const WORDS: u64 = 256;

/// One segment at a time, sieved in a buffer that is reused: see [`Sieve::segment`](super::Sieve::segment).
///
/// It is empty until it is [filled](Self::fill).
pub struct Segment {
    shared: Arc<Shared>,
    /// What it was filled with.
    range: RangeInclusive<u64>,
    /// A margin, the bytes of the range, and another margin. The margins take what is struck beside the range.
    bytes: Vec<u8>,
    margin: usize,
    /// How many words the range has.
    words: usize,
    strikers: Strikers,
    /// To find blocks of the base with, once there was one to find.
    finder: Option<Box<Segment>>,
}

impl Segment {
    #[expect(clippy::reversed_empty_ranges)]
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let frequent = shared.plan.frequent as usize;
        let margin = frequent.next_multiple_of(64);
        // A range of the span that doesn't begin with a byte has one byte more.
        let len = (shared.plan.span / 30 + 1) as usize;
        let bytes = vec![0; margin + (len + frequent.max(multiples::MARGIN)).next_multiple_of(CHUNK)];
        Self { shared, range: 1..=0, bytes, margin, words: 0, strikers: Strikers::default(), finder: None }
    }

    /// Finds the primes of `range`, usually one of the sieve's [segments](super::Sieve::segments). Those of the range
    /// before are forgotten.
    ///
    /// # Panics
    ///
    /// When `range` has a number outside the sieve's range, or more numbers than the sieve's
    /// [`span`](super::Sieve::span). An empty range is fine, and has no primes.
    pub fn fill(&mut self, range: RangeInclusive<u64>) {
        self.fill_unless(range, || false);
    }

    /// [`fill`](Self::fill), unless `give_up` returns true first: then the segment is empty. Returns true if it is filled.
    ///
    /// Far from 0 a segment takes up to some tenths of a second. `give_up` is asked about once a millisecond.
    ///
    /// # Panics
    ///
    /// As [`fill`](Self::fill).
    pub fn fill_unless(&mut self, range: RangeInclusive<u64>, mut give_up: impl FnMut() -> bool) -> bool {
        self.words = 0;
        self.range = range;
        if self.range.is_empty() {
            return true;
        }
        let (start, end) = (*self.range.start(), *self.range.end());
        let Shared { range: ref whole, plan, .. } = *self.shared;
        assert!(whole.contains(&start) && whole.contains(&end), "{:?} is not within {whole:?}", self.range);
        assert!(end - start < plan.span, "{:?} is longer than {}", self.range, plan.span);
        let len = (end / 30 - start / 30 + 1) as usize;
        let limit = plan.limit(end - start + 1, end);
        let filled = self.strike(len, limit, &mut give_up) && {
            self.restore(len);
            self.cut(len);
            u64::from(limit) >= end.isqrt() || self.decide(&mut give_up)
        };
        if !filled {
            self.clear();
        }
        filled
    }

    #[expect(clippy::reversed_empty_ranges)]
    fn clear(&mut self) {
        self.words = 0;
        self.range = 1..=0;
    }

    /// Strikes out the multiples of primes up to `limit` in the `len` bytes of the range. They may go themselves, the
    /// primes that strike. False: it gave up.
    fn strike(&mut self, len: usize, limit: u32, give_up: &mut impl FnMut() -> bool) -> bool {
        let Shared { plan, base, .. } = &*self.shared;
        let first = self.range.start() / 30;
        let (margin, bytes) = (self.margin, &mut self.bytes);

        presieve(&mut bytes[margin..][..len.next_multiple_of(CHUNK)], first);

        self.strikers.ready(&base.frequent, limit, first, margin);
        let end = margin + len;
        for blocks in (margin..end).step_by(BLOCKS) {
            let end = end.min(blocks + BLOCKS);
            for block in (blocks..end).step_by(BLOCK) {
                self.strikers.strike(bytes, end.min(block + BLOCK), 0, BLOCK as u32);
            }
            self.strikers.strike(bytes, end, BLOCK as u32, u32::MAX);
            if give_up() {
                return false;
            }
        }

        let bytes = &mut bytes[margin..][..len + multiples::MARGIN];
        let blocks = base.rare.blocks(limit);
        // Workers that begin with different blocks don't wait for each other to find them.
        let turn = (self.range.start() / plan.span).wrapping_mul(TURN) as usize % blocks.clone().count().max(1);
        for block in blocks.clone().skip(turn).chain(blocks.take(turn)) {
            base.rare.primes(block, limit, &mut self.finder, |primes| multiples::strike(primes, bytes, 30 * first));
            if give_up() {
                return false;
            }
        }
        true
    }

    /// Sets the bits of the primes that strike, and takes that of 1.
    fn restore(&mut self, len: usize) {
        let first = self.range.start() / 30;
        let bytes = &mut self.bytes[self.margin..][..len];
        for prime in self.shared.base.within(&self.range) {
            bytes[(prime / 30 - first) as usize] |= BIT[(prime % 30) as usize];
        }
        if first == 0 {
            bytes[0] &= !1;
        }
    }

    /// Takes the bits of the numbers before the range and behind it, up to the end of a word.
    fn cut(&mut self, len: usize) {
        self.words = len.div_ceil(8);
        let bytes = &mut self.bytes[self.margin..][..8 * self.words];
        bytes[0] &= bits_from(self.range.start() % 30);
        bytes[len - 1] &= !bits_from(self.range.end() % 30 + 1);
        bytes[len..].fill(0);
    }

    /// Takes the bits of what is no prime, though it has no factor up to the limit. False: it gave up.
    fn decide(&mut self, give_up: &mut impl FnMut() -> bool) -> bool {
        let start = self.range.start() / 30 * 30;
        let bytes = &mut self.bytes[self.margin..][..8 * self.words];
        for (bytes, i) in bytes.as_chunks_mut().0.iter_mut().zip(0..) {
            let word = u64::from_le_bytes(*bytes);
            *bytes = keep(word, |offset| is_prime(start + 240 * i + offset)).to_le_bytes();
            if i % WORDS == WORDS - 1 && give_up() {
                return false;
            }
        }
        true
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
        Bits { bytes: &self.bytes[self.margin..][..8 * self.words], start: self.range.start() / 30 * 30 }
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
