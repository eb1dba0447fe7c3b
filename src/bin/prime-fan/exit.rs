//! How the program ends: the exit codes, and the words on the standard error.

use std::error::Error;
use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use actix_fan::{PipelineError, StartError};
use thiserror::Error;

/// What the shell reports for a program that Ctrl-C ended.
pub(crate) const INTERRUPTED: u8 = 130;
const MISSING: u8 = 1;
// The numbers of sysexits.h.
const SOFTWARE: u8 = 70;
const SYSTEM: u8 = 71;
const OUTPUT: u8 = 74;

/// Why the program ends without having done what it was asked to.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// Wrong arguments, or a text such as `--help` that was asked for.
    #[error(transparent)]
    Arguments(#[from] clap::Error),
    #[error("could not prepare for Ctrl-C")]
    Signals(#[from] ctrlc::Error),
    #[error("could not start the event loop")]
    EventLoop(#[source] io::Error),
    #[error("could not start the search")]
    Start(#[from] StartError),
    #[error("could not write to the standard output")]
    Stdout(#[source] io::Error),
    #[error("the search ended too early")]
    Pipeline(#[from] PipelineError),
    #[error("the test of {0} of the numbers failed")]
    Items(u64),
    #[error("{tested} numbers tested, {found} of {count} primes found: raise --tested to search on")]
    Missing { tested: u64, found: u64, count: u64 },
    #[error("interrupted")]
    Interrupted,
}

impl Failure {
    /// Says what has to be said and returns the exit code.
    pub(crate) fn report(self) -> ExitCode {
        let code = match &self {
            Self::Arguments(error) => return print(error),
            // The reader has seen enough, as `head` does.
            Self::Stdout(error) if error.kind() == io::ErrorKind::BrokenPipe => return ExitCode::SUCCESS,
            // Whoever interrupted knows.
            Self::Interrupted => return INTERRUPTED.into(),
            Self::Missing { .. } => MISSING,
            Self::Pipeline(_) | Self::Items(_) => SOFTWARE,
            Self::Signals(_) | Self::EventLoop(_) | Self::Start(_) => SYSTEM,
            Self::Stdout(_) => OUTPUT,
        };
        complain(self);
        code.into()
    }
}

/// Prints clap's message where it belongs: `--help` to the standard output, an error to the standard error.
fn print(message: &clap::Error) -> ExitCode {
    match message.print() {
        Err(error) if !message.use_stderr() => Failure::Stdout(error).report(),
        // clap's codes are 0 and 2.
        _ => ExitCode::from(message.exit_code() as u8),
    }
}

/// Tells an error with its causes.
pub(crate) fn complain(error: impl Error + Send + Sync + 'static) {
    say(format_args!("{:#}", anyhow::Error::new(error)));
}

/// Writes a line to the standard error.
pub(crate) fn say(text: impl Display) {
    // One write, so that nothing comes between. If it fails there is nobody left to tell.
    let _ = io::stderr().write_all(format!("prime-fan: {text}\n").as_bytes());
}
