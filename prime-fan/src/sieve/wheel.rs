//! The wheel modulo 30: a byte stands for 30 numbers, and its bits for the 8 of them without the factors 2, 3 and 5.

/// The remainders modulo 30 of numbers without the factors 2, 3 and 5: bit `i` of a byte stands for the `i`-th of
/// these.
pub(super) const RESIDUES: [u8; 8] = [1, 7, 11, 13, 17, 19, 23, 29];

/// For each remainder modulo 30, its bit in a byte; 0 for those without one.
pub(super) const BIT: [u8; 30] = {
    let mut bits = [0; 30];
    let mut i = 0;
    while i < 8 {
        bits[RESIDUES[i] as usize] = 1 << i;
        i += 1;
    }
    bits
};

/// The number of each bit of a word, relative to the word's first number. A word is 8 bytes, little-endian.
pub(super) const OFFSET: [u8; 64] = {
    let mut offsets = [0; 64];
    let mut i = 0;
    while i < 64 {
        offsets[i] = 30 * (i / 8) as u8 + RESIDUES[i % 8];
        i += 1;
    }
    offsets
};

/// For each remainder modulo 30, the index of its bit in a byte; [`NONE`] for those without one.
pub(super) const INDEX: [u8; 30] = {
    let mut indices = [NONE; 30];
    let mut i = 0;
    while i < 8 {
        indices[RESIDUES[i] as usize] = i as u8;
        i += 1;
    }
    indices
};

/// No index of a bit.
pub(super) const NONE: u8 = 8;

/// The distance from the `i`-th residue to the next one, in the next byte after the last.
pub(super) const GAPS: [u8; 8] = {
    let mut gaps = [2; 8];
    let mut i = 0;
    while i < 7 {
        gaps[i] = RESIDUES[i + 1] - RESIDUES[i];
        i += 1;
    }
    gaps
};

/// For each remainder modulo 30, the distance to the first residue from it on.
const TO_RESIDUE: [u8; 30] = {
    let mut distances = [0; 30];
    let mut n = 0;
    while n < 30 {
        while INDEX[n + distances[n] as usize] == NONE {
            distances[n] += 1;
        }
        n += 1;
    }
    distances
};

/// For each remainder modulo 30, the index of the first residue from it on.
const NEXT_INDEX: [u8; 30] = {
    let mut indices = [0; 30];
    let mut n = 0;
    while n < 30 {
        indices[n] = INDEX[n + TO_RESIDUE[n] as usize];
        n += 1;
    }
    indices
};

/// Returns how many bytes a step from the `i`-th cofactor to the next has more than a thirtieth of the prime, rounded
/// down, times the gap. `residue` is that of the prime.
pub(super) const fn carry(residue: usize, i: usize) -> usize {
    let cofactor = RESIDUES[i] as usize;
    residue * (cofactor + GAPS[i] as usize) / 30 - residue * cofactor / 30
}

/// A multiple by the cofactor with a certain residue, and the step to the next one.
#[derive(Clone, Copy)]
pub(super) struct Step {
    /// The index of the multiple's bit.
    pub(super) index: u8,
    pub(super) gap: u8,
    pub(super) carry: u8,
}

/// The steps, by the index of the prime's residue and that of the cofactor's.
pub(super) const STEPS: [[Step; 8]; 8] = {
    let mut steps = [[Step { index: 0, gap: 0, carry: 0 }; 8]; 8];
    let mut i = 0;
    while i < 64 {
        let residue = RESIDUES[i / 8] as usize;
        let index = INDEX[residue * RESIDUES[i % 8] as usize % 30];
        steps[i / 8][i % 8] = Step { index, gap: GAPS[i % 8], carry: carry(residue, i % 8) as u8 };
        i += 1;
    }
    steps
};

/// Returns the first multiple of `prime`, a number of the wheel, that is on the wheel, at least `start` and at least the
/// square of `prime`: its distance from `start`, and the index of its cofactor's residue.
#[inline]
pub(super) fn first_multiple(prime: u32, start: u64) -> (u64, u8) {
    let (exact, prime) = (prime < 1 << 13, u64::from(prime));
    let quotient = match exact {
        true => start / prime,
        // A quotient below 2^51 takes less time in floating point. It is rounded up or down, which adding 2^52 does.
        false => (start as f64 / prime as i64 as f64 + (1u64 << 52) as f64).to_bits() & ((1 << 52) - 1),
    };
    let rest = start.wrapping_sub(quotient.wrapping_mul(prime)) as i64;
    let cofactor = (quotient + u64::from(rest > 0)).max(prime);
    let remainder = (cofactor % 30) as usize;
    let cofactor = cofactor + u64::from(TO_RESIDUE[remainder]);
    // Beyond `u64` both wrap around, and the distance is exact.
    (cofactor.wrapping_mul(prime).wrapping_sub(start), NEXT_INDEX[remainder])
}

/// From here on a number cannot be an `f64`, or its remainder is not exact.
pub(super) const EXACT: u64 = 1 << 51;

/// How many primes' quotients are computed at a time.
const TOGETHER: usize = 64;

