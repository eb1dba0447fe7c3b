//! The status lines: the last lines on the terminal, which show progress and are redrawn in place. All other output to
//! the terminal goes through [`suspend`], which erases them, writes, and draws them again.
//!
//! The program does not depend on them. A frame is left out if its write would block, a write that fails ends the
//! drawing, and no error leaves this file.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use crate::cli::signals;
use crate::cli::terminal::{self, State};

/// Erases what follows the cursor.
const ERASE: &str = "\x1b[J";

static SCREEN: Mutex<Screen> = Mutex::new(Screen { lines: Vec::new(), drawn: 0, gone: false, continued: None });

struct Screen {
    /// The lines to show.
    lines: Vec<String>,
    /// How many of them are on the terminal now. The cursor is at the end of the last one.
    drawn: usize,
    /// True once a write of a frame has failed.
    gone: bool,
    /// Set when the process continued after a stop: other programs may have moved the cursor.
    continued: Option<Arc<AtomicBool>>,
}

/// Draws lines in place of the last ones, unless the terminal is busy, belongs to another job, or is gone.
pub(crate) fn draw(lines: Vec<String>) {
    // A thread that is blocked in a write holds the lock.
    let Ok(mut screen) = SCREEN.try_lock() else { return };
    screen.continued.get_or_insert_with(signals::continued);
    screen.lines = lines;
    if screen.state() == State::Ready {
        screen.redraw();
    }
}

/// Erases the lines and shows none from here on.
pub(crate) fn clear() {
    let mut screen = screen();
    screen.lines.clear();
    if screen.drawn > 0 && screen.state() == State::Ready {
        screen.redraw();
    }
}

/// [`clear`], but for a tenth of a second at most.
pub(crate) fn clear_before_exit() {
    let (done, cleared) = mpsc::channel();
    thread::spawn(move || {
        clear();
        let _ = done.send(());
    });
    // A thread that is blocked in a write holds the lock.
    let _ = cleared.recv_timeout(Duration::from_millis(100));
}

/// Erases the lines, calls `write`, which writes to the terminal, and draws them again.
pub(crate) fn suspend<R>(write: impl FnOnce() -> R) -> R {
    let mut screen = screen();
    if screen.drawn > 0 {
        let lines = std::mem::take(&mut screen.lines);
        // If this write blocks, so does the one below: nothing is lost by waiting here.
        if matches!(screen.state(), State::Ready | State::Busy) {
            screen.redraw();
        }
        screen.lines = lines;
    }
    let result = write();
    if !screen.lines.is_empty() && screen.state() == State::Ready {
        screen.redraw();
    }
    result
}

fn screen() -> MutexGuard<'static, Screen> {
    SCREEN.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Screen {
    /// Returns the state of the terminal. Forgets the drawn lines if other programs may have written over them.
    fn state(&mut self) -> State {
        if self.gone {
            return State::Gone;
        }
        let state = terminal::state();
        let continued = self.continued.as_ref().is_some_and(|continued| continued.swap(false, Relaxed));
        if continued || matches!(state, State::Background | State::Gone) {
            self.drawn = 0;
        }
        self.gone = state == State::Gone;
        state
    }

    fn redraw(&mut self) {
        let frame = self.frame();
        self.drawn = self.lines.len();
        if io::stderr().write_all(frame.as_bytes()).is_err() {
            (self.gone, self.drawn) = (true, 0);
        }
    }

    /// Returns the escape sequences and text that replace the drawn lines.
    fn frame(&self) -> String {
        let up = match self.drawn {
            0 | 1 => String::new(),
            drawn => format!("\x1b[{}A", drawn - 1),
        };
        format!("\r{up}{}{ERASE}", self.lines.join(&format!("{ERASE}\r\n")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_takes_the_place_of_the_last_one() {
        let frame = |lines: &[&str], drawn| {
            let lines = lines.iter().map(ToString::to_string).collect();
            Screen { lines, drawn, gone: false, continued: None }.frame()
        };
        assert_eq!(frame(&["1 %"], 0), "\r1 %\x1b[J");
        assert_eq!(frame(&["2 %"], 1), "\r2 %\x1b[J");
        assert_eq!(frame(&["3 %", "worker 0"], 1), "\r3 %\x1b[J\r\nworker 0\x1b[J");
        assert_eq!(frame(&["4 %", "worker 0"], 2), "\r\x1b[1A4 %\x1b[J\r\nworker 0\x1b[J");
        assert_eq!(frame(&[], 3), "\r\x1b[2A\x1b[J");
    }
}
