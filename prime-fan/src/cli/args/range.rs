//! The arguments of `range`.

use std::ops::RangeInclusive;

use clap::Args;

use super::common::{Common, Settings};
use crate::parse::values::range;

pub(super) const EXAMPLES: &str = "  prime-fan range 2..100              the primes from 2 to 99
  prime-fan range 1e15..+1e8 -o FILE  the primes of 10^8 numbers, to a file
  prime-fan range 0..=0xffff_ffff -c  how many primes have 32 bits at most
  prime-fan range --twins 2^40..+1e6  pairs of primes that differ by 2
  prime-fan range 1e18.. | head -1    the first prime above 10^18";

#[derive(Args, Debug)]
pub(crate) struct RangeArgs {
    /// A..B without B, A..=B with B, or A..+N for N numbers from A on; A is 0 and B is 2^64 if left out
    #[arg(value_name = "RANGE", value_parser = range)]
    range: RangeInclusive<u64>,

    /// Print only how many there are
    #[arg(short, long)]
    count: bool,

    /// Print pairs of primes that differ by 2, both in the range
    #[arg(long)]
    twins: bool,

    #[command(flatten)]
    common: Common,
}

/// The task of `range`.
#[derive(Debug)]
pub(crate) struct Range {
    pub(crate) range: RangeInclusive<u64>,
    pub(crate) what: What,
    pub(crate) count: bool,
}

/// What to search for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Primes,
    Twins,
}

impl RangeArgs {
    pub(crate) fn into_range(self) -> (Range, Settings) {
        let Self { range, count, twins, common } = self;
        let what = if twins { What::Twins } else { What::Primes };
        (Range { range, what, count }, common.into())
    }
}
