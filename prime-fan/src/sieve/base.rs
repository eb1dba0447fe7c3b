//! The base: the primes whose multiples are struck out.

use std::array;
use std::ops::RangeInclusive;
use std::sync::OnceLock;

use super::plan::{BLOCK, Plan};
use super::presieve::PRESIEVED;
use super::wheel::INDEX;
use super::{Segment, Sieve};

/// The primes whose multiples are struck out, without those of the presieve.
pub(super) struct Base {
    /// The smaller primes, of which whole periods are struck out: a list per remainder modulo 30, each in ascending
    /// order.
    pub(super) frequent: [Vec<u32>; 8],
    /// The primes between the frequent and the large ones.
    medium: Box<[Medium]>,
    /// The others.
    pub(super) large: Large,
}

/// A part of the medium primes, which the first worker that needs it finds, in less than a millisecond.
pub(super) struct Medium {
    primes: OnceLock<Box<[u32]>>,
    range: RangeInclusive<u32>,
    /// True if its primes are larger than [`Plan::narrow`].
    pub(super) is_wide: bool,
}

/// The most numbers of a part of the medium primes.
const PART: u32 = 1 << 20;

impl Base {
    /// Finds the frequent primes up to the limit of `plan`. The others are found when they are needed.
    pub(super) fn new(plan: &Plan) -> Self {
        let mut frequent = array::from_fn(|_| Vec::new());
        let last = PRESIEVED[PRESIEVED.len() - 1];
        each_prime(last + 1..=plan.limit.min(plan.frequent), |prime| {
            frequent[usize::from(INDEX[(prime % 30) as usize])].push(prime);
        });
        let frequent_limit = last.max(plan.frequent);
        let medium_limit = frequent_limit.max(plan.medium);
        let mut medium = Vec::new();
        let (mut first, last) = (frequent_limit + 1, plan.limit.min(medium_limit));
        while first <= last {
            let is_wide = first > plan.narrow();
            let end = if is_wide { last } else { last.min(plan.narrow()) };
            let end = end.min(first.saturating_add(PART - 1));
            medium.push(Medium { primes: OnceLock::new(), range: first..=end, is_wide });
            let Some(next) = end.checked_add(1) else { break };
            first = next;
        }
        let medium = medium.into();
        Self { frequent, medium, large: Large::new(medium_limit, plan) }
    }

    /// Returns the parts of the medium primes that have numbers up to `limit`, in ascending order.
    pub(super) fn medium(&self, limit: u32) -> impl Iterator<Item = &Medium> {
        self.medium.iter().take_while(move |part| *part.range.start() <= limit)
    }

    /// Returns the frequent and the presieved primes of `range`, list by list: those that were struck out themselves.
    pub(super) fn within(&self, range: &RangeInclusive<u64>) -> impl Iterator<Item = u64> {
        let lists = self.frequent.iter().map(Vec::as_slice).chain([&PRESIEVED[..]]);
        lists.flat_map(move |list| {
            let from = list.partition_point(|&prime| u64::from(prime) < *range.start());
            list[from..].iter().map(|&prime| u64::from(prime)).take_while(|prime| prime <= range.end())
        })
    }
}

impl Medium {
    /// Returns the primes up to `limit`, in ascending order.
    pub(super) fn up_to(&self, limit: u32) -> &[u32] {
        let Self { primes, range, .. } = self;
        let primes = primes.get_or_init(|| {
            let mut primes = Vec::new();
            each_prime(range.clone(), |prime| primes.push(prime));
            primes.into()
        });
        &primes[..primes.partition_point(|&prime| prime <= limit)]
    }
}

/// Calls `each` with the primes of `range`, in ascending order.
fn each_prime(range: RangeInclusive<u32>, mut each: impl FnMut(u32)) {
    if range.is_empty() {
        return;
    }
    // This sieve needs a base up to the square root of the limit: the recursion ends after two or three levels.
    let (start, end) = (u64::from(*range.start()), u64::from(*range.end()));
    let sieve = Sieve::with(start..=end, Plan::full(*range.end()));
    let mut segment = sieve.segment();
    for part in sieve.segments() {
        segment.fill(part);
        segment.primes().for_each(|prime| each(prime as u32));
    }
}

/// The large primes: up to 203 million. A worker that needs a block of them finds it. The first blocks are kept, in one
/// byte per prime: their primes are needed several times per slice.
pub(super) struct Large {
    /// All large primes are larger than this.
    above: u32,
    kept: Box<[OnceLock<Gaps>]>,
    /// The sieve that finds them; `None` if there are none.
    sieve: Option<Sieve>,
    /// The parts of these primes whose multiples are sorted in one go: they take a millisecond or two.
    pub(super) tasks: Box<[RangeInclusive<u32>]>,
}

/// The primes of a block.
struct Gaps {
    first: u32,
    /// For each prime, half of its distance to the one before, which is at most 168 below 2^32; 0 for the first.
    halves: Box<[u8]>,
}

/// How many blocks are kept: with 16 MB of primes.
const KEPT: u64 = 80;

