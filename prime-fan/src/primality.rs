//! The fast primality tests.

use std::array;

use machine_prime::{mont_prod, mul_inv2, one_mont, witness_selector};
use machine_prime::{mul_inv2_128, one_mont_128, strong_fermat_128, to_mont_128};

/// Below this number, about 2^81.5, the result of [`is_probable_prime`] is proven.
///
/// It is 3,317,044,064,679,887,385,961,981, the least composite that passes the strong test to each of the first 13
/// primes (J. Sorenson and J. Webster, "Strong Pseudoprimes to Twelve Prime Bases", 2015).
pub const PROVEN_BELOW: u128 = 3_317_044_064_679_887_385_961_981;

/// The first 13 primes without 2, whose test comes first and separately.
const BASES: [u128; 12] = [3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41];

/// Returns true if `n` is prime.
///
/// The result is correct for every `u64`. A test takes about 40 ns for a random number and 600 ns for a prime.
///
/// The algorithm is that of the crate [`machine-prime`](https://docs.rs/machine-prime): trial division by the first
/// primes, then strong Fermat tests. Below 2^47 there is one test, to a base that a hash of `n` selects from a table;
/// from 2^47 on, a test to base 2 precedes it. The hashed base is a method of M. Forišek and J. Jančina, "Fast
/// Primality Testing for Integers That Fit into a Machine Word" (2015).
///
/// # Why this is a proof
///
/// A prime passes every strong test. Computations have shown that no composite does, in two parts:
///
/// - From 2^47 on, only composites that pass the test to base 2 get the test with the table. J. Feitsma and W. Galway
///   have listed all composites below 2^64 that pass even the weaker Fermat test to base 2. The bases of the table are
///   chosen so that each composite of the list fails the test to its base. The author of machine-prime has published
///   the program that chooses the bases and then checks them against the whole list (`f-analysis`).
/// - Below 2^47 there is no test to base 2, so that list proves nothing. The bases are chosen so that no composite of
///   this size that is left after trial division passes the test to its base. This is the method of V. Wegner, "The
///   Single-Shot Miller-Rabin Test" (2025), to which machine-prime refers; the computation was done by the author of
///   machine-prime.
///
/// # Examples
///
/// ```
/// use prime_fan::is_prime;
///
/// assert!(is_prime(18_446_744_073_709_551_557)); // the largest below 2^64
/// // Passes the strong test to the bases 2, 3, 5 and 7.
/// assert!(!is_prime(3_215_031_751));
/// assert!(!is_prime(0) && !is_prime(1) && is_prime(2));
/// ```
#[inline]
#[must_use]
pub fn is_prime(n: u64) -> bool {
    machine_prime::is_prime(n)
}

/// Returns true if `n` is prime or, from [`PROVEN_BELOW`] on, probably prime.
///
/// Below `PROVEN_BELOW`, about 2^81.5, the result is proven. From there on, no composite is known that passes.
///
/// Below 2^64 this is [`is_prime`]. Above, the algorithm is the variant in
/// [`machine-prime`](https://docs.rs/machine-prime) of the test of Baillie, Pomerance, Selfridge and Wagstaff: trial
/// division by the first primes, a strong Fermat test to base 2, and a Lucas test. It takes about 0.3 us for a random
/// odd number and about 4 us for a prime. Below `PROVEN_BELOW`, a number that passes also gets the strong tests to the
/// primes from 3 to 41: a prime then takes about 15 us, and a composite no longer than above.
///
/// # Examples
///
/// ```
/// use prime_fan::{PROVEN_BELOW, is_probable_prime};
///
/// assert!(is_probable_prime((1 << 127) - 1)); // a Mersenne prime
/// assert!(!is_probable_prime((1 << 64) + 1)); // 274177 * 67280421310721
/// // Passes the strong test to 13 bases, but not the Lucas test.
/// assert!(!is_probable_prime(PROVEN_BELOW));
/// ```
#[inline]
#[must_use]
pub fn is_probable_prime(n: u128) -> bool {
    let passes = machine_prime::is_prime_128(n);
    if n >> 64 == 0 || n >= PROVEN_BELOW { passes } else { passes && passes_strong_tests(n) }
}

