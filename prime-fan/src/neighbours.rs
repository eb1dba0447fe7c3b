//! The primes next to a number.

use crate::is_prime;

/// Returns the least prime above `n`; `None` if there is none in 64 bits.
///
/// This takes some microseconds: it tests one odd number after the other. To visit many primes, a
/// [`Sieve`](crate::Sieve) takes less time.
///
/// # Examples
///
/// ```
/// use prime_fan::next_prime;
///
/// assert_eq!(next_prime(7), Some(11));
/// assert_eq!(next_prime(1_000_000_000_000_000_000), Some(1_000_000_000_000_000_003));
/// assert_eq!(next_prime(18_446_744_073_709_551_557), None); // the largest below 2^64
/// ```
#[must_use]
pub fn next_prime(n: u64) -> Option<u64> {
    if n < 2 {
        return Some(2);
    }
    let odd = n.checked_add(1)? | 1;
    (odd..=u64::MAX).step_by(2).find(|&n| is_prime(n))
}

/// Returns the largest prime below `n`; `None` if there is none, up to 2.
///
/// # Examples
///
/// ```
/// use prime_fan::previous_prime;
///
/// assert_eq!(previous_prime(7), Some(5));
/// assert_eq!(previous_prime(1_000_000_000_000_000_000), Some(999_999_999_999_999_989));
/// assert_eq!(previous_prime(2), None);
/// ```
#[must_use]
pub fn previous_prime(n: u64) -> Option<u64> {
    if n <= 3 {
        return (n == 3).then_some(2);
    }
    let odd = (n - 2) | 1;
    (3..=odd).rev().step_by(2).find(|&n| is_prime(n))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LARGEST: u64 = 18_446_744_073_709_551_557;

    #[test]
    fn the_first_numbers_and_the_last_have_their_neighbours() {
        let next = [2, 2, 3, 5, 5, 7, 7, 11, 11, 11, 11, 13];
        assert!((0..12).map(next_prime).eq(next.map(Some)));
        let previous =
            [None, None, None, Some(2), Some(3), Some(3), Some(5), Some(5), Some(7), Some(7), Some(7), Some(7)];
        assert!((0..12).map(previous_prime).eq(previous));
        assert_eq!(next_prime(LARGEST - 1), Some(LARGEST));
        assert!((LARGEST..=u64::MAX).all(|n| next_prime(n).is_none()));
        assert!((LARGEST + 1..=u64::MAX).all(|n| previous_prime(n) == Some(LARGEST)));
        assert!(previous_prime(LARGEST).is_some_and(|n| n < LARGEST && next_prime(n) == Some(LARGEST)));
    }

    proptest! {
        #[test]
        fn no_prime_lies_between_a_number_and_its_neighbour(n in any::<u64>(), shift in 0u32..64) {
            let n = n >> shift;
            if let Some(next) = next_prime(n) {
                prop_assert!(next > n && is_prime(next) && (n + 1..next).all(|n| !is_prime(n)));
            }
            if let Some(previous) = previous_prime(n) {
                prop_assert!(previous < n && is_prime(previous) && (previous + 1..n).all(|n| !is_prime(n)));
            }
        }
    }
}
