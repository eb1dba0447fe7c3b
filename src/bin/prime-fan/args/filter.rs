//! `filter`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::common::{Common, Settings};

pub(super) const EXAMPLES: &str = "  seq 100 | prime-fan filter                      the primes up to 100
  prime-fan filter a.txt b.txt -o primes.txt      those of two files, into a third
  prime-fan filter --not numbers.txt              those that are not prime
  prime-fan filter --annotate numbers.txt         every number with its verdict
  prime-fan filter --location *.txt               each prime with its file and line
  prime-fan filter --count numbers.txt            how many are prime
  prime-fan filter --format json --bad skip FILE  for programs; what is no number is passed over
  tail -f log | prime-fan filter                  answers each line as it comes";

#[derive(Args, Debug)]
pub(crate) struct FilterArgs {
    /// Files of numbers up to 2^128 - 1, with white space between them; `-` is the standard input. One that can't be read is
    /// named, the others are read, and the exit code is 74
    #[arg(value_name = "FILE", default_value = "-")]
    files: Vec<PathBuf>,

    /// Put out the numbers that are not prime
    #[arg(long, conflicts_with = "annotate")]
    not: bool,

    /// Put out every number with its verdict: prime, composite, neither (0 and 1), or probable-prime (above 2^64)
    #[arg(long)]
    annotate: bool,

    /// Put out how many there are, and not which
    #[arg(short, long, conflicts_with_all = ["annotate", "location"])]
    count: bool,

    /// Put the file and the line before each number, as FILE:LINE:NUMBER; in JSON and CSV they are fields
    #[arg(long)]
    location: bool,

    /// What to do about something that is no number
    #[arg(long, value_name = "WHAT", value_enum, default_value_t)]
    bad: OnBad,

    /// Put numbers out as soon as they are tested, not in the order of the input
    #[arg(long)]
    unordered: bool,

    #[command(flatten)]
    common: Common,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnBad {
    /// Put out what stands before it, name it and exit with 2
    #[default]
    Stop,
    /// Pass over it
    Skip,
    /// Name it and go on; exit with 2 at the end
    Report,
}

/// What `filter` was asked to do.
#[derive(Debug)]
pub(crate) struct Filter {
    pub(crate) files: Vec<PathBuf>,
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
        let Self { files, not, annotate, count, location, bad, unordered, common } = self;
        let keep = match (not, annotate) {
            (true, _) => Keep::Others,
            (_, true) => Keep::All,
            _ => Keep::Primes,
        };
        (Filter { files, keep, bad, count, location, ordered: !unordered }, common.into())
    }
}
