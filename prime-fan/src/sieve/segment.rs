//! The buffer in which a worker sieves one segment after the other.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::Shared;
use super::bits::{Bits, Twins, keep};
use super::buckets::{self, BUCKET, Buckets, Chain};
use super::large;
use super::medium::Medium;
use super::periods::Strikers;
use super::plan::Plan;
use super::presieve::{CHUNK, presieve};
use super::slices::Taken;
use super::tuplets;
use super::wheel::{BIT, OFFSET, bits_from};
use crate::is_prime;
use crate::primality::{LANES, LANES_FROM, NO_FACTOR_TO, are_prime, pass_base_2};

/// How many words are tested number by number between two calls of `give_up`.
const WORDS: u64 = 256;

/// How many wide primes are sorted by their residues and struck out at a time: their lists, of 8 bytes each, stay in a cache.
const WIDE: usize = 8192;

/// A buffer that holds one sieved segment at a time: see [`Sieve::segment`](super::Sieve::segment).
///
/// It is empty until it is [filled](Self::fill).
pub struct Segment {
    shared: Arc<Shared>,
    /// The range that it was filled with.
    range: RangeInclusive<u64>,
    /// A margin, the bytes of the range, and another margin. Strikes outside of the range fall into the margins.
    bytes: Vec<u8>,
    margin: usize,
    /// How many words the range has.
    words: usize,
    strikers: Strikers,
    medium: Medium,
    /// Those of the medium primes that have few multiples in a block.
    wide: Medium,
    buckets: Buckets,
    /// The multiples of the large primes in the range, each chain with the first byte of its bucket.
    chains: Vec<(u64, Chain)>,
    /// A buffer to find blocks of the base, created when the first one is needed.
    finder: Option<Box<Segment>>,
}

