//! The base: the primes whose multiples are struck out.

use std::array;
use std::ops::RangeInclusive;
use std::sync::OnceLock;

use super::plan::{BLOCK, Plan};
use super::presieve::PRESIEVED;
use super::{Segment, Sieve};

/// The primes whose multiples are struck out, without those of the presieve.
pub(super) struct Base {
    /// The smaller primes, of which whole periods are struck out: a list per remainder modulo 30, each in ascending
    /// order.
    pub(super) frequent: [Vec<u32>; 8],
    /// The larger primes.
    pub(super) rare: Rare,
}

impl Base {
    /// Finds the frequent primes up to the limit of `plan`. The rare ones are found when they are needed.
    pub(super) fn new(plan: &Plan) -> Self {
        let mut frequent = array::from_fn(|_| Vec::new());
        let last = PRESIEVED[PRESIEVED.len() - 1];
        let limit = plan.limit.min(plan.frequent);
        if limit > last {
            // This sieve needs a base up to the square root of the limit: the recursion ends after two or three levels.
            let sieve = Sieve::with(u64::from(last) + 1..=u64::from(limit), Plan::full(limit));
            let mut segment = sieve.segment();
            for part in sieve.segments() {
                segment.fill(part);
                // Maps 1, 7, 11, 13, 17, 19, 23, 29 to 0, 1, 2, ... 7.
                segment.primes().for_each(|prime| frequent[(prime % 30 * 8 / 30) as usize].push(prime as u32));
            }
        }
        Self { frequent, rare: Rare::new(last.max(plan.frequent), plan.limit) }
    }

    /// Returns the frequent and the presieved primes of `range`, list by list: those that were struck out themselves.
    ///
    /// A rare prime `p` is not struck out itself: that takes a segment with both `p` and its square, which has more
    /// than `60 p` numbers, and there `p` is frequent.
    pub(super) fn within(&self, range: &RangeInclusive<u64>) -> impl Iterator<Item = u64> {
        let lists = self.frequent.iter().map(Vec::as_slice).chain([&PRESIEVED[..]]);
        lists.flat_map(move |list| {
            let from = list.partition_point(|&prime| u64::from(prime) < *range.start());
            list[from..].iter().map(|&prime| u64::from(prime)).take_while(|prime| prime <= range.end())
        })
    }
}

/// The primes that have few multiples in a segment, or none: up to 203 million primes. The first worker that needs a
/// block finds its primes, which are kept in one byte each.
pub(super) struct Rare {
    /// All rare primes are larger than this.
    above: u32,
    blocks: Box<[OnceLock<Gaps>]>,
    /// The sieve that finds them; `None` if there are none.
    sieve: Option<Sieve>,
}

/// The primes of a block.
struct Gaps {
    first: u32,
    /// For each prime, half of its distance to the one before, which is at most 168 below 2^32; 0 for the first.
    halves: Box<[u8]>,
}

impl Rare {
    fn new(above: u32, limit: u32) -> Self {
        if limit <= above {
            return Self { above, blocks: Box::default(), sieve: None };
        }
        // The last block is found as a whole, also beyond the limit.
        let blocks = u64::from(limit) / BLOCK + 1;
        let end = (blocks * BLOCK - 1).min(u64::from(u32::MAX)) as u32;
        let sieve = Sieve::with(0..=u64::from(end), Plan::full(end));
        Self { above, blocks: (0..blocks).map(|_| OnceLock::new()).collect(), sieve: Some(sieve) }
    }

    /// Returns the blocks with all rare primes up to `limit`, which must not exceed the limit of the plan.
    pub(super) fn blocks(&self, limit: u32) -> RangeInclusive<usize> {
        let block = |prime: u32| (u64::from(prime) / BLOCK) as usize;
        match limit > self.above {
            true => block(self.above + 1)..=block(limit).min(self.blocks.len() - 1),
            #[expect(clippy::reversed_empty_ranges)]
            false => 1..=0,
        }
    }

