//! The arguments of `random`.

use std::ops::RangeInclusive;

use crate::{EmptyRange, RandomIntegers, is_prime};
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, ValueEnum};

use super::Cli;
use super::cluster;
use super::common::{Common, Seed, Settings};
use crate::parse::values::whole;

pub(super) const EXAMPLES: &str = "  prime-fan random --min 1e3 --max 9999 -q   primes of four digits
  prime-fan random --seed 1 --ordered        the same primes in every run
  prime-fan random --finder trial -t 2       by trial division (slow)
  prime-fan random -n 1000000 | head -1      the first one alone";

#[derive(Args, Debug)]
pub(crate) struct RandomArgs {
    /// Find N primes, then stop
    #[arg(short, long, value_name = "N", default_value = "10", value_parser = whole::<u64>(1..=u64::MAX))]
    number: u64,

    /// The lowest number to draw [default: 0]
    #[arg(long, value_name = "N", value_parser = whole::<u64>(0..=u64::MAX))]
    min: Option<u64>,

    /// The highest number to draw [default: 2^64 - 1]
    #[arg(long, value_name = "N", value_parser = whole::<u64>(0..=u64::MAX))]
    max: Option<u64>,

    /// Draw numbers of exactly B bits, 2 to 64
    #[arg(short, long, value_name = "B", conflicts_with_all = ["min", "max"], value_parser = whole::<u32>(2..=64))]
    bits: Option<u32>,

    /// Use N as the seed: each run with it draws the same numbers and, with --ordered, prints the same primes [default:
    /// random, printed at the end]
    #[arg(long, value_name = "N", value_parser = whole::<u64>(0..=u64::MAX))]
    seed: Option<u64>,

    /// Give up after testing N numbers
    #[arg(long, value_name = "N", value_parser = whole::<usize>(1..=usize::MAX as u64))]
    tested: Option<usize>,

    /// How to test whether a number is prime
    #[arg(long, value_name = "HOW", value_enum, default_value_t)]
    finder: Finder,

    /// Print primes in the order in which they were drawn
    #[arg(long)]
    ordered: bool,

    #[command(flatten)]
    common: Common,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum Finder {
    /// Strong Fermat tests: less than a microsecond per number
    #[default]
    Fast,
    /// Trial division: seconds for a large prime
    Trial,
}

/// The task of `random`.
#[derive(Debug)]
pub(crate) struct Search {
    pub(crate) numbers: RandomIntegers,
    /// What they are drawn from.
    pub(crate) range: RangeInclusive<u64>,
    /// How many primes to find.
    pub(crate) count: u64,
    /// How many numbers to test before the search gives up.
    pub(crate) tested: Option<usize>,
    pub(crate) finder: Finder,
    pub(crate) ordered: bool,
}

impl RandomArgs {
    pub(crate) fn into_search(self) -> Result<(Search, Settings), clap::Error> {
        let range = self.range();
        let drawn_from = range.clone();
        let numbers = RandomIntegers::new(range.clone()).map_err(|EmptyRange { min, max, .. }| {
            invalid(format!("--min {min} is greater than --max {max}: lower --min or raise --max"))
        })?;
        if !has_prime(range.clone()) {
            let (min, max) = range.into_inner();
            return Err(invalid(format!("no number from {min} to {max} is prime: lower --min or raise --max")));
        }
        let seed = Seed { value: self.seed.unwrap_or_else(draw), was_drawn: self.seed.is_none() };
        let numbers = numbers.seeded(seed.value);
        let Self { number: count, tested, finder, ordered, common, .. } = self;
        let settings = Settings::try_from(common)?;
        if seed.was_drawn && settings.cluster.as_ref().is_some_and(|cluster| cluster.run.is_some()) {
            return Err(cluster::invalid(
                "--run needs --seed N, without which each run draws other numbers and no results can be taken over",
            ));
        }
        if settings.continues && (seed.was_drawn || !ordered) {
            return Err(cluster::invalid(
                "--continue needs --seed N and --ordered, without which no search prints the same primes again",
            ));
        }
        let settings = Settings { summary: !settings.quiet, seed: Some(seed), ..settings };
        Ok((Search { numbers, range: drawn_from, count, tested, finder, ordered }, settings))
    }

    fn range(&self) -> RangeInclusive<u64> {
        match self.bits {
            Some(bits) => 1 << (bits - 1)..=u64::MAX >> (64 - bits),
            None => self.min.unwrap_or(0)..=self.max.unwrap_or(u64::MAX),
        }
    }
}

/// Returns true if the range has a prime. Below 2^64 no more than 1550 numbers lie between two primes, so this takes
/// microseconds however wide the range is.
fn has_prime(mut range: RangeInclusive<u64>) -> bool {
    range.any(is_prime)
}

/// Returns a seed from the operating system.
fn draw() -> u64 {
    let mut seeds = RandomIntegers::new(0..=u64::MAX).expect("the range is not empty");
    seeds.next().expect("they have no end")
}

pub(super) fn invalid(message: String) -> clap::Error {
    <Cli as CommandFactory>::command().error(ErrorKind::ValueValidation, message)
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
    #[test]
    fn a_range_without_a_prime_is_known_whatever_its_width() {
        let largest = 18_446_744_073_709_551_557;
        assert!(has_prime(0..=2) && has_prime(2..=2) && has_prime(0..=u64::MAX) && has_prime(largest..=u64::MAX));
        assert!(!has_prime(0..=1) && !has_prime(24..=28) && !has_prime(largest + 1..=u64::MAX));
        // The widest gap between primes below 2^64.
        let gap = 18_361_375_334_787_046_697;
        assert!(has_prime(gap..=gap + 1550) && has_prime(gap + 1..=gap + 1550) && !has_prime(gap + 1..=gap + 1549));
    }
}