impl Segment {
    #[expect(clippy::reversed_empty_ranges)]
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let frequent = shared.plan.frequent as usize;
        // A bucket at the beginning or at the end may have bytes beyond the range.
        let margin = frequent.max(BUCKET).next_multiple_of(64);
        // One byte more, for a range that does not begin at the start of a byte.
        let len = (shared.plan.span / 30 + 1) as usize;
        let bytes = vec![0; margin + (len + margin).next_multiple_of(CHUNK)];
        Self {
            shared,
            range: 1..=0,
            bytes,
            margin,
            words: 0,
            strikers: Strikers::default(),
            medium: Medium::default(),
            wide: Medium::default(),
            buckets: Buckets::default(),
            chains: Vec::new(),
            finder: None,
        }
    }

    /// Finds the primes of `range`, usually one of the sieve's [segments](super::Sieve::segments), and drops those of
    /// the range before. An empty range has no primes.
    ///
    /// # Panics
    ///
    /// Panics if `range` has a number outside the sieve's range, or more numbers than the sieve's
    /// [`span`](super::Sieve::span).
    pub fn fill(&mut self, range: RangeInclusive<u64>) {
        self.fill_unless(range, || false);
    }

    /// [`fill`](Self::fill) that can be cancelled: if `give_up` returns true, the segment is empty. Returns true if the
    /// segment is filled.
    ///
    /// Far from 0 a segment takes up to some tenths of a second. `give_up` is called about once per millisecond.
    ///
    /// # Panics
    ///
    /// Panics as [`fill`](Self::fill) does.
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
        let filled = self.sieve(len, limit, &mut give_up).is_some();
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

    /// Finds the primes in the `len` bytes of the range. Primes up to `limit` strike out their multiples. Returns `None`
    /// if `give_up` returned true.
    fn sieve(&mut self, len: usize, limit: u32, give_up: &mut impl FnMut() -> bool) -> Option<()> {
        let limit = self.collect(len, limit, give_up)?;
        self.strike(len, limit, give_up)?;
        self.restore(len);
        self.cut(len);
        if u64::from(limit) >= self.range.end().isqrt() {
            return Some(());
        }
        if limit >= NO_FACTOR_TO && *self.range.start() >= LANES_FROM {
            self.decide_together(give_up)
        } else {
            self.decide(give_up)
        }
    }

    /// Gets the multiples of the large primes. Returns the limit up to which all primes strike: a smaller one if there
    /// are no such multiples, because the range was sieved before.
    fn collect(&mut self, len: usize, limit: u32, give_up: &mut impl FnMut() -> bool) -> Option<u32> {
        let Self { shared, buckets, chains, finder, .. } = self;
        let Shared { plan, base, slices, .. } = &**shared;
        if limit <= plan.medium.max(plan.frequent) || base.large.tasks.is_empty() {
            return Some(limit);
        }
        let first = self.range.start() / 30;
        let collect = |task, start, len, buckets: &mut Buckets| {
            base.large.primes(task, start, len, finder, |primes| large::collect(primes, start, len, buckets));
        };
        slices.give_back(chains);
        match slices.take(first..first + len as u64, buckets, chains, collect, give_up) {
            Taken::All => Some(limit),
            Taken::Missing => {
                slices.give_back(chains);
                Some(plan.medium.max(plan.frequent))
            }
            Taken::GivenUp => {
                slices.give_back(chains);
                None
            }
        }
    }

    /// Strikes out the multiples of primes up to `limit` in the `len` bytes of the range. The primes themselves may be
    /// struck out as well. Returns `None` if `give_up` returned true.
    fn strike(&mut self, len: usize, limit: u32, give_up: &mut impl FnMut() -> bool) -> Option<()> {
        let Shared { base, slices, plan: Plan { caches: sizes, .. }, .. } = &*self.shared;
        let first = self.range.start() / 30;
        let (margin, bytes) = (self.margin, &mut self.bytes);

        presieve(&mut bytes[margin..][..len.next_multiple_of(CHUNK)], first);

        self.strikers.ready(&base.frequent, limit, first, margin);
        self.medium.clear();
        for part in base.medium(limit).filter(|part| !part.is_wide) {
            self.medium.add(part.up_to(limit), first);
            if give_up() {
                return None;
            }
        }
        let mut chains = self.chains.iter().peekable();
        let end = margin + len;
        for blocks in (margin..end).step_by(sizes.blocks) {
            let end = end.min(blocks + sizes.blocks);
            for block in (blocks..end).step_by(sizes.block) {
                self.strikers.strike(bytes, end.min(block + sizes.block), 0, sizes.block as u32);
            }
            self.strikers.strike(bytes, end, sizes.block as u32, u32::MAX);
            self.medium.strike(&mut bytes[blocks..end]);
            let index = |bucket: u64| (margin as u64 + bucket - first) as usize;
            while let Some((bucket, chain)) = chains.next_if(|(bucket, _)| index(*bucket) < end) {
                let bytes = &mut bytes[index(*bucket)..];
                buckets::strike(chain, bytes.first_chunk_mut().expect("a bucket lies in the buffer"));
            }
            if give_up() {
                return None;
            }
        }
        slices.give_back(&mut self.chains);
        self.wide.clear();
        for part in base.medium(limit).filter(|part| part.is_wide) {
            for primes in part.up_to(limit).chunks(WIDE) {
                self.wide.add(primes, first);
                self.wide.strike_last(&mut bytes[margin..end]);
            }
            if give_up() {
                return None;
            }
        }
        Some(())
    }

    /// Sets the bits of the primes that were struck out themselves, and clears that of 1.
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

    /// Clears the bits of the numbers before and after the range, up to the end of its last word.
    fn cut(&mut self, len: usize) {
        self.words = len.div_ceil(8);
        let bytes = &mut self.bytes[self.margin..][..8 * self.words];
        bytes[0] &= bits_from(self.range.start() % 30);
        bytes[len - 1] &= !bits_from(self.range.end() % 30 + 1);
        bytes[len..].fill(0);
    }

    /// Tests the numbers that are left, and clears the bits of composites, which have no factor up to the limit.
    /// Returns `None` if `give_up` returned true.
    fn decide(&mut self, give_up: &mut impl FnMut() -> bool) -> Option<()> {
        let start = self.range.start() / 30 * 30;
        let bytes = &mut self.bytes[self.margin..][..8 * self.words];
        for (bytes, i) in bytes.as_chunks_mut().0.iter_mut().zip(0..) {
            let word = u64::from_le_bytes(*bytes);
            *bytes = keep(word, |offset| is_prime(start + 240 * i + offset)).to_le_bytes();
            if i % WORDS == WORDS - 1 && give_up() {
                return None;
            }
        }
        Some(())
    }

    /// [`decide`](Self::decide) for large numbers without small factors, of which several are tested together.
    fn decide_together(&mut self, give_up: &mut impl FnMut() -> bool) -> Option<()> {
        let start = self.range.start() / 30 * 30;
        let words = self.bytes[self.margin..][..8 * self.words].as_chunks_mut().0;
        let (mut left, mut passed) = (Waiting::default(), Waiting::default());
        for index in 0..words.len() {
            let mut word = u64::from_le_bytes(words[index]);
            while word != 0 {
                let bit = word.trailing_zeros();
                word &= word - 1;
                let number = start + 240 * index as u64 + u64::from(OFFSET[bit as usize]);
                let Some((numbers, places)) = left.push(number, (index, bit)) else { continue };
                for ((passes, number), place) in pass_base_2(numbers).into_iter().zip(numbers).zip(places) {
                    if !passes {
                        clear(words, place);
                    } else if let Some((numbers, places)) = passed.push(number, place) {
                        let composite = are_prime(numbers).map(|is_prime| !is_prime);
                        places
                            .into_iter()
                            .zip(composite)
                            .filter(|place| place.1)
                            .for_each(|place| clear(words, place.0));
                    }
                }
            }
            if index as u64 % WORDS == WORDS - 1 && give_up() {
                return None;
            }
        }
        let rest = left.rest().chain(passed.rest());
        rest.filter(|&(number, _)| !is_prime(number)).for_each(|(_, place)| clear(words, place));
        Some(())
    }

    /// Returns the number of primes in the segment.
    pub fn count(&self) -> u64 {
        self.small(|p| p).count() as u64 + self.bits().count()
    }

    /// Returns the primes of the segment, in ascending order.
    ///
    /// Internal iteration, for example with [`for_each`](Iterator::for_each), is the fastest way to visit them.
    pub fn primes(&self) -> impl Iterator<Item = u64> {
        self.small(|p| p).chain(self.bits().primes())
    }

    /// Returns the number of twins in the segment: as many as [`twins`](Self::twins) yields.
    pub fn count_twins(&self) -> u64 {
        self.small_twins().count() as u64 + self.bits().count_twins() + u64::from(self.straddling().is_some())
    }

    /// Returns the pairs of primes `(p, p + 2)`, in ascending order.
    ///
    /// `p` is in the segment. `p + 2` may be beyond the segment's end, but is in the range of the sieve. So each pair
    /// of the range belongs to exactly one segment.
    pub fn twins(&self) -> impl Iterator<Item = (u64, u64)> {
        self.small_twins().chain(Twins::of(self.bits())).chain(self.straddling())
    }

    /// Returns the number of tuplets of `K` primes in the segment: as many as [`tuplets`](Self::tuplets) yields.
    pub fn count_tuplets<const K: usize>(&self) -> u64 {
        match K {
            2 => self.count_twins(),
            _ => self.tuplets::<K>().fold(0, |count, _| count + 1),
        }
    }

    /// Returns the tuplets of `K` primes, from 2 to 6, that are as close to each other as infinitely many can be: twins,
    /// triplets, quadruplets, quintuplets and sextuplets. They come in ascending order.
    ///
    /// The first prime is in the segment. The others may be beyond the segment's end, but are in the range of the sieve.
    /// So each tuplet of the range belongs to exactly one segment.
    ///
    /// # Examples
    ///
    /// ```
    /// let sieve = prime_fan::Sieve::new(0..=20);
    /// let mut segment = sieve.segment();
    /// segment.fill(0..=20);
    /// assert!(segment.tuplets::<3>().eq([[5, 7, 11], [7, 11, 13], [11, 13, 17], [13, 17, 19]]));
    /// assert!(segment.tuplets::<5>().eq([[5, 7, 11, 13, 17], [7, 11, 13, 17, 19]]));
    /// ```
    pub fn tuplets<const K: usize>(&self) -> impl Iterator<Item = [u64; K]> {
        const { assert!(K >= 2 && K <= 6, "a tuplet has 2 to 6 primes") };
        let end = *self.range.end();
        let reach = end.saturating_add(tuplets::WIDTH).min(*self.shared.range.end());
        let beyond = match end.checked_add(1) {
            Some(after) if !self.range.is_empty() => after..=reach,
            #[expect(clippy::reversed_empty_ranges)]
            _ => 1..=0,
        };
        let ahead = beyond.filter(|&n| is_prime(n));
        let mut last = [0; K];
        self.primes().chain(ahead).filter_map(move |prime| {
            last.rotate_left(1);
            last[K - 1] = prime;
            (tuplets::is_tuplet(last) && last[0] <= end).then_some(last)
        })
    }

    fn bits(&self) -> Bits<'_> {
        Bits { bytes: &self.bytes[self.margin..][..8 * self.words], start: self.range.start() / 30 * 30 }
    }

    /// Returns the primes of the range that are not on the wheel: 2, 3 and 5.
    fn small<T>(&self, f: impl Fn(u64) -> T) -> impl Iterator<Item = T> {
        [2, 3, 5].into_iter().filter(|p| self.range.contains(p)).map(f)
    }

    fn small_twins(&self) -> impl Iterator<Item = (u64, u64)> {
        let whole = &self.shared.range;
        self.small(|p| (p, p + 2)).filter(|&(p, twin)| p > 2 && whole.contains(&twin))
    }

    /// Returns the pair whose second prime is beyond the segment, unless its first is 3 or 5.
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

/// A word of the segment, and a bit of it.
type Place = (usize, u32);

/// Numbers that wait until so many are there that they are tested together.
#[derive(Default)]
struct Waiting {
    numbers: [u64; LANES],
    places: [Place; LANES],
    len: usize,
}

impl Waiting {
    /// Returns those that waited, with the new one, when they are enough.
    #[inline]
    fn push(&mut self, number: u64, place: Place) -> Option<([u64; LANES], [Place; LANES])> {
        self.numbers[self.len] = number;
        self.places[self.len] = place;
        self.len = (self.len + 1) % LANES;
        (self.len == 0).then_some((self.numbers, self.places))
    }

    fn rest(self) -> impl Iterator<Item = (u64, Place)> {
        self.numbers.into_iter().zip(self.places).take(self.len)
    }
}

fn clear(words: &mut [[u8; 8]], (index, bit): Place) {
    words[index][bit as usize / 8] &= !(1 << (bit % 8));
}

impl fmt::Debug for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Segment").field("range", &self.range).finish_non_exhaustive()
    }
}
