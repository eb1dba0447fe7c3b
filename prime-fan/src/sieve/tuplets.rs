//! Tuplets: primes as close to each other as infinitely many can be.

/// The distance of the first and the last prime of the widest tuplet.
pub(super) const WIDTH: u64 = 16;

/// The distances of a tuplet's primes from its first, by the number of primes.
const PATTERNS: [&[&[u64]]; 5] = [
    &[&[0, 2]],
    &[&[0, 2, 6], &[0, 4, 6]],
    &[&[0, 2, 6, 8]],
    &[&[0, 2, 6, 8, 12], &[0, 4, 6, 10, 12]],
    &[&[0, 4, 6, 10, 12, 16]],
];

/// Returns true if successive primes are a tuplet. Between the primes of a tuplet there is no further one: with them, it
/// would have each remainder modulo 3. 0 stands for a prime that is not there.
#[inline]
pub(super) fn is_tuplet<const K: usize>(primes: [u64; K]) -> bool {
    let [first, .., last] = primes[..] else { return false };
    // Most primes are farther from each other.
    if last - first > WIDTH || first == 0 {
        return false;
    }
    PATTERNS[K - 2].iter().any(|pattern| pattern.iter().zip(primes).all(|(distance, prime)| first + distance == prime))
}
