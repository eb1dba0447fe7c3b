//! The command line as it was typed, and the configuration that is made of it.

mod command;
mod common;
mod filter;
mod hints;
mod random;
mod range;

use std::ffi::OsString;

use clap::{ColorChoice, CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::Shell;

pub(crate) use common::{ProgressWhen, Seed, Settings, StatsForm};
pub(crate) use filter::{Filter, FilterArgs, Keep, OnBad};
pub(crate) use random::{Finder, RandomArgs, Search};
pub(crate) use range::{Range, RangeArgs, What};

const USAGE: &str = "prime-fan [OPTIONS]
       prime-fan [OPTIONS] <NUMBER>...
       prime-fan [OPTIONS] <COMMAND>";

const EXAMPLES: &str = "  prime-fan                              ten primes among random 64-bit numbers
  prime-fan 17 91                        whether each of the numbers is prime
  prime-fan --bits 32 -n 5               five primes of exactly 32 bits
  seq 100 | prime-fan filter             those of the numbers that are prime
  prime-fan filter --annotate FILE       every number of a file with its verdict
  prime-fan range 1e12..+1000            the primes among the thousand numbers from 10^12 on
  prime-fan range 0..1e9 --count         how many primes there are below 10^9
  prime-fan help range                   more about a command";

const EXIT_CODES: &str = "    0  what was asked for was found, or nobody reads on
    1  nothing was found; `random`: --tested ended the search before there were enough
    2  the arguments make no sense, or a number of the input doesn't
   70  the test of a number failed, or the pipeline did
   71  the operating system refused a thread or the like
   74  something could not be read or written
  124  the time of --timeout is up: what was in flight is finished and put out
  130  Ctrl-C (SIGTERM: 143, SIGHUP: 129): likewise; a second one leaves at once";

fn after_help(examples: &str) -> String {
    format!("Examples:\n{examples}\n\nExit codes:\n{EXIT_CODES}")
}

/// Finds primes with every processor at once: among random numbers, in files, in a range.
///
/// Primes go to the standard output, one per line; messages go to the standard error. Without a command, the numbers
/// given are tested, as by `filter --annotate`; without numbers, random ones are searched, as by `random`.
#[derive(Debug, Parser)]
#[command(
    name = "prime-fan",
    version,
    propagate_version = true,
    override_usage = USAGE,
    allow_negative_numbers = true,
    after_help = after_help(EXAMPLES)
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    random: RandomArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Searches random numbers for primes
    ///
    /// The same number may be drawn again, so a prime may be printed more than once; in a small range that is likely.
    #[command(allow_negative_numbers = true, after_help = after_help(random::EXAMPLES))]
    Random(RandomArgs),
    /// Puts out those of the numbers in files that are prime
    #[command(allow_negative_numbers = true, after_help = after_help(filter::EXAMPLES))]
    Filter(FilterArgs),
    /// Puts out the primes of a range, in order
    #[command(allow_negative_numbers = true, after_help = after_help(range::EXAMPLES))]
    Range(RangeArgs),
    /// Prints what makes a shell complete this program's arguments
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Prints the manual page, of a command if one is named
    Man {
        /// The command
        #[arg(value_parser = ["random", "filter", "range"])]
        command: Option<String>,
    },
}

impl Cli {
    /// The command that is meant. Also settles whether there are to be colours, in what it says itself, too.
    pub(crate) fn parse(arguments: Vec<OsString>) -> Result<Command, clap::Error> {
        common::colours(&arguments).write_global();
        let mut command = Self::command().color(ColorChoice::Always);
        let arguments = command::first(&command, arguments);
        let matches = command
            .try_get_matches_from_mut(&arguments)
            .map_err(|error| hints::explain(error, &arguments, &mut command))?;
        let Self { command: given, random } =
            Self::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
        Ok(given.unwrap_or(Command::Random(random)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_search_tells_its_examples_and_the_exit_codes() {
        for name in ["random", "filter", "range"] {
            let help = Cli::command().find_subcommand_mut(name).unwrap().render_help().to_string();
            assert!(help.contains("Examples:\n") && help.contains("Exit codes:\n    0  "), "{name}");
        }
    }
}
