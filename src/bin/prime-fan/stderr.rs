//! The standard error. Whoever writes there lets the progress bars, if any are drawn, step aside.

use std::env;
use std::error::Error;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;

use anstream::AutoStream;
use clap::builder::styling::{AnsiColor, Style};
use indicatif::MultiProgress;

/// The bars on the terminal, once there are any.
static BARS: OnceLock<MultiProgress> = OnceLock::new();

const ERROR: Style = AnsiColor::Red.on_default().bold();

/// From here on the terminal has bars.
pub(crate) fn has_bars(bars: MultiProgress) {
    // They are made once, for the one run of the process.
    let _ = BARS.set(bars);
}

/// Does what writes to the terminal while no bar is on it.
pub(crate) fn aside<R>(write: impl FnOnce() -> R) -> R {
    match BARS.get() {
        Some(bars) => bars.suspend(write),
        None => write(),
    }
}

/// Whether what was written can be written over, as bars are.
pub(crate) fn can_draw() -> bool {
    io::stderr().is_terminal() && env::var_os("TERM").is_some_and(|terminal| terminal != "dumb")
}

/// Whether what is written there may have colours.
pub(crate) fn has_colours() -> bool {
    AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never
}

/// Writes a line.
pub(crate) fn say(text: impl Display) {
    write(format_args!("prime-fan: {text}\n"));
}

/// Tells an error with its causes.
pub(crate) fn complain(error: impl Error + Send + Sync + 'static) {
    write(format_args!("{ERROR}prime-fan:{ERROR:#} {:#}\n", anyhow::Error::new(error)));
}

/// Writes lines as they are.
pub(crate) fn write(text: impl Display) {
    // One write, so that nothing comes between. If it fails there is nobody left to tell.
    let _ = aside(|| AutoStream::auto(io::stderr()).write_all(text.to_string().as_bytes()));
}

/// Where the log goes.
pub(crate) struct Log;

impl Write for Log {
    /// The logger writes a whole line at a time.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        aside(|| io::stderr().write(line))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