    /// Calls `each` with the primes of a block up to `limit`, in ascending order, at least one and at most [`BATCH`]
    /// per call. `finder` is the buffer of the worker for finding blocks.
    pub(super) fn primes(
        &self,
        block: usize,
        limit: u32,
        finder: &mut Option<Box<Segment>>,
        mut each: impl FnMut(&[u32]),
    ) {
        let Gaps { first, halves } = self.blocks[block].get_or_init(|| self.find(block, finder));
        let mut primes = [0; BATCH];
        let mut last = *first;
        for halves in halves.chunks(BATCH) {
            let primes = &mut primes[..halves.len()];
            for (prime, half) in primes.iter_mut().zip(halves) {
                last += 2 * u32::from(*half);
                *prime = last;
            }
            let within = if last > limit { primes.partition_point(|&prime| prime <= limit) } else { primes.len() };
            if within > 0 {
                each(&primes[..within]);
            }
            if within < primes.len() {
                break;
            }
        }
    }

    fn find(&self, block: usize, finder: &mut Option<Box<Segment>>) -> Gaps {
        let sieve = self.sieve.as_ref().expect("there is a sieve if there are blocks");
        let finder = finder.get_or_insert_with(|| Box::new(sieve.segment()));
        let start = block as u64 * BLOCK;
        let end = (start + BLOCK - 1).min(u64::from(u32::MAX));
        finder.fill(start.max(u64::from(self.above) + 1)..=end);
        let first = finder.primes().next().expect("every block below 2^32 has a prime") as u32;
        let mut halves = Vec::with_capacity(finder.count() as usize);
        let mut last = first;
        finder.primes().for_each(|prime| {
            halves.push(((prime as u32 - last) / 2) as u8);
            last = prime as u32;
        });
        Gaps { first, halves: halves.into() }
    }
}

/// The most primes per call: they fit into a first-level cache.
pub(super) const BATCH: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::is_prime;

    fn rare(base: &Base, limit: u32) -> Vec<u64> {
        let mut all = Vec::new();
        for block in base.rare.blocks(limit) {
            base.rare.primes(block, limit, &mut None, |primes| all.extend(primes.iter().map(|&p| u64::from(p))));
        }
        all
    }

    #[test]
    fn the_base_is_the_primes_up_to_the_limit() {
        for limit in [0, 1, 157, 158, 163, 10_000, 100_003, BLOCK as u32 - 1, BLOCK as u32 + 1] {
            for frequent in [0, 163, 5000, 327_680] {
                let base = Base::new(&Plan { limit, fixed: true, frequent, span: 30 });
                assert!(base.frequent.iter().flatten().all(|&prime| prime <= frequent));
                for limit in [limit, limit / 2] {
                    let rare = rare(&base, limit);
                    assert!(rare.is_sorted() && rare.iter().all(|&prime| prime > u64::from(frequent)));
                    let mut all: Vec<u64> = base.within(&(0..=u64::from(limit.max(157)))).chain(rare).collect();
                    all.sort_unstable();
                    let limit = u64::from(limit).max(157);
                    assert!(all.into_iter().eq((7..=limit).filter(|&n| is_prime(n))), "{limit} {frequent}");
                }
            }
        }
    }

    #[test]
    fn the_last_block_ends_with_the_largest_prime_of_32_bits() {
        let base = Base::new(&Plan { limit: u32::MAX, fixed: true, frequent: 5000, span: 30 });
        let blocks = base.rare.blocks(u32::MAX);
        let mut last = Vec::new();
        base.rare.primes(*blocks.end(), u32::MAX, &mut None, |primes| last.extend_from_slice(primes));
        assert_eq!(last.last(), Some(&4_294_967_291));
        let from = *blocks.end() as u64 * BLOCK;
        assert!(last.iter().map(|&p| u64::from(p)).eq((from..1 << 32).filter(|&n| is_prime(n))));
    }

    #[test]
    fn the_frequent_are_kept_by_remainder() {
        let base = Base::new(&Plan { limit: 10_000, fixed: true, frequent: 10_000, span: 30 });
        for (list, remainder) in base.frequent.iter().zip([1, 7, 11, 13, 17, 19, 23, 29]) {
            assert!(!list.is_empty() && list.iter().all(|prime| prime % 30 == remainder));
        }
    }
}
