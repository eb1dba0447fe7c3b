//! `filter`.

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, ValueEnum};

use super::common::{Common, Settings};
use crate::parse::input::Source;
use crate::parse::values::source;

pub(super) const EXAMPLES: &str = "  prime-fan filter 17 91 2^61           those of the numbers that are prime
  seq 100 | prime-fan filter            the primes up to 100
  prime-fan filter a b -o primes.txt    those of two files, into a third
  prime-fan filter --not FILE           those that are not prime
  prime-fan filter --annotate FILE      every number with its verdict
  prime-fan filter --location *.txt     each prime with its file and line
  prime-fan filter --count FILE         how many are prime
  prime-fan filter -f json --bad skip   for programs, whatever the input
  tail -f log | prime-fan filter        tests each line as it comes";

#[derive(Args, Debug)]
pub(crate) struct FilterArgs {
    /// Numbers up to 2^128 - 1, or files of them with white space in between; `-` is the standard input. A file whose name
    /// is a number is given as ./17. A file that can't be read is named, the others are read, and the exit code is 74
    #[arg(value_name = "NUMBER|FILE", default_value = "-", value_parser = OsStringValueParser::new().try_map(source))]
    sources: Vec<Source>,

    /// Print the numbers that are not prime
    #[arg(long, conflicts_with = "annotate")]
    not: bool,

    /// Print every number with its verdict: prime, composite, neither (0 and 1), or probable-prime (from 3.3e24 on)
    #[arg(long)]
    annotate: bool,

    /// Print only how many there are
    #[arg(short, long, conflicts_with_all = ["annotate", "location"])]
    count: bool,

    /// Print FILE:LINE: before each number; in JSON and CSV, both are fields
    #[arg(long)]
    location: bool,

    /// What to do with a word that is not a number
    #[arg(long, value_name = "WHAT", value_enum, default_value_t)]
    bad: OnBad,

    /// Print numbers as soon as they are tested, not in the order of the input
    #[arg(long)]
    unordered: bool,

    #[command(flatten)]
    common: Common,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnBad {
    /// Print the results before it, name it and exit with 2
    #[default]
    Stop,
    /// Ignore it
    Skip,
    /// Name it and go on; exit with 2 at the end
    Report,
}

/// What `filter` was asked to do.
#[derive(Debug)]
pub(crate) struct Filter {
    pub(crate) sources: Vec<Source>,
    pub(crate) keep: Keep,
    pub(crate) bad: OnBad,
    /// They are counted, not put out.
    pub(crate) count: bool,
    /// Each comes with its file and line.
    pub(crate) location: bool,
    pub(crate) ordered: bool,
}

/// Which numbers are put out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    Primes,
    Others,
    All,
}

impl FilterArgs {
    pub(crate) fn into_filter(self) -> (Filter, Settings) {
        let Self { sources, not, annotate, count, location, bad, unordered, common } = self;
        let keep = match (not, annotate) {
            (true, _) => Keep::Others,
            (_, true) => Keep::All,
            _ => Keep::Primes,
        };
        (Filter { sources, keep, bad, count, location, ordered: !unordered }, common.into())
    }
}
