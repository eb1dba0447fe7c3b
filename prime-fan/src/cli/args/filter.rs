//! The arguments of `filter`.

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, ValueEnum};

use super::cluster::invalid;
use super::common::{Common, Settings};
use crate::parse::input::Source;
use crate::parse::values::source;

pub(super) const EXAMPLES: &str = "  prime-fan filter 17 91 2^61           the primes among the numbers
  seq 100 | prime-fan filter            the primes up to 100
  prime-fan filter a b -o primes.txt    the primes of two files, to a third
  prime-fan filter --not FILE           the numbers that are not prime
  prime-fan filter --annotate FILE      every number with its verdict
  prime-fan filter --location *.txt     each prime with its file and line
  prime-fan filter --count FILE         how many are prime
  prime-fan filter -f json --bad skip   JSON; ignores what is not a number
  tail -f log | prime-fan filter        tests each line as it comes";

#[derive(Args, Debug)]
pub(crate) struct FilterArgs {
    /// Numbers up to 2^128 - 1, or files with numbers separated by white space; `-` is the standard input. Write ./17
    /// for a file whose name is a number. A file that can't be read is reported, the others are read, and the exit code
    /// is 74
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
    /// Print the results before it, report it and exit with 2
    #[default]
    Stop,
    /// Ignore it
    Skip,
    /// Report it and go on; exit with 2 at the end
    Report,
}

/// The task of `filter`.
#[derive(Debug)]
pub(crate) struct Filter {
    pub(crate) sources: Vec<Source>,
    pub(crate) keep: Keep,
    pub(crate) bad: OnBad,
    /// True if the numbers are counted, not printed.
    pub(crate) count: bool,
    /// True if each number is printed with its file and line.
    pub(crate) location: bool,
    pub(crate) ordered: bool,
}

/// Which numbers are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    Primes,
    Others,
    All,
}

impl FilterArgs {
    pub(crate) fn into_filter(self) -> Result<(Filter, Settings), clap::Error> {
        let Self { sources, not, annotate, count, location, bad, unordered, common } = self;
        let keep = match (not, annotate) {
            (true, _) => Keep::Others,
            (_, true) => Keep::All,
            _ => Keep::Primes,
        };
        let settings = Settings::try_from(common)?;
        // What a pipe holds the second time, and where its reads end, is not known.
        let is_run = settings.cluster.as_ref().is_some_and(|cluster| cluster.run.is_some());
        if is_run && sources.contains(&Source::Stdin) {
            return Err(invalid(
                "--run needs an input that is the same each time: name files instead of the standard input",
            ));
        }
        if settings.continues && unordered {
            return Err(invalid("--continue can't be used with --unordered, which prints in another order each time"));
        }
        Ok((Filter { sources, keep, bad, count, location, ordered: !unordered }, settings))
    }
}
