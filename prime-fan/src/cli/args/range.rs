//! The arguments of `range`.

use std::ops::RangeInclusive;

use clap::{ArgAction, Args};

use super::common::{Common, Settings};
use super::random::invalid;
use crate::parse::values::{range, whole};

pub(super) const EXAMPLES: &str = "  prime-fan range 2..100              the primes from 2 to 99
  prime-fan range 1e15..+1e8 -o FILE  the primes of 10^8 numbers, to a file
  prime-fan range 0..=0xffff_ffff -c  how many primes have 32 bits at most
  prime-fan range 1e18.. -n 2         the first two from 10^18 on
  prime-fan range ..1e18 --down -n 3  the last three below 10^18
  prime-fan range --twins 2^40..+1e6  pairs of primes that differ by 2
  prime-fan range 0..1e9 -c --tuplets 1,2,3
                                      how many primes, pairs and triplets";

#[derive(Args, Debug)]
pub(crate) struct RangeArgs {
    /// A..B without B, A..=B with B, or A..+N for N numbers from A on; A is 0 and B is 2^64 if left out
    #[arg(value_name = "RANGE", value_parser = range)]
    range: RangeInclusive<u64>,

    /// Stop when N primes, or N tuplets, are found
    #[arg(short, long, value_name = "N", value_parser = whole::<u64>(1..=u64::MAX))]
    number: Option<u64>,

    /// Begin at the end of the range: the largest come first
    #[arg(long)]
    down: bool,

    /// Print only how many there are
    #[arg(short, long)]
    count: bool,

    /// Print pairs of primes that differ by 2, both in the range
    #[arg(long, conflicts_with = "tuplets")]
    twins: bool,

    /// Print groups of K primes, 2 to 6, as close to each other as can be, all in the range; with --count also several K,
    /// where 1 stands for the primes
    ///
    /// The distances from the first prime are 2 (twins); 2, 6 or 4, 6 (triplets); 2, 6, 8 (quadruplets); 2, 6, 8, 12 or
    /// 4, 6, 10, 12 (quintuplets); 4, 6, 10, 12, 16 (sextuplets).
    #[arg(long, value_name = "K,...", value_delimiter = ',', action = ArgAction::Append, value_parser = whole::<u8>(1..=6))]
    tuplets: Vec<u8>,

    #[command(flatten)]
    common: Common,
}

/// The task of `range`.
#[derive(Debug)]
pub(crate) struct Range {
    pub(crate) range: RangeInclusive<u64>,
    /// What to search for; several only to be counted.
    pub(crate) what: Vec<What>,
    pub(crate) count: bool,
    pub(crate) down: bool,
    /// How many to find.
    pub(crate) number: Option<u64>,
}

/// What to search for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Primes,
    Twins,
    Triplets,
    Quadruplets,
    Quintuplets,
    Sextuplets,
}

impl What {
    /// Each, by the number of its primes.
    pub(crate) const ALL: [Self; 6] =
        [Self::Primes, Self::Twins, Self::Triplets, Self::Quadruplets, Self::Quintuplets, Self::Sextuplets];

    /// Returns how many primes it has.
    pub(crate) fn size(self) -> usize {
        self as usize + 1
    }

    /// Returns its name: singular and plural.
    pub(crate) fn name(self) -> [&'static str; 2] {
        match self {
            Self::Primes => ["prime", "primes"],
            Self::Twins => ["pair", "pairs"],
            Self::Triplets => ["triplet", "triplets"],
            Self::Quadruplets => ["quadruplet", "quadruplets"],
            Self::Quintuplets => ["quintuplet", "quintuplets"],
            Self::Sextuplets => ["sextuplet", "sextuplets"],
        }
    }
}

impl RangeArgs {
    pub(crate) fn into_range(self) -> Result<(Range, Settings), clap::Error> {
        let Self { range, number, down, count, twins, tuplets, common } = self;
        let mut what: Vec<What> = tuplets.into_iter().map(|size| What::ALL[usize::from(size) - 1]).collect();
        if what.is_empty() {
            what.push(if twins { What::Twins } else { What::Primes });
        }
        if what.len() > 1 && (!count || number.is_some()) {
            let message = match count {
                true => "--number can't be used with several --tuplets: give one K",
                false => "several --tuplets can only be counted: add --count, or give one K",
            };
            return Err(invalid(message.to_owned()));
        }
        Ok((Range { range, what, count, down, number }, common.try_into()?))
    }
}
