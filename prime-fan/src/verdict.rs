//! The result of a primality test.

use crate::{PROVEN_BELOW, is_probable_prime};

/// The result of a primality test.
///
/// # Examples
///
/// ```
/// use prime_fan::Verdict;
///
/// assert_eq!(Verdict::of(97), Verdict::Prime);
/// assert_eq!(Verdict::of(1), Verdict::Neither);
/// assert_eq!(Verdict::of((1 << 127) - 1).name(), "probable-prime");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The number is prime, which is proven.
    Prime,
    /// The number passed a test that no composite is known to pass. From [`PROVEN_BELOW`] on, that is not a proof.
    ProbablePrime,
    /// The number is a product of smaller numbers.
    Composite,
    /// The number is 0 or 1.
    Neither,
}

impl Verdict {
    /// Tests a number with [`is_probable_prime`].
    #[must_use]
    pub fn of(n: u128) -> Self {
        Self::tested(n, is_probable_prime(n))
    }

    /// Returns the verdict on a number of which a test says whether it passed as prime.
    #[inline]
    #[must_use]
    pub fn tested(n: u128, passed: bool) -> Self {
        match n {
            0 | 1 => Self::Neither,
            _ if !passed => Self::Composite,
            _ if n < PROVEN_BELOW => Self::Prime,
            _ => Self::ProbablePrime,
        }
    }

    /// Returns true if the number is prime or probably prime.
    #[inline]
    #[must_use]
    pub fn is_prime(self) -> bool {
        matches!(self, Self::Prime | Self::ProbablePrime)
    }

    /// The name of the verdict in the output of the program: `prime`, `probable-prime`, `composite` or `neither`.
    #[inline]
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Prime => "prime",
            Self::ProbablePrime => "probable-prime",
            Self::Composite => "composite",
            Self::Neither => "neither",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_of_four_verdicts() {
        for (n, verdict) in [
            (0, Verdict::Neither),
            (1, Verdict::Neither),
            (2, Verdict::Prime),
            (4, Verdict::Composite),
            (18_446_744_073_709_551_557, Verdict::Prime),
            (18_446_744_073_709_551_617, Verdict::Composite),
            (3_317_044_064_679_887_385_961_813, Verdict::Prime),
            (PROVEN_BELOW, Verdict::Composite),
            (3_317_044_064_679_887_385_962_123, Verdict::ProbablePrime),
        ] {
            assert_eq!(Verdict::of(n), verdict, "{n}");
        }
    }
}
