//! Strikes out the multiples of the frequent primes, which have many in a segment.
//!
//! The multiples of a prime `p` without the factors 2, 3 and 5 repeat after `30 p` numbers, which are `p` bytes. A
//! period has eight of them, `p` times each residue of the wheel. Their positions in the period can be computed once,
//! and their bits depend only on `p` modulo 30. So eight instructions strike out a period. Periods are always struck
//! out as a whole: the part before or after the segment falls into a margin of the buffer.

use super::wheel::{BIT, RESIDUES};

/// A prime, and the index in the buffer at which its next period begins.
pub(super) struct Striker {
    prime: u32,
    place: u32,
}

/// The strikers: a list per residue of their primes.
#[derive(Default)]
pub(super) struct Strikers([Vec<Striker>; 8]);

impl Strikers {
    /// Sets up strikers for the `primes` up to `root`. The segment begins at byte `first`, counted from number 0, and
    /// at byte `margin` of the buffer.
    pub(super) fn ready(&mut self, primes: &[Vec<u32>; 8], root: u32, first: u64, margin: usize) {
        for (strikers, primes) in self.0.iter_mut().zip(primes) {
            let primes = &primes[..primes.partition_point(|&prime| prime <= root)];
            strikers.clear();
            strikers.extend(primes.iter().map(|&prime| {
                let since = (first % u64::from(prime)) as usize;
                Striker { prime, place: (margin - since) as u32 }
            }));
        }
    }

    /// Strikes out all periods that begin before `end`, of the primes in `from..below`.
    pub(super) fn strike(&mut self, bytes: &mut [u8], end: usize, from: u32, below: u32) {
        let [r1, r7, r11, r13, r17, r19, r23, r29] = self.0.each_mut().map(|strikers| {
            let from = strikers.partition_point(|striker| striker.prime < from);
            let below = strikers.partition_point(|striker| striker.prime < below);
            &mut strikers[from..below]
        });
        strike::<1>(r1, bytes, end);
        strike::<7>(r7, bytes, end);
        strike::<11>(r11, bytes, end);
        strike::<13>(r13, bytes, end);
        strike::<17>(r17, bytes, end);
        strike::<19>(r19, bytes, end);
        strike::<23>(r23, bytes, end);
        strike::<29>(r29, bytes, end);
    }
}

/// Strikes out the periods of primes with remainder `R` modulo 30.
fn strike<const R: usize>(strikers: &mut [Striker], bytes: &mut [u8], end: usize) {
    for Striker { prime, place } in strikers {
        let period = *prime as usize;
        // (30 k + R) w / 30, rounded down, is k w + R w / 30.
        let offsets = RESIDUES.map(|w| period / 30 * usize::from(w) + R * usize::from(w) / 30);
        // Checked once per prime, so that the compiler drops the bounds checks per period.
        assert!(offsets.iter().all(|&offset| offset < period), "a multiple lies in its period");
        let mut at = *place as usize;
        while at < end {
            let bytes = &mut bytes[at..at + period];
            bytes[offsets[0]] &= const { keep(R, 0) };
            bytes[offsets[1]] &= const { keep(R, 1) };
            bytes[offsets[2]] &= const { keep(R, 2) };
            bytes[offsets[3]] &= const { keep(R, 3) };
            bytes[offsets[4]] &= const { keep(R, 4) };
            bytes[offsets[5]] &= const { keep(R, 5) };
            bytes[offsets[6]] &= const { keep(R, 6) };
            bytes[offsets[7]] &= const { keep(R, 7) };
            at += period;
        }
        *place = at as u32;
    }
}

/// Returns all bits of a byte but that of the multiple by the `i`-th residue.
const fn keep(residue: usize, i: usize) -> u8 {
    !BIT[residue * RESIDUES[i] as usize % 30]
}
