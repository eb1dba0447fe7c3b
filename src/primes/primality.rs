//! The fast finder.

/// Whether `n` is prime. Right for every `u64`; it takes about 40 ns for a random number and 600 ns for a prime.
///
/// The algorithm is that of the crate [`machine-prime`](https://docs.rs/machine-prime): trial division by the first
/// primes, then strong Fermat tests. Below 2^47 one is enough, to a base that a hash of `n` picks from a table; from
/// there on it is one to base 2 and one to such a base. Hashing the base is due to M. Forišek and J. Jančina, "Fast
/// Primality Testing for Integers That Fit into a Machine Word" (2015). The tables were checked against all composites
/// below 2^64 that pass the test to base 2, so this is a proof and not a probability.
///
/// ```
/// use actix_fan::primes::is_prime;
///
/// assert!(is_prime(18_446_744_073_709_551_557)); // the largest below 2^64
/// assert!(!is_prime(3_215_031_751)); // passes the strong test to the bases 2, 3, 5 and 7
/// assert!(!is_prime(0) && !is_prime(1) && is_prime(2));
/// ```
#[inline]
#[must_use]
pub fn is_prime(n: u64) -> bool {
    machine_prime::is_prime(n)
}

/// Whether `n` is prime, as far as anybody knows: right below 2^64, and above it no composite is known that passes. It
/// takes about 0.3 us for a random odd number above 2^64 and some 4 us for a prime.
///
/// Above 2^64 the algorithm is a variant of the test of Baillie, Pomerance, Selfridge and Wagstaff, that of
/// [`machine-prime`](https://docs.rs/machine-prime): trial division by the first primes, a strong Fermat test to base 2,
/// and a Lucas test.
///
/// ```
/// use actix_fan::primes::is_probable_prime;
///
/// assert!(is_probable_prime((1 << 127) - 1)); // a Mersenne prime
/// assert!(!is_probable_prime((1 << 64) + 1)); // 274177 * 67280421310721
/// ```
#[inline]
#[must_use]
pub fn is_probable_prime(n: u128) -> bool {
    machine_prime::is_prime_128(n)
}

#[cfg(test)]
mod tests {
    use num_prime::nt_funcs::{is_prime as is_prime_of_any_size, is_prime64};
    use proptest::prelude::*;

    use super::*;

    /// For each number below `end` whether it is prime, by the sieve of Eratosthenes.
    fn sieve(end: usize) -> Vec<bool> {
        let mut prime = vec![true; end];
        prime[..2].fill(false);
        for n in (2..end).take_while(|n| n * n < end) {
            if prime[n] {
                (n * n..end).step_by(n).for_each(|multiple| prime[multiple] = false);
            }
        }
        prime
    }

    #[test]
    fn all_small_numbers_agree_with_a_sieve() {
        for (n, prime) in sieve(200_000).into_iter().enumerate() {
            assert_eq!(is_prime(n as u64), prime, "{n}");
        }
    }

    #[test]
    fn known_primes_are_prime() {
        const MERSENNE_61: u64 = (1 << 61) - 1;
        const LARGEST: u64 = 18_446_744_073_709_551_557;
        for n in [2, 3, 727, 733, 65_537, 2_147_483_647, 4_294_967_291, 4_294_967_311, 999_999_999_989] {
            assert!(is_prime(n), "{n}");
        }
        for n in [140_737_488_355_213, 140_737_488_355_333, 9_223_372_036_854_775_783, MERSENNE_61, LARGEST] {
            assert!(is_prime(n), "{n}");
        }
        assert!((LARGEST + 1..=u64::MAX).all(|n| !is_prime(n)));
    }

    #[test]
    fn carmichael_numbers_are_composite() {
        for n in [561, 1105, 1729, 2465, 41_041, 825_265, 321_197_185, 5_394_826_801, 232_250_619_601] {
            assert!(!is_prime(n), "{n}");
        }
        for n in [9_746_347_772_161, 1_436_697_831_295_441, 60_977_817_398_996_785, 7_156_857_700_403_137_441] {
            assert!(!is_prime(n), "{n}");
        }
    }

    /// The least composites that pass the strong test to the first 1, 2, 3, ... 9 prime bases (Jaeschke 1993, Jiang and
    /// Deng 2012), and squares of the primes whose squares pass it to base 2.
    #[test]
    fn strong_pseudoprimes_are_composite() {
        for n in [2047, 1_373_653, 25_326_001, 3_215_031_751, 2_152_302_898_747, 3_474_749_660_383] {
            assert!(!is_prime(n), "{n}");
        }
        for n in [341_550_071_728_321, 3_825_123_056_546_413_051, 1093 * 1093, 3511 * 3511] {
            assert!(!is_prime(n), "{n}");
        }
    }

    #[test]
    fn squares_and_products_of_large_primes_are_composite() {
        const BELOW_2_32: [u64; 3] = [4_294_967_291, 4_294_967_279, 4_294_967_231];
        for p in BELOW_2_32 {
            for q in BELOW_2_32 {
                assert!(is_prime(p) && !is_prime(p * q), "{p} * {q}");
            }
        }
    }

    #[test]
    fn neighbourhoods_of_powers_of_two_agree_with_another_implementation() {
        for bits in [31, 32, 33, 46, 47, 48, 62, 63] {
            let centre = 1u64 << bits;
            for n in centre - 5000..=centre + 5000 {
                assert_eq!(is_prime(n), is_prime64(n), "{n}");
            }
        }
        for n in u64::MAX - 10_000..=u64::MAX {
            assert_eq!(is_prime(n), is_prime64(n), "{n}");
        }
    }

    /// The primes next to powers of two, as 2^k - d and 2^k + d.
    #[test]
    fn known_wide_primes_are_probably_prime() {
        for (k, below, above) in [(64, 59, 13), (65, 49, 131), (80, 65, 13), (96, 17, 61), (100, 15, 277), (127, 1, 29)]
        {
            let power = 1u128 << k;
            assert!(is_probable_prime(power - below) && is_probable_prime(power + above), "2^{k}");
            assert!((power - below + 1..power + above).all(|n| !is_probable_prime(n)), "around 2^{k}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        /// Numbers of every length; a uniform `u64` would be a long one nearly always.
        #[test]
        fn random_numbers_agree_with_another_implementation(n in any::<u64>(), shift in 0u32..64) {
            let n = n >> shift;
            prop_assert_eq!(is_prime(n), is_prime64(n));
            prop_assert_eq!(is_prime(n | 1), is_prime64(n | 1));
        }

        #[test]
        fn wide_numbers_agree_with_another_implementation(n in any::<u128>(), shift in 0u32..128) {
            let n = n >> shift | 1;
            prop_assert_eq!(is_probable_prime(n), is_prime_of_any_size(&n, None).probably());
        }

        #[test]
        fn a_wide_product_is_composite(a in 1 << 32..=u64::MAX, b in 1 << 32..=u64::MAX) {
            prop_assert!(!is_probable_prime(u128::from(a) * u128::from(b)));
        }

        #[test]
        fn a_product_is_composite(a in 2..=u64::from(u32::MAX), b in 2..=u64::from(u32::MAX)) {
            prop_assert!(!is_prime(a * b));
        }
    }
}
