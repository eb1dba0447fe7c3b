//! Striking out the multiples of primes that have few in a segment, or none.
//!
//! There are so many of these primes that a branch that is mispredicted for each would be most of the work. So all of a
//! prime's odd multiples are struck out that a segment can have, whether there are so many or not, and whether they are
//! on the wheel or not: what is too much falls into a margin of the buffer, or keeps all bits.

use super::wheel::BIT;

/// At how many primes the remainders are computed before they are used.
const BATCH: usize = 512;

/// How many bytes behind the segment take the strikes that miss it. They take turns: strikes of one byte would have to
/// wait for each other.
pub(super) const MARGIN: usize = 64;

/// From here on a number is no `f64`, or its remainder isn't exact.
const EXACT: u64 = 1 << 51;

/// For each remainder modulo 30 all bits but that of its number.
const KEEP: [u8; 32] = {
    let mut keep = [u8::MAX; 32];
    let mut n = 0;
    while n < 30 {
        keep[n] = !BIT[n];
        n += 1;
    }
    keep
};

/// Strikes out the odd multiples of `primes`, which ascend, in a segment that begins with the number `start`, a multiple
/// of 30, and takes all of `bytes` but the margin.
pub(super) fn strike(primes: &[u32], bytes: &mut [u8], start: u64) {
    let len = (30 * (bytes.len() - MARGIN)) as u32;
    let (several, one) = primes.split_at(primes.partition_point(|&prime| 2 * prime < len));
    let mut firsts = [0; BATCH];
    for primes in several.chunks(BATCH) {
        let firsts = &mut firsts[..primes.len()];
        first_odd_multiples(primes, start, firsts);
        // As many as the least of these primes can have.
        let most = len.div_ceil(2 * primes[0]);
        for (&prime, &first) in primes.iter().zip(&*firsts) {
            for i in 0..most {
                strike_one(bytes, first + i * 2 * prime);
            }
        }
    }
    for primes in one.chunks(BATCH) {
        let firsts = &mut firsts[..primes.len()];
        first_odd_multiples(primes, start, firsts);
        // Most have none: first to gather those that have one is faster than to strike beside the segment.
        let mut hits = [0; BATCH];
        let mut count = 0;
        for &first in &*firsts {
            hits[count % BATCH] = first;
            count += usize::from(first < len);
        }
        hits[..count].iter().for_each(|&multiple| strike_one(bytes, multiple));
    }
}

/// Strikes out the number that is so far from the first of the segment, if it is in the segment.
#[inline(always)]
fn strike_one(bytes: &mut [u8], number: u32) {
    let len = bytes.len() - MARGIN;
    let byte = (number / 30) as usize;
    let byte = if byte < len { byte } else { len + byte % MARGIN };
    bytes[byte] &= KEEP[(number % 30) as usize];
}

/// How far from `start`, which is even, the first odd multiple of each of `primes` is. They are below 2^26.
fn first_odd_multiples(primes: &[u32], start: u64, firsts: &mut [u32]) {
    if start < EXACT {
        // In floating point, because that is done for several at once. Adding what leaves no room for a fraction rounds to
        // the nearest, and leaves an integer in the lower bits. The remainder is then -p to p: it is relative to an even
        // multiple, and the odd one is p further.
        const ROUND: f64 = (1u64 << 52) as f64;
        let start = start as f64;
        for (first, &prime) in firsts.iter_mut().zip(primes) {
            let prime = f64::from(prime as i32);
            let quotient = (start / (2.0 * prime) + ROUND) - ROUND;
            let remainder = start - quotient * (2.0 * prime);
            *first = (prime - remainder + ROUND).to_bits() as u32;
        }
    } else {
        for (first, &prime) in firsts.iter_mut().zip(primes) {
            let remainder = (start % (2 * u64::from(prime))) as u32;
            *first = if remainder <= prime { prime - remainder } else { 3 * prime - remainder };
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_first_odd_multiple_is_the_nearest(
            start in any::<u64>(), shift in 0u32..64, primes in prop::collection::vec(1u32..1 << 25, 1..20)
        ) {
            let start = (start >> shift) & !1;
            let primes: Vec<u32> = primes.into_iter().map(|n| 2 * n + 1).collect();
            for start in [start, start.min(EXACT - 2), start.max(EXACT)] {
                let mut firsts = vec![0; primes.len()];
                first_odd_multiples(&primes, start, &mut firsts);
                for (&prime, &first) in primes.iter().zip(&firsts) {
                    let multiple = u128::from(start) + u128::from(first);
                    prop_assert!(first < 2 * prime, "{start}, {prime}");
                    prop_assert_eq!(multiple % (2 * u128::from(prime)), u128::from(prime));
                }
            }
        }
    }
}
