//! The standard error. Whoever writes there lets the progress bars, if any are drawn, step aside.

use std::env;
use std::error::Error;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use anstream::AutoStream;
use anstream::adapter::strip_str;
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
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never)
}

/// Writes a line.
pub(crate) fn say(text: impl Display) {
    write(format_args!("prime-fan: {text}\n"));
}

/// Tells an error with its causes.
pub(crate) fn complain(error: &dyn Error) {
    write(complaint(error));
}

/// A line about an error with its causes.
pub(crate) fn complaint(error: &dyn Error) -> String {
    let mut line = format!("{ERROR}prime-fan:{ERROR:#} {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        line += &format!(": {error}");
        cause = error.source();
    }
    line + "\n"
}

/// Writes lines as they are, without colours where there are to be none.
pub(crate) fn write(lines: impl Display) {
    let lines = lines.to_string();
    let plain = if has_colours() { lines } else { strip_str(&lines).to_string() };
    // One write, so that nothing comes between. If it fails there is nobody left to tell.
    let _ = aside(|| io::stderr().write_all(plain.as_bytes()));
}

/// Takes the bars off the terminal, unless whoever holds them is stuck.
pub(crate) fn clear_before_exit() {
    let Some(bars) = BARS.get() else { return };
    let (done, cleared) = mpsc::channel();
    thread::spawn(move || {
        // A terminal that can't be written to has no bars to clear.
        let _ = bars.clear();
        let _ = done.send(());
    });
    // It takes a moment or forever.
    let _ = cleared.recv_timeout(Duration::from_millis(100));
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
