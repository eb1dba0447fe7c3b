//! The terminal behind the standard error, if there is one.

use std::env;
use std::io::{self, IsTerminal};

/// What may be drawn at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Ready,
    /// Another job has the terminal: a shell that waits for a command, for example.
    Background,
    /// A write would wait, as after Ctrl-S.
    Busy,
    /// Nothing will be drawn any more.
    Gone,
}

/// Returns true if what was written can be written over, as progress bars are.
pub(crate) fn can_draw() -> bool {
    io::stderr().is_terminal() && env::var_os("TERM").is_none_or(|terminal| terminal != "dumb") && knows_escapes()
}

/// The width of a line. `None`: there is no terminal, or it doesn't tell.
pub(crate) fn columns() -> Option<usize> {
    terminal_size::terminal_size_of(io::stderr()).map(|(width, _)| width.0.into())
}

#[cfg(unix)]
fn knows_escapes() -> bool {
    env::var_os("TERM").is_some()
}

#[cfg(unix)]
pub(crate) fn state() -> State {
    use rustix::io::Errno;
    use rustix::process::getpgrp;
    use rustix::termios::tcgetpgrp;

    match tcgetpgrp(io::stderr()) {
        Ok(foreground) if foreground != getpgrp() => State::Background,
        // A terminal that doesn't control this process, or is held by a process outside of this container, has no jobs to
        // tell apart. A write to one that is gone fails.
        Ok(_) | Err(Errno::NOTTY | Errno::OPNOTSUPP) if takes() => State::Ready,
        Ok(_) | Err(Errno::NOTTY | Errno::OPNOTSUPP) => State::Busy,
        Err(_) => State::Gone,
    }
}

/// Returns true if the standard error takes a few lines at once: nothing keeps the writer waiting.
#[cfg(unix)]
pub(crate) fn takes() -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    let stderr = io::stderr();
    let mut files = [PollFd::new(&stderr, PollFlags::OUT)];
    match poll(&mut files, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) {
        Ok(ready) => ready > 0,
        // A signal came first, or the system can't tell: some know no terminals here.
        Err(error) => error != rustix::io::Errno::INTR,
    }
}

#[cfg(windows)]
fn knows_escapes() -> bool {
    // Also makes a console that knows them interpret them.
    anstyle_query::windows::enable_ansi_colors().unwrap_or(false)
}

#[cfg(not(any(unix, windows)))]
fn knows_escapes() -> bool {
    false
}

#[cfg(not(unix))]
pub(crate) fn state() -> State {
    State::Ready
}

#[cfg(not(unix))]
pub(crate) fn takes() -> bool {
    true
}
