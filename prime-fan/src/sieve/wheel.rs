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

/// Returns the bits of a byte whose remainders are at least `from`.
pub(super) fn bits_from(from: u64) -> u8 {
    RESIDUES.iter().zip(0..).filter(|&(&residue, _)| u64::from(residue) >= from).map(|(_, i)| 1 << i).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

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
