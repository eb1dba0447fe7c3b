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
