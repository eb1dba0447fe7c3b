//! The terminal to which the standard error is connected, if it is one.

use std::env;
use std::io::{self, IsTerminal};

/// Whether the program may draw on the terminal now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Ready,
    /// Another job is in the foreground, for example a shell that waits for a command.
    Background,
    /// A write would block, as after Ctrl-S.
    Busy,
    /// The terminal was closed.
    Gone,
}

/// Returns true if the terminal can redraw lines in place, as progress bars need.
pub(crate) fn can_draw() -> bool {
    io::stderr().is_terminal() && env::var_os("TERM").is_none_or(|terminal| terminal != "dumb") && knows_escapes()
}

/// The width of the terminal in columns; `None` if it is unknown or there is no terminal.
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
        // No job control: the terminal is not the controlling one of this process, or its foreground process is outside
        // of this container. If the terminal was closed, a write will fail.
        Ok(_) | Err(Errno::NOTTY | Errno::OPNOTSUPP) if takes() => State::Ready,
        Ok(_) | Err(Errno::NOTTY | Errno::OPNOTSUPP) => State::Busy,
        Err(_) => State::Gone,
    }
}

/// Returns true if a write of a few lines to the standard error would not block.
#[cfg(unix)]
pub(crate) fn takes() -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    let stderr = io::stderr();
    let mut files = [PollFd::new(&stderr, PollFlags::OUT)];
    match poll(&mut files, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) {
        Ok(ready) => ready > 0,
        // Interrupted by a signal: not known. Any other error: `poll` does not support terminals here, so assume it
        // would not.
        Err(error) => error != rustix::io::Errno::INTR,
    }
}

#[cfg(windows)]
fn knows_escapes() -> bool {
    // This also turns the interpretation of escape sequences on.
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
