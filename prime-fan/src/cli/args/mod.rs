//! The command line, and the configuration that is made of it.

mod cluster;
mod command;
mod common;
mod filter;
mod hints;
mod neighbours;
mod random;
mod range;
mod sections;

use std::ffi::OsString;

use clap::{ColorChoice, CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::Shell;

pub(crate) use cluster::{Connection, Doctor, DoctorArgs, Node, NodeArgs};
pub(crate) use common::{ProgressWhen, Seed, Settings, StatsForm, is_stdout};
pub(crate) use filter::{Filter, FilterArgs, Keep, OnBad};
pub(crate) use neighbours::NeighbourArgs;
pub(crate) use random::{Finder, RandomArgs, Search};
pub(crate) use range::{Range, RangeArgs, What};

const USAGE: &str = "prime-fan [OPTIONS]
       prime-fan [OPTIONS] <NUMBER>...
       prime-fan [OPTIONS] <COMMAND>";

const EXAMPLES: &str = "  prime-fan                           ten random primes of up to 64 bits
  prime-fan 17 91                     tests each of the numbers
  prime-fan --bits 32 -n 5            five primes of exactly 32 bits
  seq 100 | prime-fan filter          the primes among the numbers
  prime-fan filter --annotate FILE    all numbers of a file, with verdicts
  prime-fan range 1e12..+1000         the primes from 10^12 to 10^12 + 999
  prime-fan range 0..1e9 --count      how many primes are below 10^9
  prime-fan help range                more about a command";

/// Finds primes on all processors: among random numbers, in files, in a range.
///
/// Primes go to the standard output, one per line; messages go to the standard error. Without a command, the program
/// tests the numbers given, as `filter --annotate` does; without numbers, it searches random ones, as `random` does.
#[derive(Debug, Parser)]
#[command(
    name = "prime-fan",
    version,
    propagate_version = true,
    override_usage = USAGE,
    allow_negative_numbers = true,
    after_help = sections::short(EXAMPLES),
    after_long_help = sections::long(EXAMPLES)
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    random: RandomArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Finds primes among random numbers
    ///
    /// The same number may be drawn again, so a prime may be printed more than once; in a small range that is likely.
    #[command(
        allow_negative_numbers = true,
        after_help = sections::short(random::EXAMPLES),
        after_long_help = sections::long(random::EXAMPLES)
    )]
    Random(RandomArgs),
    /// Prints the primes among the given numbers
    #[command(
        allow_negative_numbers = true,
        after_help = sections::short(filter::EXAMPLES),
        after_long_help = sections::long(filter::EXAMPLES)
    )]
    Filter(FilterArgs),
    /// Prints the primes of a range, in order
    #[command(
        allow_negative_numbers = true,
        after_help = sections::short(range::EXAMPLES),
        after_long_help = sections::long(range::EXAMPLES)
    )]
    Range(RangeArgs),
    /// Prints the least prime above each number
    ///
    /// The prime is larger than the number, also if the number is prime itself. If a number has no such prime of 64 bits, a
    /// message says so, and the exit code is 1.
    #[command(
        allow_negative_numbers = true,
        after_help = sections::of_neighbours(neighbours::NEXT_EXAMPLES),
        after_long_help = sections::of_neighbours(neighbours::NEXT_EXAMPLES)
    )]
    Next(NeighbourArgs),
    /// Prints the largest prime below each number
    ///
    /// The prime is smaller than the number, also if the number is prime itself. If a number has no such prime (0, 1 and 2), a
    /// message says so, and the exit code is 1.
    #[command(
        allow_negative_numbers = true,
        after_help = sections::of_neighbours(neighbours::PREV_EXAMPLES),
        after_long_help = sections::of_neighbours(neighbours::PREV_EXAMPLES)
    )]
    Prev(NeighbourArgs),
    /// Works for searches on other machines
    ///
    /// A node takes batches from the NATS server and tests their numbers, for any search that was started with `--nats`.
    /// SIGTERM or Ctrl-C has it end the batches that it has; a second one has it give them back.
    #[command(
        after_help = sections::of_node(cluster::NODE_EXAMPLES),
        after_long_help = sections::of_node(cluster::NODE_EXAMPLES)
    )]
    Node(NodeArgs),
    /// Checks a NATS server and what this machine may do there
    ///
    /// Prints a line for each check: ok, warn or bad, and what to change. If something is bad, the exit code is 1.
    #[command(
        after_help = sections::of_doctor(cluster::DOCTOR_EXAMPLES),
        after_long_help = sections::of_doctor(cluster::DOCTOR_EXAMPLES)
    )]
    Doctor(DoctorArgs),
    /// Prints a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Prints the manual page of the program or of a command
    Man {
        /// The command
        #[arg(value_parser = ["random", "filter", "range", "next", "prev", "node", "doctor"])]
        command: Option<String>,
    },
}

impl Cli {
    /// Parses the command line. Also sets whether messages have colours, which holds for its own errors, too.
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
}
