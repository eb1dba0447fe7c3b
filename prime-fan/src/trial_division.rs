//! The slow primality test: trial division.

/// How many divisors are tried between two calls of `give_up`: these take a fraction of a millisecond, so that the cost
/// of a call does not matter.
const DIVISORS: u64 = 1 << 16;

/// Returns true if `n` is prime, by dividing it by 2 and by every odd number up to its square root.
///
/// The result is correct for every `u64`. The cost is proportional to the smallest factor of a composite, and to the
/// square root of a prime: a prime near 2^64 takes some seconds. [`trial_division`] can be cancelled.
///
/// # Examples
///
/// ```
/// use prime_fan::is_prime_by_trial_division;
///
/// assert!(is_prime_by_trial_division(999_999_999_989));
/// assert!(!is_prime_by_trial_division(u64::MAX)); // 3 divides it
/// ```
#[must_use]
pub fn is_prime_by_trial_division(n: u64) -> bool {
    trial_division(n, || false).expect("it is never asked to give up")
}

/// [`is_prime_by_trial_division`] that can be cancelled: returns `None` if `give_up` returns true first.
///
/// `give_up` is called after every 65,536 divisors, which take less than a millisecond. If fewer divisors decide, it is
/// not called.
///
/// # Examples
///
/// ```
/// use prime_fan::trial_division;
///
/// // 7 is a divisor, found before the first call.
/// assert_eq!(trial_division(91, || true), Some(false));
/// assert_eq!(trial_division(999_999_999_989, || false), Some(true));
/// assert_eq!(trial_division(18_446_744_073_709_551_557, || true), None);
/// ```
#[must_use]
pub fn trial_division(n: u64, mut give_up: impl FnMut() -> bool) -> Option<bool> {
    if n < 4 || n.is_multiple_of(2) {
        return Some(n == 2 || n == 3);
    }
    odd_divisors_from(3, n, &mut give_up)
}

/// Returns true if no odd number from `divisor`, itself odd, to the square root of `n` divides `n`.
fn odd_divisors_from(mut divisor: u64, n: u64, give_up: &mut impl FnMut() -> bool) -> Option<bool> {
    let root = n.isqrt();
    while divisor <= root {
        // At most 2^32 + 2 * DIVISORS: far from an overflow, unlike a divisor's square.
        let end = root.min(divisor + 2 * DIVISORS - 1);
        while divisor <= end {
            if n.is_multiple_of(divisor) {
                return Some(false);
            }
            divisor += 2;
        }
        if divisor <= root && give_up() {
            return None;
        }
    }
    Some(true)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::is_prime;

    /// The largest prime below 2^64.
    const LARGEST: u64 = 18_446_744_073_709_551_557;

    #[test]
    fn all_small_numbers_agree_with_the_fast_finder() {
        for n in 0..200_000 {
            assert_eq!(is_prime_by_trial_division(n), is_prime(n), "{n}");
        }
    }

    #[test]
    fn squares_of_primes_are_composite() {
        for p in [3u64, 5, 131_071, 131_101, 65_537, 262_147] {
            assert!(is_prime_by_trial_division(p), "{p}");
            assert!(!is_prime_by_trial_division(p * p), "{p} squared");
        }
    }

    #[test]
    fn giving_up_is_asked_once_a_block() {
        let mut questions = 0;
        let n = 1_000_000_000_039; // a prime
        let prime = trial_division(n, || {
            questions += 1;
            false
        });
        assert_eq!(prime, Some(true));
        assert_eq!(questions, (n.isqrt() - 3) / 2 / DIVISORS);
    }

    #[test]
    fn a_number_that_is_decided_within_a_block_is_never_given_up() {
        let least = (2 * DIVISORS).pow(2);
        for n in (0..1000).chain(least - 1000..least) {
            assert_eq!(trial_division(n, || panic!("give_up is called for {n}")), Some(is_prime(n)));
        }
    }

    #[test]
    fn the_longest_item_gives_up_at_once() {
        assert_eq!(trial_division(LARGEST, || true), None);
    }

    #[test]
    fn the_last_divisors_do_not_overflow() {
        let near_the_end = u64::from(u32::MAX) - 1_000_000;
        let largest_square = 4_294_967_291u64.pow(2);
        assert_eq!(odd_divisors_from(near_the_end, LARGEST, &mut || false), Some(true));
        assert_eq!(odd_divisors_from(near_the_end, largest_square, &mut || false), Some(false));
        assert_eq!(odd_divisors_from(near_the_end, u64::MAX - 2, &mut || false), Some(true));
    }

    proptest! {
        #[test]
        fn random_numbers_agree_with_the_fast_finder(n in 0u64..1 << 44) {
            prop_assert_eq!(is_prime_by_trial_division(n), is_prime(n));
        }
    }
}
