//! The options that all searches share.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use actix_fan::MAX_WORKERS;
use anstream::ColorChoice;
use clap::{ArgAction, Args, ValueEnum};

use super::cluster::{Cluster, Remote, invalid};
use crate::cli::format::Format;
use crate::parse::values::{duration, whole};

#[derive(Args, Debug)]
#[command(next_help_heading = "Common options")]
pub(crate) struct Common {
    /// Use N worker threads [default: one per processor]
    #[arg(short = 't', long, visible_alias = "threads", value_name = "N", value_parser = whole::<usize>(1..=MAX_WORKERS as u64))]
    workers: Option<usize>,

    /// The format of the results
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t)]
    format: Format,

    /// Write results to FILE atomically: it is created or replaced at the end, and left as it was after an error
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Complete FILE, in which an interrupted search left the beginning of these results: what is there is compared, and the
    /// rest appended
    #[arg(long = "continue", requires = "output")]
    continues: bool,

    /// Stop after a time such as 10s, 500ms or 2m: print the results up to then and exit with 124
    #[arg(long, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,

    /// When to show progress
    #[arg(long, value_name = "WHEN", value_enum, default_value_t)]
    progress: ProgressWhen,

    /// Print statistics to the standard error at the end
    #[arg(long, value_name = "FORMAT", value_enum)]
    stats: Option<StatsForm>,

    /// Write statistics to FILE at the end, even after an error or a signal, as a JSON object
    #[arg(long, value_name = "FILE")]
    stats_file: Option<PathBuf>,

    /// Print only results and errors: no summary, no notes, no progress
    #[arg(short, long)]
    quiet: bool,

    /// Log what the pipeline does; -vv logs details. RUST_LOG applies only without -q and -v
    #[arg(short, long, action = ArgAction::Count, conflicts_with = "quiet")]
    verbose: u8,

    /// When to colour messages
    #[arg(long, value_name = "WHEN", value_enum, default_value_t)]
    color: ColorWhen,

    #[command(flatten)]
    remote: Remote,
}

/// When to show progress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressWhen {
    /// If the standard error is a terminal
    #[default]
    Auto,
    /// Also without a terminal, as one line per second
    Always,
    Never,
    /// Like auto, with a line for each worker or node
    Workers,
}

/// The format of the statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StatsForm {
    Json,
    Text,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(super) enum ColorWhen {
    /// If they go to a terminal and NO_COLOR is not set
    #[default]
    Auto,
    Always,
    Never,
}

/// How to run a search, for all commands.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) workers: Option<usize>,
    pub(crate) format: Format,
    pub(crate) output: Option<PathBuf>,
    /// True if the output file is completed.
    pub(crate) continues: bool,
    pub(crate) timeout: Option<Duration>,
    pub(crate) progress: ProgressWhen,
    pub(crate) stats: Option<StatsForm>,
    pub(crate) stats_file: Option<PathBuf>,
    pub(crate) quiet: bool,
    /// True if a summary is printed at the end, unless statistics are.
    pub(crate) summary: bool,
    /// The seed of a search among random numbers.
    pub(crate) seed: Option<Seed>,
    /// The nodes that do the work; `None` if this machine does it.
    pub(crate) cluster: Option<Cluster>,
    /// The log filter of -q or -v; `None` if `RUST_LOG` decides.
    pub(crate) log_filter: Option<&'static str>,
}

/// The seed of the random numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seed {
    pub(crate) value: u64,
    /// True if the user gave none: the run can be repeated only if this one is printed.
    pub(crate) was_drawn: bool,
}

/// Returns true if a path of `--output` stands for the standard output.
pub(crate) fn is_stdout(path: &Path) -> bool {
    path.as_os_str() == "-" || path.as_os_str() == "/dev/stdout"
}

/// The log filter of -q and -v.
pub(super) fn log_filter(quiet: bool, verbose: u8) -> Option<&'static str> {
    match (quiet, verbose) {
        (true, _) => Some("error,async_nats=off"),
        (_, 0) => None,
        // The client of NATS logs what this program says with more context.
        (_, 1) => Some("info,async_nats=warn"),
        _ => Some("debug,async_nats=info"),
    }
}

impl TryFrom<Common> for Settings {
    type Error = clap::Error;

    fn try_from(common: Common) -> Result<Self, clap::Error> {
        let Common { workers, output, continues, remote, .. } = common;
        if continues && output.as_deref().is_some_and(is_stdout) {
            return Err(invalid("--continue needs a file: give --output FILE the name of one"));
        }
        let cluster = remote.cluster();
        if cluster.is_some() && workers.is_some() {
            return Err(invalid(
                "--workers is the number of threads on this machine, but with --nats other machines do the work: give it \
                 to their 'prime-fan node'",
            ));
        }
        Ok(Self {
            workers,
            format: common.format,
            output,
            continues,
            timeout: common.timeout,
            progress: common.progress,
            stats: common.stats,
            stats_file: common.stats_file,
            quiet: common.quiet,
            summary: false,
            seed: None,
            cluster,
            log_filter: log_filter(common.quiet, common.verbose),
        })
    }
}

/// Reads `--color` before all other arguments, because it also applies to errors about these.
pub(super) fn colours(arguments: &[OsString]) -> ColorChoice {
    let mut choice = ColorChoice::Auto;
    let mut arguments = arguments.iter().skip(1).map(|argument| argument.to_string_lossy());
    while let Some(argument) = arguments.next() {
        let when = match argument.split_once('=') {
            Some(("--color", when)) => when.to_owned(),
            None if argument == "--color" => arguments.next().unwrap_or_default().into_owned(),
            None if argument == "--" => break,
            _ => continue,
        };
        choice = match ColorWhen::from_str(&when, false) {
            Ok(ColorWhen::Always) => ColorChoice::Always,
            Ok(ColorWhen::Never) => ColorChoice::Never,
            Ok(ColorWhen::Auto) | Err(_) => ColorChoice::Auto,
        };
    }
    choice
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_chosen_wherever_the_option_stands() {
        let choice = |line: &str| colours(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert_eq!(choice("prime-fan --number 3"), ColorChoice::Auto);
        assert_eq!(choice("prime-fan --color never"), ColorChoice::Never);
        assert_eq!(choice("prime-fan filter --oops --color=always"), ColorChoice::Always);
        assert_eq!(choice("prime-fan --color=always --color never"), ColorChoice::Never);
        assert_eq!(choice("prime-fan --color"), ColorChoice::Auto);
        assert_eq!(choice("prime-fan filter -- --color=always"), ColorChoice::Auto);
    }
}