/// Returns true if `n`, which is odd and larger than the [`BASES`], passes the strong test to each of them.
fn passes_strong_tests(n: u128) -> bool {
    let (inverse, one) = (mul_inv2_128(n), one_mont_128(n));
    let twos = (n - 1).trailing_zeros();
    BASES.iter().all(|&base| strong_fermat_128(n, twos, to_mont_128(base, n), one, n - one, inverse))
}

/// How many numbers are tested together.
pub(crate) const LANES: usize = 4;

/// Numbers that are tested together are at least this, ...
pub(crate) const LANES_FROM: u64 = 1 << 47;

/// ... and have no prime factor up to this, the last prime by which machine-prime divides.
pub(crate) const NO_FACTOR_TO: u32 = 727;

// [`is_prime`] in two steps, for numbers that are at least `LANES_FROM` and have no factor up to `NO_FACTOR_TO`. A
// multiplication modulo `n` waits for the one before. The processor does those of several numbers at the same time, in
// half of the time.

/// Returns for each number true if it passes the strong test to base 2, as primes and few other numbers do.
pub(crate) fn pass_base_2(numbers: [u64; LANES]) -> [bool; LANES] {
    Lanes::new(numbers).strong_tests_to_2()
}

/// Returns for each number true if it is prime. All have passed the test to base 2.
pub(crate) fn are_prime(numbers: [u64; LANES]) -> [bool; LANES] {
    let lanes = Lanes::new(numbers);
    lanes.strong_tests(numbers.map(witness_selector))
}

/// Odd numbers, and what Montgomery multiplication modulo each needs.
struct Lanes {
    n: [u64; LANES],
    /// The inverse modulo 2^64.
    inverse: [u64; LANES],
    /// 1 in Montgomery form.
    one: [u64; LANES],
    /// The most factors 2 that one of the `n - 1` has.
    twos: u32,
    /// The bits of the largest number.
    bits: u32,
}

impl Lanes {
    fn new(n: [u64; LANES]) -> Self {
        debug_assert!(n.iter().all(|&n| n >= LANES_FROM && n & 1 == 1));
        let twos = n.iter().map(|n| (n - 1).trailing_zeros()).max().unwrap_or(1);
        let bits = n.iter().map(|n| n.ilog2() + 1).max().unwrap_or(1);
        Self { n, inverse: n.map(mul_inv2), one: n.map(one_mont), twos, bits }
    }

    #[inline(always)]
    fn product(&self, a: &[u64; LANES], b: &[u64; LANES]) -> [u64; LANES] {
        array::from_fn(|i| mont_prod(a[i], b[i], self.inverse[i], self.n[i]))
    }

    fn strong_tests_to_2(&self) -> [bool; LANES] {
        let mut powers = self.one;
        for bit in (self.twos..self.bits).rev() {
            powers = self.product(&powers, &powers);
            powers = array::from_fn(|i| {
                let twice = two(powers[i], self.n[i]);
                if (self.n[i] - 1) >> bit & 1 == 1 { twice } else { powers[i] }
            });
        }
        array::from_fn(|i| self.passes(i, powers[i], two(self.one[i], self.n[i])))
    }

    fn strong_tests(&self, bases: [u64; LANES]) -> [bool; LANES] {
        // 2 to the power 64, in Montgomery form: a product with it brings a number into that form.
        let mut power = array::from_fn(|i| two(self.one[i], self.n[i]));
        for _ in 0..6 {
            power = self.product(&power, &power);
        }
        let bases = self.product(&bases, &power);
        // Two bits of the exponent at a time: one multiplication by a power of the base, which is looked up.
        let squares = self.product(&bases, &bases);
        let cubes = self.product(&squares, &bases);
        let table: [[u64; 4]; LANES] = array::from_fn(|i| [self.one[i], bases[i], squares[i], cubes[i]]);
        let mut powers = self.one;
        let steps = (self.bits - self.twos).div_ceil(2);
        for step in (0..steps).rev() {
            powers = self.product(&powers, &powers);
            powers = self.product(&powers, &powers);
            let exponents = self.n.map(|n| (n - 1) >> self.twos >> (2 * step) & 3);
            let factors = array::from_fn(|i| table[i][exponents[i] as usize]);
            powers = self.product(&powers, &factors);
        }
        array::from_fn(|i| self.passes(i, powers[i], bases[i]))
    }

