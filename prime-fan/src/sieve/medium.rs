//! Strikes out the multiples of the medium primes, which have a few in a block of the segment.
//!
//! The multiples of a prime are on the wheel if their cofactors are. A step from one to the next is 2, 4 or 6 times the
//! prime; step and bit depend on the residues of prime and cofactor alone, and these are constants in a loop that is
//! unrolled for the eight cofactors of a turn. The loop for a prime ends at the end of the block, in any of eight places,
//! which the processor can't predict. So that it can at least predict where the loop begins, the primes that wait for
//! the next block are in lists, one per residue of the prime and of the next cofactor.

use std::mem;

use super::wheel::{BIT, GAPS, INDEX, RESIDUES, carry, first_multiples};

/// A prime and its next multiple.
#[derive(Clone, Copy)]
struct Multiple {
    /// The prime divided by 30, rounded down: its list tells the rest.
    thirtieth: u32,
    /// The byte of the multiple, counted from the beginning of the next block.
    byte: u32,
}

/// Lists of primes, by the residue of the next cofactor.
type Lists = [Vec<Multiple>; 8];

/// The medium primes and their next multiples.
#[derive(Default)]
pub(super) struct Medium {
    /// By the residue of the prime.
    lists: [Lists; 8],
    /// Empty lists, which have the memory of those that were struck out last.
    spare: Lists,
}

impl Medium {
    /// Removes all primes.
    pub(super) fn clear(&mut self) {
        self.lists.iter_mut().flatten().for_each(Vec::clear);
    }

    /// Adds `primes` for a segment that begins with the byte `first`, counted from number 0.
    pub(super) fn add(&mut self, primes: &[u32], first: u64) {
        first_multiples(primes, 30 * first, |prime, byte, cofactor| {
            let lists = &mut self.lists[usize::from(INDEX[(prime % 30) as usize])];
            lists[usize::from(cofactor)].push(Multiple { thirtieth: prime / 30, byte });
        });
    }

    /// Strikes out the multiples in the next block, which is all of `bytes`.
    pub(super) fn strike(&mut self, bytes: &mut [u8]) {
        self.strike_all::<false>(bytes);
    }

    /// [`strike`](Self::strike) in the last block: all primes are removed.
    pub(super) fn strike_last(&mut self, bytes: &mut [u8]) {
        self.strike_all::<true>(bytes);
    }

    fn strike_all<const LAST: bool>(&mut self, bytes: &mut [u8]) {
        let [r1, r7, r11, r13, r17, r19, r23, r29] = &mut self.lists;
        strike::<1, LAST>(r1, &mut self.spare, bytes);
        strike::<7, LAST>(r7, &mut self.spare, bytes);
        strike::<11, LAST>(r11, &mut self.spare, bytes);
        strike::<13, LAST>(r13, &mut self.spare, bytes);
        strike::<17, LAST>(r17, &mut self.spare, bytes);
        strike::<19, LAST>(r19, &mut self.spare, bytes);
        strike::<23, LAST>(r23, &mut self.spare, bytes);
        strike::<29, LAST>(r29, &mut self.spare, bytes);
    }
}

/// Strikes out the multiples of primes with remainder `R` modulo 30.
fn strike<const R: usize, const LAST: bool>(lists: &mut Lists, spare: &mut Lists, bytes: &mut [u8]) {
    mem::swap(lists, spare);
    strike_from::<R, 0, LAST>(&mut spare[0], lists, bytes);
    strike_from::<R, 1, LAST>(&mut spare[1], lists, bytes);
    strike_from::<R, 2, LAST>(&mut spare[2], lists, bytes);
    strike_from::<R, 3, LAST>(&mut spare[3], lists, bytes);
    strike_from::<R, 4, LAST>(&mut spare[4], lists, bytes);
    strike_from::<R, 5, LAST>(&mut spare[5], lists, bytes);
    strike_from::<R, 6, LAST>(&mut spare[6], lists, bytes);
    strike_from::<R, 7, LAST>(&mut spare[7], lists, bytes);
}

/// Strikes out the multiples of the primes of one list, the first by the `C`-th cofactor, and moves them to the lists of
/// the next block.
fn strike_from<const R: usize, const C: usize, const LAST: bool>(
    list: &mut Vec<Multiple>,
    next: &mut Lists,
    bytes: &mut [u8],
) {
    'primes: for Multiple { thirtieth, byte } in list.drain(..) {
        let mut at = byte;
        macro_rules! strike {
            ($next:lifetime $cofactor:literal) => {
                let Some(byte) = bytes.get_mut(at as usize) else {
                    if !LAST {
                        next[$cofactor].push(Multiple { thirtieth, byte: at - bytes.len() as u32 });
                    }
                    continue $next;
                };
                *byte &= const { keep(R, $cofactor) };
                at = at.wrapping_add(thirtieth.wrapping_mul(const { GAPS[$cofactor] as u32 })).wrapping_add(const { carry(R, $cofactor) as u32 });
            };
        }
        macro_rules! strike_all {
            ($next:lifetime from $first:ident: $($cofactor:literal)+) => {$(
                if $first <= $cofactor {
                    strike!($next $cofactor);
                }
            )+};
        }
        strike_all!('primes from C: 0 1 2 3 4 5 6 7);
        loop {
            const FIRST: usize = 0;
            strike_all!('primes from FIRST: 0 1 2 3 4 5 6 7);
        }
    }
}

/// Returns all bits of a byte but that of the multiple by the `i`-th residue.
const fn keep(residue: usize, i: usize) -> u8 {
    !BIT[residue * RESIDUES[i] as usize % 30]
}
