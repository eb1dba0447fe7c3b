//! The lines at the end of the terminal that are drawn over and over again. What else is written there goes through
//! [`suspend`], for which they step aside.
//!
//! They are decoration. A frame that would have to wait is left out, a terminal that refuses one gets no more, and no error
//! leaves this file.

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
    /// What is to be seen.
    lines: Vec<String>,
    /// How many lines of that stand on the terminal. The cursor is at the end of the last one.
    drawn: usize,
    /// The terminal has refused a frame.
    gone: bool,
    /// The process has been stopped meanwhile, and the cursor is wherever others have left it.
    continued: Option<Arc<AtomicBool>>,
}

/// Draws lines in place of those that were drawn last, unless the terminal is busy, another job has it, or it is gone.
pub(crate) fn draw(lines: Vec<String>) {
    // A writer that is stuck holds the lock.
    let Ok(mut screen) = SCREEN.try_lock() else { return };
    screen.continued.get_or_insert_with(signals::continued);
    screen.lines = lines;
    if screen.state() == State::Ready {
        screen.redraw();
    }
}

/// Takes the lines off the terminal for good.
pub(crate) fn clear() {
    let mut screen = screen();
    screen.lines.clear();
    if screen.drawn > 0 && screen.state() == State::Ready {
        screen.redraw();
    }
}

/// Likewise, unless that would take long.
pub(crate) fn clear_before_exit() {
    let (done, cleared) = mpsc::channel();
    thread::spawn(move || {
        clear();
        let _ = done.send(());
    });
    // A writer that is stuck holds the lock.
    let _ = cleared.recv_timeout(Duration::from_millis(100));
}

/// Does what writes to the terminal while no line is in its way.
pub(crate) fn suspend<R>(write: impl FnOnce() -> R) -> R {
    let mut screen = screen();
    if screen.drawn > 0 {
        let lines = std::mem::take(&mut screen.lines);
        // If this has to wait, so has what follows.
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
    /// Whether to draw. Forgets what others may have written over.
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

    /// What puts the lines in place of those that are drawn.
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
