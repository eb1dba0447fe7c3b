//! The reasons for which the program fails, their messages and their exit codes.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use actix_fan::{BoxError, PipelineError, StartError};
use anstream::AutoStream;
use thiserror::Error;

use crate::cli::messages;
use crate::cli::signals::Signal;
use crate::parse::input::{Bad, shown};

/// The exit code of the command `timeout`.
pub(crate) const TIME_IS_UP: u8 = 124;
const NOTHING_FOUND: u8 = 1;
const USAGE: u8 = 2;
// The numbers of sysexits.h.
const UNAVAILABLE: u8 = 69;
const SOFTWARE: u8 = 70;
const SYSTEM: u8 = 71;
const INPUT_OUTPUT: u8 = 74;

/// Why the program did not do what the command line asked for.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// Wrong arguments, or the text of `--help` or `--version`.
    #[error(transparent)]
    Arguments(#[from] clap::Error),
    #[error("could not start {what}")]
    System {
        what: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("could not start the search")]
    Start(#[from] StartError),
    #[error("could not write to the standard output")]
    Stdout(#[source] io::Error),
    #[error("could not write to {}", shown(path))]
    Output {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("could not continue {}", shown(path))]
    Continue {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The error was reported when it occurred.
    #[error("an input could not be read")]
    Unread,
    #[error("{0}{remedy}", remedy = if .0.is_encoded() { "" } else { "; --bad skip ignores it, --bad report goes on as well" })]
    Bad(Bad),
    #[error("no word of the input is a number; {bad} ignored, the first: {first}")]
    AllBad { bad: u64, first: Bad },
    #[error("bad words in the input: {0}")]
    Reported(u64),
    #[error("the search ended too early")]
    Pipeline(#[from] PipelineError),
    /// The NATS server, or the connection to it.
    #[error(transparent)]
    Server(BoxError),
    #[error("{0} is no regular file: --run needs an input that is the same each time")]
    NoFile(String),
    #[error("this program was built without the feature nats: `cargo install prime-fan --features nats` has it")]
    WithoutNats,
    #[error("something is bad")]
    Unwell,
    #[error("the test of {0} of the numbers failed")]
    Items(u64),
    #[error("{tested} numbers tested, {found} of {count} primes found: raise --tested to search longer")]
    Missing { tested: u64, found: u64, count: u64 },
    #[error("nothing was found")]
    NothingFound,
    #[error("stopped by --timeout after {}", humantime::format_duration(*.0))]
    TimeIsUp(Duration),
    #[error("interrupted")]
    Interrupted,
}

impl Failure {
    /// Returns true if the results are complete all the same: the search ended in order.
    pub(crate) fn is_complete(&self) -> bool {
        match self {
            Self::Missing { .. } | Self::NothingFound | Self::AllBad { .. } | Self::Reported(_) => true,
            // The user asked for an early end, so the results up to then are the answer.
            Self::Interrupted | Self::TimeIsUp(_) => true,
            _ => false,
        }
    }

    /// The reason for the end, as the statistics name it.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Stdout(error) | Self::Output { source: error, .. } if error.kind() == io::ErrorKind::BrokenPipe => {
                "reader-closed"
            }
            Self::Interrupted => "signal",
            Self::TimeIsUp(_) => "timeout",
            failure if failure.is_complete() => "complete",
            _ => "failed",
        }
    }

    /// Prints the message, if this failure has one, and returns the exit code.
    pub(crate) fn report(self) -> ExitCode {
        let code = match &self {
            Self::Arguments(error) => return print(error),
            // The reader closed the pipe, as `head` does: not an error.
            Self::Stdout(error) | Self::Output { source: error, .. } if error.kind() == io::ErrorKind::BrokenPipe => {
                return ExitCode::SUCCESS;
            }
            // The process ends by the signal itself; the shell reports that.
            Self::Interrupted => return Signal::INTERRUPT.code().into(),
            // The empty output says it.
            Self::NothingFound | Self::Unwell => return NOTHING_FOUND.into(),
            Self::Unread => return INPUT_OUTPUT.into(),
            Self::Missing { .. } | Self::AllBad { .. } => NOTHING_FOUND,
            Self::Bad(_) | Self::Reported(_) | Self::NoFile(_) | Self::WithoutNats => USAGE,
            Self::Server(_) | Self::Pipeline(PipelineError::Remote { .. }) => UNAVAILABLE,
            Self::Pipeline(_) | Self::Items(_) => SOFTWARE,
            Self::System { .. } | Self::Start(_) => SYSTEM,
            Self::Stdout(_) | Self::Output { .. } | Self::Continue { .. } => INPUT_OUTPUT,
            Self::TimeIsUp(_) => TIME_IS_UP,
        };
        let mut line = messages::error_line(&self);
        if let Some(remedy) = self.remedy() {
            line.insert_str(line.trim_end().len(), &format!("; {remedy}"));
        }
        messages::write(line);
        code.into()
    }

    /// Returns what the user can do about it, where the operating system's message does not say.
    fn remedy(&self) -> Option<&'static str> {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};

        let (Self::Stdout(error) | Self::Output { source: error, .. } | Self::Continue { source: error, .. }) = self
        else {
            return None;
        };
        match error.kind() {
            StorageFull | QuotaExceeded => Some("make room, or write elsewhere with --output"),
            FileTooLarge => Some("raise the limit of `ulimit -f`, or look for less"),
            _ => None,
        }
    }
}

/// Prints clap's message: `--help` to the standard output, an error to the standard error.
fn print(message: &clap::Error) -> ExitCode {
    let text = message.render().ansi().to_string();
    if message.use_stderr() {
        messages::write(messages::with_our_prefix(&text));
    } else if let Err(error) = io::Write::write_all(&mut AutoStream::auto(io::stdout()), text.as_bytes()) {
        return Failure::Stdout(error).report();
    }
    // clap's codes are 0 and 2.
    ExitCode::from(message.exit_code() as u8)
}
