//! `random`.

use std::ops::RangeInclusive;

use actix_fan::primes::{EmptyRange, RandomIntegers};
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, ValueEnum};

use super::Cli;
use super::common::{Common, Settings};
use crate::parse::values::whole;

pub(super) const EXAMPLES: &str =
    "  prime-fan random --min 1000 --max 9999 -q    primes of four digits, and nothing else
  prime-fan random --seed 1 --ordered          the same primes in every run
  prime-fan random --finder trial --workers 2  by trial division, which takes its time
  prime-fan random -n 1000000 | head -1        ends quietly once nobody reads on";

#[derive(Args, Debug)]
pub(crate) struct RandomArgs {
    /// Stop after N primes
    #[arg(short, long, value_name = "N", default_value = "10", value_parser = whole::<u64>(1..=u64::MAX))]
    number: u64,

    /// Search numbers from N on [default: 0]
    #[arg(long, value_name = "N", value_parser = whole::<u64>(0..=u64::MAX))]
    min: Option<u64>,

    /// Search numbers up to and including N [default: 2^64 - 1]
    #[arg(long, value_name = "N", value_parser = whole::<u64>(0..=u64::MAX))]
    max: Option<u64>,

    /// Search numbers of exactly B bits, 1 to 64
    #[arg(short, long, value_name = "B", conflicts_with_all = ["min", "max"], value_parser = whole::<u32>(1..=64))]
    bits: Option<u32>,

    /// Draw the same numbers in every run with this N; with --ordered, print the same primes
    #[arg(long, value_name = "N", value_parser = whole::<u64>(0..=u64::MAX))]
    seed: Option<u64>,

    /// Give up after so many numbers
    #[arg(long, value_name = "N", value_parser = whole::<usize>(1..=usize::MAX as u64))]
    tested: Option<usize>,

    /// How to find out whether a number is prime
    #[arg(long, value_name = "HOW", value_enum, default_value_t)]
    finder: Finder,

    /// Print the primes in the order in which their numbers were drawn
    #[arg(long)]
    ordered: bool,

    #[command(flatten)]
    common: Common,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum Finder {
    /// By strong Fermat tests: under a microsecond a number
    #[default]
    Fast,
    /// By trial division: seconds for a large prime
    Trial,
}

/// What `random` was asked to do.
#[derive(Debug)]
pub(crate) struct Search {
    pub(crate) numbers: RandomIntegers,
    /// The search ends after so many primes.
    pub(crate) count: u64,
    /// It gives up after so many numbers.
    pub(crate) tested: Option<usize>,
    pub(crate) finder: Finder,
    pub(crate) ordered: bool,
}

impl RandomArgs {
    pub(crate) fn into_search(self) -> Result<(Search, Settings), clap::Error> {
        let numbers = RandomIntegers::new(self.range()).map_err(|EmptyRange { min, max, .. }| {
            let message = format!("--min {min} is greater than --max {max}: lower --min or raise --max");
            <Cli as CommandFactory>::command().error(ErrorKind::ValueValidation, message)
        })?;
        let numbers = match self.seed {
            Some(seed) => numbers.seeded(seed),
            None => numbers,
        };
        let Self { number: count, tested, finder, ordered, common, .. } = self;
        let settings = Settings::from(common);
        Ok((Search { numbers, count, tested, finder, ordered }, Settings { summary: !settings.quiet, ..settings }))
    }

    fn range(&self) -> RangeInclusive<u64> {
        match self.bits {
            Some(bits) => 1 << (bits - 1)..=u64::MAX >> (64 - bits),
            None => self.min.unwrap_or(0)..=self.max.unwrap_or(u64::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Command;
    use super::*;

    fn range(line: &str) -> RangeInclusive<u64> {
        match Cli::parse(line.split_whitespace().map(Into::into).collect()).unwrap() {
            Command::Random(args) => args.range(),
            other => panic!("{line} is {other:?}"),
        }
    }

    #[test]
    fn bits_are_the_numbers_of_exactly_that_length() {
        assert_eq!(range("prime-fan --bits 1"), 1..=1);
        assert_eq!(range("prime-fan --bits 2"), 2..=3);
        assert_eq!(range("prime-fan random --bits 63"), 1 << 62..=u64::MAX / 2);
        assert_eq!(range("prime-fan random --bits 64"), 1 << 63..=u64::MAX);
    }

    #[test]
    fn one_end_of_the_range_may_be_left_out() {
        assert_eq!(range("prime-fan"), 0..=u64::MAX);
        assert_eq!(range("prime-fan --min 7"), 7..=u64::MAX);
        assert_eq!(range("prime-fan --max 7"), 0..=7);
    }
}
