//! Random integers, the source of the command `random`.

use std::iter::FusedIterator;
use std::ops::RangeInclusive;

use rand::distr::{Distribution, Uniform};
use rand::rngs::ChaCha12Rng;
use rand::{SeedableRng, make_rng};
use thiserror::Error;

/// An endless iterator of uniformly distributed random integers of a range.
///
/// The generator is ChaCha with 12 rounds, which is cryptographically secure. It takes a few nanoseconds per integer.
///
/// # Reproducibility
///
/// Without a seed, the operating system provides the key of the generator, so that each run draws different integers.
/// With [`seeded`](Self::seeded), the same seed and the same range give the same integers on every platform and in
/// every release of this crate until the next breaking one. A seed has only 64 bits, so seeded integers are not fit for
/// secrets.
///
/// # Examples
///
/// ```
/// use prime_fan::RandomIntegers;
///
/// let dice = || RandomIntegers::new(1..=6).unwrap().seeded(2026);
/// let throws: Vec<u64> = dice().take(100).collect();
/// assert!(throws.iter().all(|throw| (1..=6).contains(throw)));
/// assert!(dice().take(100).eq(throws));
///
/// let error = RandomIntegers::new(6..=1).unwrap_err();
/// assert_eq!(error.to_string(), "no integer lies in 6..=1");
/// ```
#[derive(Debug)]
pub struct RandomIntegers {
    range: Uniform<u64>,
    generator: ChaCha12Rng,
}

impl RandomIntegers {
    /// Returns random integers of `range`, both ends included, with a key from the operating system.
    ///
    /// # Errors
    ///
    /// Returns [`EmptyRange`] if the range starts after its end.
    ///
    /// # Panics
    ///
    /// Panics if the operating system provides no random bytes.
    pub fn new(range: RangeInclusive<u64>) -> Result<Self, EmptyRange> {
        let (min, max) = (*range.start(), *range.end());
        if range.is_empty() {
            return Err(EmptyRange { min, max });
        }
        let range = Uniform::new_inclusive(min, max).expect("the range is not empty");
        Ok(Self { range, generator: make_rng() })
    }

    /// Restarts the generator from `seed`: see [Reproducibility](Self#reproducibility).
    #[must_use]
    pub fn seeded(self, seed: u64) -> Self {
        Self { generator: ChaCha12Rng::seed_from_u64(seed), ..self }
    }
}

impl Iterator for RandomIntegers {
    type Item = u64;

    #[inline]
    fn next(&mut self) -> Option<u64> {
        Some(self.range.sample(&mut self.generator))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::MAX, None)
    }
}

impl FusedIterator for RandomIntegers {}

/// The range given to [`RandomIntegers::new`] contains no integer.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("no integer lies in {min}..={max}")]
#[non_exhaustive]
pub struct EmptyRange {
    /// Where the range starts.
    pub min: u64,
    /// Where it ends, before its start.
    pub max: u64,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seeded(range: RangeInclusive<u64>, seed: u64) -> RandomIntegers {
        RandomIntegers::new(range).unwrap().seeded(seed)
    }

    #[test]
    fn the_integers_of_a_seed_never_change() {
        let full: Vec<u64> = seeded(0..=u64::MAX, 1).take(4).collect();
        assert_eq!(full, [17971643333364160609, 12751046405260142922, 7894741264938617306, 3238990930839348691]);
        let range: Vec<u64> = seeded(1_000..=9_999, 1).take(4).collect();
        assert_eq!(range, [9768, 7221, 4851, 2580]);
    }

    #[test]
    fn a_seed_starts_over() {
        let mut used = seeded(0..=u64::MAX, 7);
        let first: Vec<u64> = used.by_ref().take(1000).collect();
        assert!(used.seeded(7).take(1000).eq(first.iter().copied()));
        assert!(!seeded(0..=u64::MAX, 8).take(1000).eq(first));
    }

    #[test]
    fn without_a_seed_no_two_runs_are_alike() {
        let run = || RandomIntegers::new(0..=u64::MAX).unwrap().take(4);
        assert!(!run().eq(run()));
    }

    #[test]
    fn both_ends_of_a_small_range_are_hit_as_often_as_the_middle() {
        let mut hits = [0u32; 3];
        seeded(u64::MAX - 2..=u64::MAX, 3).take(30_000).for_each(|n| hits[(n - (u64::MAX - 2)) as usize] += 1);
        assert!(hits.iter().all(|hits| hits.abs_diff(10_000) < 400), "{hits:?}");
    }

    #[test]
    fn the_full_range_fills_every_bit() {
        let (ones, zeros) =
            seeded(0..=u64::MAX, 4).take(200).fold((0, 0), |(ones, zeros), n: u64| (ones | n, zeros | !n));
        assert_eq!((ones, zeros), (u64::MAX, u64::MAX));
    }

    #[test]
    fn a_range_of_one_integer_yields_nothing_else() {
        for n in [0, 1, u64::MAX] {
            assert!(seeded(n..=n, 5).take(100).all(|m| m == n));
        }
    }

    #[test]
    fn an_empty_range_is_refused_with_its_ends() {
        #[expect(clippy::reversed_empty_ranges)]
        let error = RandomIntegers::new(5..=3).unwrap_err();
        assert_eq!(error, EmptyRange { min: 5, max: 3 });
        assert_eq!(error.to_string(), "no integer lies in 5..=3");
    }

    proptest! {
        #[test]
        fn integers_stay_in_their_range(a in any::<u64>(), b in any::<u64>(), shift in 0u32..64, seed in any::<u64>()) {
            let (min, max) = (a.min(b) >> shift, a.max(b) >> shift);
            prop_assert!(seeded(min..=max, seed).take(100).all(|n| (min..=max).contains(&n)));
        }
    }
}
