//! The primes whose multiples are struck out.

use std::array;
use std::ops::RangeInclusive;

use super::Sieve;
use super::plan::Plan;
use super::presieve::PRESIEVED;

/// The primes that a sieve strikes with, those apart that are presieved.
pub(super) struct Base {
    /// Those of which whole periods are struck out, by their remainder modulo 30, each in ascending order.
    pub(super) frequent: [Vec<u32>; 8],
    /// The larger ones, in ascending order.
    pub(super) rare: Vec<u32>,
}

impl Base {
    /// The primes up to `limit`, of which those up to `frequent` have many multiples in a segment.
    pub(super) fn new(limit: u32, frequent: u32) -> Self {
        let mut base = Self { frequent: array::from_fn(|_| Vec::new()), rare: Vec::new() };
        let last = PRESIEVED[PRESIEVED.len() - 1];
        if limit <= last {
            return base;
        }
        let range = u64::from(last) + 1..=u64::from(limit);
        base.rare.reserve_exact(at_most(limit));
        // Needs primes up to the root of the limit: this ends after two or three turns.
        let sieve = Sieve::with(range, Plan::full(limit));
        let mut segment = sieve.segment();
        for part in sieve.segments() {
            segment.fill(part);
            segment.primes().for_each(|prime| base.add(prime as u32, frequent));
        }
        base
    }

    fn add(&mut self, prime: u32, frequent: u32) {
        if prime > frequent {
            self.rare.push(prime);
        } else {
            // 1, 7, 11, 13, 17, 19, 23, 29 to 0, 1, 2, ... 7.
            self.frequent[(prime % 30 * 8 / 30) as usize].push(prime);
        }
    }

    /// The primes that lie in `range`, list by list.
    pub(super) fn within(&self, range: &RangeInclusive<u64>) -> impl Iterator<Item = u64> {
        let lists = self.frequent.iter().chain([&self.rare]).map(Vec::as_slice).chain([&PRESIEVED[..]]);
        lists.flat_map(move |list| {
            let from = list.partition_point(|&prime| u64::from(prime) < *range.start());
            list[from..].iter().map(|&prime| u64::from(prime)).take_while(|prime| prime <= range.end())
        })
    }
}

/// A bound on the number of primes up to `n`: 1.25506 n / ln n (Rosser and Schoenfeld 1962).
fn at_most(n: u32) -> usize {
    let n = f64::from(n);
    (1.255_06 * n / n.ln()) as usize + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::primes::is_prime;

    #[test]
    fn the_base_is_the_primes_up_to_the_limit() {
        for limit in [0, 1, 157, 158, 163, 10_000, 100_003] {
            for frequent in [0, 163, 5000, u32::MAX] {
                let base = Base::new(limit, frequent);
                assert!(base.frequent.iter().flatten().all(|&prime| prime <= frequent));
                assert!(base.rare.iter().all(|&prime| prime > frequent));
                let mut all: Vec<u64> = base.within(&(0..=u64::MAX)).collect();
                all.sort_unstable();
                let limit = u64::from(limit).max(157);
                assert!(all.into_iter().eq((7..=limit).filter(|&n| is_prime(n))), "{limit}");
            }
        }
    }

    #[test]
    fn the_frequent_are_kept_by_remainder() {
        let base = Base::new(10_000, 10_000);
        for (list, remainder) in base.frequent.iter().zip([1, 7, 11, 13, 17, 19, 23, 29]) {
            assert!(!list.is_empty() && list.iter().all(|prime| prime % 30 == remainder));
        }
    }
}