/// Calls `each` with each of `primes` and its [`first_multiple`]: the number of bytes from `start`, a multiple of 30, and
/// the index of the cofactor's residue. Multiples that are 2^32 bytes away or farther are left out.
///
/// `primes` are of the wheel, and ascend.
#[inline]
pub(super) fn first_multiples(primes: &[u32], start: u64, mut each: impl FnMut(u32, u32, u8)) {
    // Adding 2^52 rounds to the nearest integer, and leaves that integer in the lower bits.
    const ROUND: f64 = (1u64 << 52) as f64;
    // What makes the rounded quotient by 30 that which is rounded down.
    const DOWN: f64 = 0.5 - 1.0 / 60.0;
    for primes in primes.chunks(TOGETHER) {
        let last = u64::from(primes[primes.len() - 1]);
        if start >= EXACT || last * last > start || primes[0] < 1 << 13 {
            for &prime in primes {
                let (distance, cofactor) = first_multiple(prime, start);
                if let Ok(byte) = u32::try_from(distance / 30) {
                    each(prime, byte, cofactor);
                }
            }
            continue;
        }
        let start = start as f64;
        let mut distances = [0; TOGETHER];
        let mut remainders = [0; TOGETHER];
        // In floating point, where all of this is exact, and which the compiler vectorises.
        for ((&prime, distance), remainder) in primes.iter().zip(&mut distances).zip(&mut remainders) {
            let prime = f64::from(prime as i32);
            let quotient = (start / prime + ROUND) - ROUND;
            let rest = start - quotient * prime;
            let up = if rest > 0.0 { 1.0 } else { 0.0 };
            let cofactor = quotient + up;
            let turns = (cofactor * (1.0 / 30.0) - DOWN + ROUND) - ROUND;
            *distance = (up * prime - rest + ROUND).to_bits() as u32;
            *remainder = (cofactor - 30.0 * turns + ROUND).to_bits() as u32;
        }
        for ((&prime, distance), remainder) in primes.iter().zip(distances).zip(remainders) {
            let remainder = remainder as usize % 30;
            each(prime, (distance + prime * u32::from(TO_RESIDUE[remainder])) / 30, NEXT_INDEX[remainder]);
        }
    }
}

/// Returns the bits of a byte whose remainders are at least `from`.
pub(super) fn bits_from(from: u64) -> u8 {
    RESIDUES.iter().zip(0..).filter(|&(&residue, _)| u64::from(residue) >= from).map(|(_, i)| 1 << i).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_first_multiple_is_the_nearest(
            start in any::<u64>(), shift in 0u32..64, prime in 1u64..(1 << 32) / 30, bits in 0u32..27, residue in 0usize..8,
            beside in prop::option::of(-3i64..3),
        ) {
            let prime = 30 * (prime >> bits).max(1) + u64::from(RESIDUES[residue]);
            let start = start >> shift;
            // Beside a multiple, where an inexact quotient may be off by one.
            let start = beside.map_or(start, |beside| (start - start % prime).saturating_add_signed(beside));
            let on_the_wheel = |n: u128| BIT[(n % 30) as usize] != 0;
            let from = u128::from(start).div_ceil(prime.into()).max(prime.into());
            let cofactor = (from..).find(|&n| on_the_wheel(n)).unwrap();
            let (distance, index) = first_multiple(prime as u32, start);
            prop_assert_eq!(u128::from(distance), cofactor * u128::from(prime) - u128::from(start));
            prop_assert_eq!(u128::from(RESIDUES[usize::from(index)]), cofactor % 30);
        }
    }

    proptest! {
        /// At starts beside multiples as well, and of primes whose squares are beyond the start.
        #[test]
        fn first_multiples_are_those_of_each_prime(
            start in any::<u64>(), shift in 13u32..64, primes in prop::collection::vec(0u32..(1 << 29) / 30, 1..200),
            bits in 0u32..24, beside in prop::option::of((0usize..200, 0u64..3)),
        ) {
            let primes: Vec<u32> = primes.iter().zip(RESIDUES.iter().cycle())
                .map(|(&n, &residue)| 30 * (n >> bits) + u32::from(residue)).filter(|&n| n > 1).collect();
            prop_assume!(!primes.is_empty());
            let mut primes = primes;
            primes.sort_unstable();
            let start = start >> shift;
            let near = |(i, less): (usize, u64)| {
                let prime = u64::from(primes[i % primes.len()]);
                (start / prime * prime).saturating_sub(30 * less)
            };
            let start = beside.map_or(start, near) / 30 * 30;
            let mut found = Vec::new();
            first_multiples(&primes, start, |prime, byte, cofactor| found.push((prime, byte, cofactor)));
            let of_each = primes.iter().filter_map(|&prime| {
                let (distance, cofactor) = first_multiple(prime, start);
                Some((prime, u32::try_from(distance / 30).ok()?, cofactor))
            });
            prop_assert!(found.into_iter().eq(of_each));
        }
    }

    #[test]
    fn the_bits_are_the_numbers_prime_to_30() {
        let prime_to_30 = |n: u64| [2, 3, 5].iter().all(|&p| !n.is_multiple_of(p));
        for n in 0..30 {
            assert_eq!(BIT[n as usize] != 0, prime_to_30(n), "{n}");
            let above: u8 = (n..30).map(|m| BIT[m as usize]).sum();
            assert_eq!(bits_from(n), above, "{n}");
        }
        assert!(OFFSET.iter().map(|&n| u64::from(n)).eq((0..240).filter(|&n| prime_to_30(n))));
    }
}
