//! The presieve: the multiples of the first primes have short periods, so they are copied from tables, not struck out.

use std::array;

use super::wheel::BIT;

/// The primes whose multiples are in the tables.
pub(super) const PRESIEVED: [u32; 34] = [
    7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113,
    127, 131, 137, 139, 149, 151, 157,
];

/// The bytes that are copied at once. [`presieve`] takes a whole number of chunks.
pub(super) const CHUNK: usize = 1024;

/// Bytes without the multiples of a few primes. They repeat after the product of the primes.
struct Pattern {
    period: usize,
    /// One period and a chunk of the next, so that a chunk can be read from any position in the period.
    bytes: &'static [u8],
}

macro_rules! patterns {
    ($([$($prime:literal)+])+) => {
        [$({
            static BYTES: [u8; $($prime *)+ 1 + CHUNK] = pattern(&[$($prime),+]);
            Pattern { period: $($prime *)+ 1, bytes: &BYTES }
        }),+]
    };
}

/// Each table combines small and large primes, so that all are of about the same size. Together they take 99 kB.
static PATTERNS: [Pattern; 16] = patterns! {
    [7 11 13] [17 19 23] [29 157] [31 151] [37 149] [41 139] [43 137] [47 131]
    [53 127] [59 113] [61 109] [67 107] [71 103] [73 101] [79 97] [83 89]
};

const fn pattern<const LEN: usize>(primes: &[usize]) -> [u8; LEN] {
    let mut bytes = [u8::MAX; LEN];
    let mut i = 0;
    while i < primes.len() {
        let mut multiple = primes[i];
        while multiple < 30 * LEN {
            bytes[multiple / 30] &= !BIT[multiple % 30];
            multiple += 2 * primes[i];
        }
        i += 1;
    }
    bytes
}

/// Sets the bits of the numbers that none of [`PRESIEVED`] divides, and clears the others. `first` is the index of the
/// first byte, counted from number 0.
pub(super) fn presieve(bytes: &mut [u8], first: u64) {
    let mut places = PATTERNS.each_ref().map(|pattern| (first % pattern.period as u64) as usize);
    let (chunks, rest) = bytes.as_chunks_mut::<CHUNK>();
    assert!(rest.is_empty());
    for chunk in chunks {
        chunk.fill(u8::MAX);
        for (patterns, places) in PATTERNS.as_chunks::<4>().0.iter().zip(places.as_chunks_mut::<4>().0) {
            let [a, b, c, d]: [&[u8; CHUNK]; 4] = array::from_fn(|i| {
                patterns[i].bytes[places[i]..].first_chunk().expect("a chunk follows every place of the period")
            });
            // Four tables in one loop, which the compiler vectorises.
            for (i, byte) in chunk.iter_mut().enumerate() {
                *byte &= a[i] & b[i] & c[i] & d[i];
            }
            for (place, pattern) in places.iter_mut().zip(patterns) {
                *place = (*place + CHUNK) % pattern.period;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::wheel::RESIDUES;
    use super::*;

    #[test]
    fn what_is_left_has_no_factor_among_the_primes() {
        for first in [0, 1, 1000, 1001, 123_456_789, u64::MAX / 30 - 3000] {
            let mut bytes = [0; 3 * CHUNK];
            presieve(&mut bytes, first);
            for (byte, number) in bytes.iter().zip(first..) {
                for (i, residue) in RESIDUES.iter().enumerate() {
                    let n = u128::from(number) * 30 + u128::from(*residue);
                    let left = PRESIEVED.iter().all(|&p| n % u128::from(p) != 0);
                    assert_eq!(byte >> i & 1 == 1, left, "{n}");
                }
            }
        }
    }
}
