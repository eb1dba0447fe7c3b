//! Reads the primes of a sieved segment from its bits.

use std::iter::FusedIterator;

use super::wheel::{BIT, OFFSET};

/// In each byte, the bits of the lower primes of possible twins: 11 and 13, 17 and 19, 29 and 1 of the next byte.
const FIRST_OF_TWINS: u64 = 0x9494_9494_9494_9494;

/// The bits of a sieved segment. A bit is set if its number is prime and in the segment.
#[derive(Clone, Copy)]
pub(super) struct Bits<'a> {
    /// The bytes, a whole number of words.
    pub(super) bytes: &'a [u8],
    /// The multiple of 30 at which the first byte begins.
    pub(super) start: u64,
}

impl<'a> Bits<'a> {
    pub(super) fn contains(self, n: u64) -> bool {
        self.bytes[((n - self.start) / 30) as usize] & BIT[(n % 30) as usize] != 0
    }

    pub(super) fn count(self) -> u64 {
        self.words().map(|word| u64::from(word.count_ones())).sum()
    }

    pub(super) fn primes(self) -> Ones<impl Iterator<Item = u64>> {
        Ones { words: self.words(), start: self.start, next: self.start, word: 0 }
    }

    pub(super) fn count_twins(self) -> u64 {
        self.twin_words().map(|word| u64::from(word.count_ones())).sum()
    }

    fn words(self) -> impl Iterator<Item = u64> + 'a {
        self.bytes.as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes))
    }

    /// Returns the words in which only the bits of the lower primes of twins are set.
    fn twin_words(self) -> impl Iterator<Item = u64> + 'a {
        let following = self.words().skip(1).chain([0]);
        self.words().zip(following).map(|(word, next)| word & (word >> 1 | next << 63) & FIRST_OF_TWINS)
    }
}

/// The numbers whose bits are set, in ascending order.
pub(super) struct Ones<W> {
    words: W,
    /// The first number of `word`.
    start: u64,
    /// The first number of the next word. Wraps around beyond `u64`, where there is no next word.
    next: u64,
    word: u64,
}

impl<W: Iterator<Item = u64>> Iterator for Ones<W> {
    type Item = u64;

    #[inline]
    fn next(&mut self) -> Option<u64> {
        while self.word == 0 {
            self.word = self.words.next()?;
            self.start = self.next;
            self.next = self.next.wrapping_add(240);
        }
        let bit = self.word.trailing_zeros() as usize;
        self.word &= self.word - 1;
        Some(self.start + u64::from(OFFSET[bit]))
    }

    #[inline]
    fn fold<B, F: FnMut(B, u64) -> B>(self, init: B, mut f: F) -> B {
        let mut each = |mut folded, mut word: u64, start: u64| {
            while word != 0 {
                folded = f(folded, start + u64::from(OFFSET[word.trailing_zeros() as usize]));
                word &= word - 1;
            }
            folded
        };
        let folded = each(init, self.word, self.start);
        let (folded, _) = self
            .words
            .fold((folded, self.next), |(folded, start), word| (each(folded, word, start), start.wrapping_add(240)));
        folded
    }
}

impl<W: Iterator<Item = u64>> FusedIterator for Ones<W> {}

/// Returns `word` without the bits for which `is_kept` is false. It is called with the number of a bit, relative to the
/// word's first number.
pub(super) fn keep(word: u64, mut is_kept: impl FnMut(u64) -> bool) -> u64 {
    let mut kept = word;
    let mut rest = word;
    while rest != 0 {
        let bit = rest.trailing_zeros();
        rest &= rest - 1;
        if !is_kept(u64::from(OFFSET[bit as usize])) {
            kept &= !(1 << bit);
        }
    }
    kept
}

/// The twins of which both primes are in the segment.
pub(super) struct Twins;

impl Twins {
    pub(super) fn of(bits: Bits<'_>) -> impl Iterator<Item = (u64, u64)> {
        Ones { words: bits.twin_words(), start: bits.start, next: bits.start, word: 0 }.map(|p| (p, p + 2))
    }
}