    /// Finishes the strong test of the `i`-th number: `power` is that of `base` with the exponent `(n - 1) >> twos`.
    fn passes(&self, i: usize, mut power: u64, base: u64) -> bool {
        let (n, inverse, one) = (self.n[i], self.inverse[i], self.one[i]);
        let twos = (n - 1).trailing_zeros();
        // Other numbers have more factors 2: the rest of the odd part of n - 1.
        for bit in (twos..self.twos).rev() {
            power = mont_prod(power, power, inverse, n);
            if (n - 1) >> bit & 1 == 1 {
                power = mont_prod(power, base, inverse, n);
            }
        }
        if power == one || power == n - one {
            return true;
        }
        (1..twos).any(|_| {
            power = mont_prod(power, power, inverse, n);
            power == n - one
        })
    }
}

/// Returns `2 * x` modulo `n`, for `x < n`. The product may exceed 64 bits.
#[inline(always)]
fn two(x: u64, n: u64) -> u64 {
    let twice = x.wrapping_sub(n - x);
    if x >= n - x { twice } else { twice.wrapping_add(n) }
}

#[cfg(test)]
mod tests {
    use num_prime::nt_funcs::{is_prime as is_prime_of_any_size, is_prime64};
    use proptest::prelude::*;

    use super::*;

    /// Returns for each number below `end` true if it is prime, by the sieve of Eratosthenes.
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

    fn together(numbers: [u64; LANES]) -> [bool; LANES] {
        let (passed, found) = (pass_base_2(numbers), are_prime(numbers));
        array::from_fn(|i| passed[i] && found[i])
    }

