//! What is found out about a number.

use crate::{PROVEN_BELOW, is_probable_prime};

/// What is known of a number once it was tested.
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
    /// It is prime, and that is proven.
    Prime,
    /// It passed a test that no composite is known to pass, and that is no proof for a number from [`PROVEN_BELOW`] on.
    ProbablePrime,
    /// It is a product of smaller numbers.
    Composite,
    /// It is 0 or 1.
    Neither,
}

impl Verdict {
    /// Tests a number by [`is_probable_prime`].
    #[must_use]
    pub fn of(n: u128) -> Self {
        Self::tested(n, is_probable_prime(n))
    }

    /// The verdict on a number that a test passed as prime, or did not.
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

    /// Returns true if the number is a prime or a probable one.
    #[inline]
    #[must_use]
    pub fn is_prime(self) -> bool {
        matches!(self, Self::Prime | Self::ProbablePrime)
    }

    /// Its name in what programs read: `prime`, `probable-prime`, `composite` or `neither`.
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
