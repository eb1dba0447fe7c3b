//! Puts the multiples of the large primes, which have few in a segment, or none, into buckets.

use super::base::BATCH;
use super::buckets::Buckets;
use super::wheel::{EXACT, INDEX, STEPS, Step, first_multiples};

/// A quotient below this is correct to within 1 in floating point, even if the dividend is larger than [`EXACT`].
const NEARLY: u64 = 1 << 50;

/// A prime with so many multiples on the wheel among the numbers of a slice is worth a loop of its own.
const SEVERAL: u32 = 3;

/// Puts the multiples of `primes` in `start..start + len` into buckets: those on the wheel, from the square of the prime
/// on. `primes` are 1 to [`BATCH`] in ascending order, `start` is a multiple of 30, and `len` is below 2^31.
pub(super) fn collect(primes: &[u32], start: u64, len: u32, buckets: &mut Buckets) {
    let last = u64::from(primes[primes.len() - 1]);
    let turn = len / 30 * 8 / SEVERAL;
    if last * last > start {
        step(primes, start, len, buckets);
        return;
    }
    let several = primes.partition_point(|&prime| prime < turn);
    let (several, few) = primes.split_at(several);
    step(several, start, len, buckets);
    if few.is_empty() {
        return;
    }
    let mut firsts = [0; BATCH];
    let firsts = &mut firsts[..few.len()];
    first_odd_multiples(few, start, firsts);
    // As many odd multiples as the least of these primes can have. A branch per prime would be mispredicted.
    let most = len.div_ceil(few[0].saturating_mul(2));
    let mut hits = [0; BATCH];
    for _ in 0..most {
        let mut count = 0;
        for (first, &prime) in firsts.iter_mut().zip(few) {
            hits[count % BATCH] = *first;
            count += usize::from(*first < len);
            *first = first.saturating_add(prime.saturating_mul(2));
        }
        hits[..count].iter().for_each(|&multiple| buckets.push(multiple));
    }
}

/// Puts the multiples of primes into buckets, from one on the wheel to the next.
#[inline(never)]
fn step(primes: &[u32], start: u64, len: u32, buckets: &mut Buckets) {
    first_multiples(primes, start, |prime, byte, cofactor| {
        let (mut byte, mut cofactor) = (byte, usize::from(cofactor));
        let thirtieth = prime / 30;
        let steps = &STEPS[usize::from(INDEX[(prime - 30 * thirtieth) as usize]) % 8];
        while byte < len / 30 {
            let Step { index, gap, carry } = steps[cofactor % 8];
            buckets.push_bit(byte, index);
            // Both are below 2^30: the byte is in the slice, and a fifth of a prime of 32 bits is added.
            byte += thirtieth * u32::from(gap) + u32::from(carry);
            cofactor += 1;
        }
    });
}

/// Writes the distance from `start`, which is even, to the first odd multiple of each of `primes` to `firsts`;
/// [`u32::MAX`] if it is larger. The primes are at least 3, ascend, and are below 2^26 if `start` is below [`EXACT`].
fn first_odd_multiples(primes: &[u32], start: u64, firsts: &mut [u32]) {
    if start < EXACT {
        // In floating point, which the compiler vectorises. Adding 2^52 rounds to the nearest integer, and leaves that
        // integer in the lower bits. So the remainder is from -p to p, relative to an even multiple; the next odd one
        // is p further.
        const ROUND: f64 = (1u64 << 52) as f64;
        let start = start as f64;
        for (first, &prime) in firsts.iter_mut().zip(primes) {
            let prime = f64::from(prime as i32);
            let quotient = (start / (2.0 * prime) + ROUND) - ROUND;
            let remainder = start - quotient * (2.0 * prime);
            *first = (prime - remainder + ROUND).to_bits() as u32;
        }
    } else if start / 2 / u64::from(primes[0]) < NEARLY {
        // The quotient is rounded up or down, with -0.25 more often down. The remainder is computed exactly from it.
        // So, in spite of the inexact quotient, the odd multiple is at most a quarter of a period before the start, and
        // at most a period after it.
        const ROUND: f64 = (1u64 << 52) as f64;
        let float = start as f64;
        for (first, &prime) in firsts.iter_mut().zip(primes) {
            let period = 2 * u64::from(prime);
            let quotient = (float / period as f64 - 0.25 + ROUND).to_bits() & ((1 << 52) - 1);
            let remainder = start.wrapping_sub(quotient.wrapping_mul(period)) as i64;
            let to_odd = i64::from(prime) - remainder;
            let to_odd = if to_odd < 0 { to_odd + period as i64 } else { to_odd };
            *first = to_odd.min(i64::from(u32::MAX)) as u32;
        }
    } else {
        for (first, &prime) in firsts.iter_mut().zip(primes) {
            let (prime, remainder) = (u64::from(prime), start % (2 * u64::from(prime)));
            let to_odd = if remainder <= prime { prime - remainder } else { 3 * prime - remainder };
            *first = to_odd.min(u64::from(u32::MAX)) as u32;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn assert_first_odd_multiples(primes: &[u32], start: u64) {
        let mut firsts = vec![0; primes.len()];
        first_odd_multiples(primes, start, &mut firsts);
        for (&prime, &first) in primes.iter().zip(&firsts) {
            let period = 2 * u128::from(prime);
            let to_odd = (u128::from(start) + u128::from(prime)) % period;
            let expected = if to_odd == 0 { 0 } else { period - to_odd };
            assert_eq!(u128::from(first), expected.min(u128::from(u32::MAX)), "{start}, {prime}");
        }
    }

    proptest! {
        #[test]
        fn the_first_odd_multiple_is_the_nearest(
            start in any::<u64>(), shift in 0u32..64, primes in prop::collection::vec(1u32..1 << 25, 1..20)
        ) {
            let start = (start >> shift) & !1;
            let mut primes: Vec<u32> = primes.into_iter().map(|n| 2 * n + 1).collect();
            primes.sort_unstable();
            for start in [start, start.min(EXACT - 2), start.max(EXACT)] {
                assert_first_odd_multiples(&primes, start);
            }
        }

        /// Starts beside a multiple, where an inexact quotient may be off by one.
        #[test]
        fn the_first_odd_multiple_is_the_nearest_beside_a_multiple(
            prime in 1u32..1 << 31, bits in 0u32..32, multiple in EXACT..=u64::MAX, beside in -2000i64..2000
        ) {
            let prime = (prime >> bits.min(29)) * 2 + 1;
            let multiple = multiple - multiple % u64::from(prime);
            let start = multiple.saturating_add_signed(beside).max(EXACT) & !1;
            assert_first_odd_multiples(&[prime.max(3), prime.max(3).saturating_add(2)], start);
        }
    }
}