    /// Strong pseudoprimes to base 2 of the form p (2 p - 1) and p (3 p - 2), beside primes: the second test tells them.
    #[test]
    fn pseudoprimes_that_are_tested_together_are_composite() {
        let mut tested = 0;
        let primes = (1u64 << 24..).filter(|&p| is_prime(p));
        for p in primes.take(20_000) {
            for k in 2..4 {
                let q = k * (p - 1) + 1;
                if is_prime(q) && passes_strong_test((p * q).into(), 2) {
                    let prime = 18_446_744_073_709_551_557;
                    let found = together([prime, p * q, (1 << 61) - 1, p * q]);
                    assert_eq!(found, [true, false, true, false], "{p} {q}");
                    tested += 1;
                }
            }
        }
        assert!(tested > 100, "{tested}");
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

    /// The strong test as defined, with plain arithmetic.
    fn passes_strong_test(n: u128, base: u128) -> bool {
        fn product(mut a: u128, mut b: u128, n: u128) -> u128 {
            // By doubling, which does not overflow: `n` is far below 2^127.
            let mut sum = 0;
            while b > 0 {
                if b & 1 == 1 {
                    sum = (sum + a) % n;
                }
                (a, b) = (2 * a % n, b >> 1);
            }
            sum
        }
        let twos = (n - 1).trailing_zeros();
        let (mut exponent, mut square, mut power) = ((n - 1) >> twos, base, 1);
        while exponent > 0 {
            if exponent & 1 == 1 {
                power = product(power, square, n);
            }
            (square, exponent) = (product(square, square, n), exponent >> 1);
        }
        if power == 1 {
            return true;
        }
        (0..twos).any(|_| {
            let passes = power == n - 1;
            power = product(power, power, n);
            passes
        })
    }

    /// The least composites that pass the strong test to the first 12 and the first 13 prime bases (Sorenson and
    /// Webster 2015).
    #[test]
    fn strong_pseudoprimes_above_2_64_are_composite() {
        const TO_12: u128 = 318_665_857_834_031_151_167_461;
        assert!(BASES[..11].iter().all(|&base| passes_strong_test(TO_12, base)) && !passes_strong_test(TO_12, 41));
        assert!(!passes_strong_tests(TO_12) && !is_probable_prime(TO_12));
        const { assert!(TO_12 == 399_165_290_221 * 798_330_580_441) };

        assert!(BASES.iter().all(|&base| passes_strong_test(PROVEN_BELOW, base)));
        assert!(passes_strong_tests(PROVEN_BELOW) && !is_probable_prime(PROVEN_BELOW));
        const { assert!(PROVEN_BELOW == 1_287_836_182_261 * 2_575_672_364_521) };
    }

    #[test]
    fn every_base_of_the_proof_is_tested() {
        // Each passes the tests to this many bases.
        let passing = |n: u64| {
            let first = [2].into_iter().chain(BASES).take_while(|&base| passes_strong_test(n.into(), base));
            first.count()
        };
        for (n, bases) in [(2047, 1), (1_373_653, 2), (25_326_001, 3), (3_215_031_751, 4), (2_152_302_898_747, 5)] {
            assert_eq!(passing(n), bases, "{n}");
            assert!(!passes_strong_tests(n.into()), "{n}");
        }
        assert_eq!(passing(3_825_123_056_546_413_051), 11);
        assert!(!passes_strong_tests(3_825_123_056_546_413_051));
    }

    #[test]
    fn the_bound_of_the_proof_has_another_implementation_agree_on_both_sides() {
        for n in (PROVEN_BELOW - 300..PROVEN_BELOW + 300).chain((1 << 64) - 300..(1 << 64) + 300) {
            assert_eq!(is_probable_prime(n), is_prime_of_any_size(&n, None).probably(), "{n}");
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

        /// Numbers of every length; most uniform `u64` numbers are long.
        #[test]
        fn random_numbers_agree_with_another_implementation(n in any::<u64>(), shift in 0u32..64) {
            let n = n >> shift;
            prop_assert_eq!(is_prime(n), is_prime64(n));
            prop_assert_eq!(is_prime(n | 1), is_prime64(n | 1));
        }

        /// Of several lengths, with one beside the other of another length, and with different powers of 2 in n - 1.
        #[test]
        fn numbers_that_are_tested_together_agree_with_the_test_of_each(
            numbers in prop::array::uniform4((LANES_FROM..=u64::MAX, 0u32..17, 0u32..47)),
        ) {
            let has_no_factor = |&n: &u64| (3..=u64::from(NO_FACTOR_TO)).all(|p| n % p != 0);
            let numbers = numbers.map(|(n, shift, twos)| {
                let n = (n >> shift).max(LANES_FROM);
                let first = n >> twos << twos | 1;
                let step = 1 << twos.max(1);
                (0..2000).map_while(|i| first.checked_add(i * step)).find(has_no_factor).unwrap_or((1 << 61) - 1)
            });
            let numbers = numbers.map(|n| n.max(LANES_FROM | 15));
            prop_assume!(numbers.iter().all(has_no_factor));
            prop_assert_eq!(together(numbers), numbers.map(is_prime));
        }

        /// Primes, and products of two primes, of which some pass the test to base 2.
        #[test]
        fn primes_and_products_that_are_tested_together_agree_with_the_test_of_each(
            seeds in prop::array::uniform4((1u64 << 25..1 << 31, 1u64..5, any::<u64>(), any::<bool>()))
        ) {
            let numbers = seeds.map(|(p, k, n, is_product)| {
                let p = (p..).find(|&p| is_prime(p)).unwrap_or(3);
                let other = (k * (p - 1) + 1..).find(|&q| is_prime(q)).unwrap_or(3);
                let prime = (n.clamp(LANES_FROM, u64::MAX - 1000)..).find(|&n| is_prime(n)).unwrap_or(3);
                if is_product { p.checked_mul(other).unwrap_or(p * p) } else { prime }
            });
            prop_assert_eq!(together(numbers), numbers.map(is_prime));
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