impl Large {
    fn new(above: u32, plan: &Plan) -> Self {
        let limit = plan.limit;
        if limit <= above {
            return Self { above, kept: Box::default(), sieve: None, tasks: Box::default() };
        }
        // The last block is found as a whole, also beyond the limit.
        let blocks = u64::from(limit) / BLOCK + 1;
        let end = (blocks * BLOCK - 1).min(u64::from(u32::MAX)) as u32;
        let sieve = Sieve::with(0..=u64::from(end), Plan::full(end));
        let kept = (0..blocks.min(KEPT)).map(|_| OnceLock::new()).collect();
        Self { above, kept, sieve: Some(sieve), tasks: plan.tasks(above) }
    }

    /// Calls `each` with the primes of a task, in ascending order, at least one and at most [`BATCH`] per call: those
    /// that strike in the `len` numbers from `start` on. `finder` is the buffer of the worker for finding blocks.
    pub(super) fn primes(
        &self,
        task: usize,
        start: u64,
        len: u32,
        finder: &mut Option<Box<Segment>>,
        mut each: impl FnMut(&[u32]),
    ) {
        let (from, to) = (*self.tasks[task].start(), *self.tasks[task].end());
        if u64::from(from).pow(2) > start.saturating_add(len.into()) {
            return;
        }
        let block = (u64::from(from) / BLOCK) as usize;
        let found;
        let Gaps { first, halves } = match self.kept.get(block) {
            Some(kept) => kept.get_or_init(|| self.find(block, finder)),
            None => {
                found = self.find(block, finder);
                &found
            }
        };
        let mut primes = [0; BATCH];
        let mut last = *first;
        for halves in halves.chunks(BATCH) {
            let primes = &mut primes[..halves.len()];
            for (prime, half) in primes.iter_mut().zip(halves) {
                last += 2 * u32::from(*half);
                *prime = last;
            }
            if last < from {
                continue;
            }
            let first = if primes[0] < from { primes.partition_point(|&prime| prime < from) } else { 0 };
            let within = if last > to { primes.partition_point(|&prime| prime <= to) } else { primes.len() };
            if first < within {
                each(&primes[first..within]);
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
        finder.fill(start.max(u64::from(self.above) + 1).min(end)..=end);
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
    use std::ops::Range;

    use super::super::caches::Caches;
    use super::*;
    use crate::is_prime;

    const CACHES: Caches = Caches { block: 24 << 10, blocks: 512 << 10 };

    fn medium(base: &Base, limit: u32) -> Vec<u32> {
        let parts = base.medium(limit).map(|part| {
            let primes = part.up_to(limit);
            assert!(primes.iter().all(|&prime| (prime > CACHES.blocks as u32 * 3) == part.is_wide));
            primes
        });
        parts.collect::<Vec<_>>().concat()
    }

    fn plan(limit: u32, frequent: u32, medium: u32) -> Plan {
        Plan { limit, fixed: true, frequent, medium, span: 30, slice: 1000, caches: CACHES, segments: 8 }
    }

    fn large(base: &Base, tasks: Range<usize>) -> Vec<u64> {
        let mut all = Vec::new();
        let start = u64::MAX - 40;
        for task in tasks {
            base.large.primes(task, start, 30, &mut None, |primes| all.extend(primes.iter().map(|&p| u64::from(p))));
        }
        all
    }

    #[test]
    fn the_base_is_the_primes_up_to_the_limit() {
        for limit in [0, 1, 157, 158, 163, 10_000, 100_003, BLOCK as u32 - 1, BLOCK as u32 + 1] {
            for frequent in [0, 163, 5000, 327_680] {
                for most in [0, 158, 12_000, 2_000_000] {
                    let base = Base::new(&plan(limit, frequent, most));
                    assert!(base.frequent.iter().flatten().all(|&prime| prime <= frequent));
                    let large = large(&base, 0..base.large.tasks.len());
                    assert!(large.is_sorted() && large.iter().all(|&prime| prime > u64::from(frequent.max(most))));
                    assert!(medium(&base, limit).iter().all(|prime| *prime <= most && *prime > frequent));
                    let mut all: Vec<u64> = base.within(&(0..=u64::from(limit.max(157)))).chain(large).collect();
                    all.extend(medium(&base, limit).iter().map(|&prime| u64::from(prime)));
                    all.sort_unstable();
                    let limit = u64::from(limit).max(157);
                    assert!(all.into_iter().eq((7..=limit).filter(|&n| is_prime(n))), "{limit} {frequent} {most}");
                    let half = u64::from(limit as u32 / 2).max(157);
                    assert!(medium(&base, half as u32).iter().all(|&prime| u64::from(prime) <= half));
                }
            }
        }
    }

    #[test]
    fn the_last_block_ends_with_the_largest_prime_of_32_bits() {
        let base = Base::new(&plan(u32::MAX, 5000, 5000));
        let tasks = base.large.tasks.len();
        let last = large(&base, tasks - 1..tasks);
        assert_eq!(last.last(), Some(&4_294_967_291));
        let from = u64::from(*base.large.tasks[tasks - 1].start());
        assert!(last.into_iter().eq((from..1 << 32).filter(|&n| is_prime(n))));
    }

    #[test]
    fn the_frequent_are_kept_by_remainder() {
        let base = Base::new(&plan(10_000, 10_000, 0));
        for (list, remainder) in base.frequent.iter().zip([1, 7, 11, 13, 17, 19, 23, 29]) {
            assert!(!list.is_empty() && list.iter().all(|prime| prime % 30 == remainder));
        }
    }
}
