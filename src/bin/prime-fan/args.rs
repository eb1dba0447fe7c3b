//! The command line as it was typed, and the one configuration that is made of it.

use std::ops::RangeInclusive;

use actix_fan::MAX_WORKERS;
use actix_fan::primes::{EmptyRange, RandomIntegers};
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

const EXAMPLES_AND_EXIT_CODES: &str = "\
Examples:
  prime-fan                             ten primes among random 64-bit numbers
  prime-fan --bits 32 --count 5         five primes of exactly 32 bits
  prime-fan --min 1000 --max 9999 -q    primes of four digits, and nothing else
  prime-fan --seed 1 --ordered          the same primes in every run
  prime-fan --finder trial --workers 2  by trial division, which takes its time
  prime-fan --count 1000000 | head -1   ends quietly once nobody reads on

Exit codes:
    0  as many primes as asked for were printed, or nobody reads on
    1  --tested ended the search before there were as many
    2  the arguments make no sense
   70  the test of a number failed, or the pipeline did
   71  the operating system refused a thread or the like
   74  the primes could not be written to the standard output
  130  Ctrl-C, SIGTERM or SIGHUP: what was in flight is finished and printed;
       a second one leaves at once";

/// Finds primes among random numbers with every processor at once.
///
/// Primes go to the standard output, one a line; a summary goes to the standard error. Without a command, `random` is
/// meant.
#[derive(Debug, Parser)]
#[command(
    name = "prime-fan",
    version,
    args_conflicts_with_subcommands = true,
    allow_negative_numbers = true,
    after_help = EXAMPLES_AND_EXIT_CODES
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    random: RandomArgs,
}

impl Cli {
    pub(crate) fn command(self) -> Command {
        self.command.unwrap_or(Command::Random(self.random))
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Searches random numbers for primes
    #[command(allow_negative_numbers = true, after_help = EXAMPLES_AND_EXIT_CODES)]
    Random(RandomArgs),
}

#[derive(Args, Debug)]
pub(crate) struct RandomArgs {
    /// Stop after so many primes
    #[arg(long, value_name = "N", default_value = "10", value_parser = whole::<u64>(1..=u64::MAX))]
    count: u64,

    /// Search numbers from N on [default: 0]
    #[arg(long, value_name = "N", value_parser = whole::<u64>(0..=u64::MAX))]
    min: Option<u64>,

    /// Search numbers up to and including N [default: 2^64 - 1]
    #[arg(long, value_name = "N", value_parser = whole::<u64>(0..=u64::MAX))]
    max: Option<u64>,

    /// Search numbers of exactly B bits, 1 to 64
    #[arg(long, value_name = "B", conflicts_with_all = ["min", "max"], value_parser = whole::<u32>(1..=64))]
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

    /// Test on so many threads [default: one for each processor]
    #[arg(long, value_name = "N", value_parser = whole::<usize>(1..=MAX_WORKERS as u64))]
    workers: Option<usize>,

    /// Print the primes in the order in which their numbers were drawn
    #[arg(long)]
    ordered: bool,

    /// Print the primes and errors only: no summary, no notes
    #[arg(short, long)]
    quiet: bool,

    /// Log what the pipeline does (RUST_LOG has more to choose from)
    #[arg(short, long, conflicts_with = "quiet")]
    verbose: bool,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum Finder {
    /// By strong Fermat tests: under a microsecond a number
    #[default]
    Fast,
    /// By trial division: seconds for a large prime
    Trial,
}

/// What `prime-fan random` was asked to do.
#[derive(Debug)]
pub(crate) struct Search {
    pub(crate) numbers: RandomIntegers,
    /// The search ends after so many primes.
    pub(crate) count: u64,
    /// It gives up after so many numbers.
    pub(crate) tested: Option<usize>,
    pub(crate) finder: Finder,
    pub(crate) workers: Option<usize>,
    pub(crate) ordered: bool,
    pub(crate) quiet: bool,
}

impl RandomArgs {
    pub(crate) fn log_filter(&self) -> &'static str {
        match (self.quiet, self.verbose) {
            (true, _) => "error",
            (_, true) => "info",
            _ => "warn",
        }
    }

    pub(crate) fn into_search(self) -> Result<Search, clap::Error> {
        let numbers = RandomIntegers::new(self.range()).map_err(|EmptyRange { min, max, .. }| {
            let message = format!("--min {min} is greater than --max {max}: lower --min or raise --max");
            <Cli as CommandFactory>::command().error(ErrorKind::ValueValidation, message)
        })?;
        let numbers = match self.seed {
            Some(seed) => numbers.seeded(seed),
            None => numbers,
        };
        let Self { count, tested, finder, workers, ordered, quiet, .. } = self;
        Ok(Search { numbers, count, tested, finder, workers, ordered, quiet })
    }

    fn range(&self) -> RangeInclusive<u64> {
        match self.bits {
            Some(bits) => 1 << (bits - 1)..=u64::MAX >> (64 - bits),
            None => self.min.unwrap_or(0)..=self.max.unwrap_or(u64::MAX),
        }
    }
}

/// Parses a whole number of `range`. Whatever is wrong with the text, the message says what would be right.
fn whole<T: TryFrom<u64>>(range: RangeInclusive<u64>) -> impl Fn(&str) -> Result<T, String> + Clone {
    move |text| {
        let number = text.parse().ok().filter(|number| range.contains(number));
        number
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| format!("give a whole number from {} to {}", range.start(), range.end()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(line: &str) -> RangeInclusive<u64> {
        let Command::Random(args) = Cli::try_parse_from(line.split_whitespace()).unwrap().command();
        args.range()
    }

    #[test]
    fn the_definition_is_consistent() {
        <Cli as CommandFactory>::command().debug_assert();
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
