//! The terminal as the bars see it.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use console::Term;
use indicatif::TermLike;

/// The standard error, without the blanks with which every line would be filled up to the right edge. They would leave the
/// cursor there, and the `^C` that a terminal echoes would break the line and leave a piece of a bar behind.
#[derive(Debug)]
pub(super) struct Terminal {
    term: Term,
    /// The next text begins a line. Only the thread that draws touches it, behind a lock.
    line_ended: AtomicBool,
}

impl Terminal {
    pub(super) fn stderr() -> Self {
        Self { term: Term::buffered_stderr(), line_ended: AtomicBool::new(false) }
    }
}

impl TermLike for Terminal {
    fn width(&self) -> u16 {
        self.term.size().1
    }

    fn height(&self) -> u16 {
        self.term.size().0
    }

    fn move_cursor_up(&self, lines: usize) -> io::Result<()> {
        self.term.move_cursor_up(lines)
    }

    fn move_cursor_down(&self, lines: usize) -> io::Result<()> {
        self.term.move_cursor_down(lines)
    }

    fn move_cursor_right(&self, columns: usize) -> io::Result<()> {
        self.term.move_cursor_right(columns)
    }

    fn move_cursor_left(&self, columns: usize) -> io::Result<()> {
        self.term.move_cursor_left(columns)
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.term.write_line(text)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        if text.bytes().all(|byte| byte == b' ') {
            self.line_ended.store(true, Relaxed);
            return Ok(());
        }
        if self.line_ended.swap(false, Relaxed) {
            self.term.write_str("\r\n")?;
        }
        self.term.write_str(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.term.clear_line()
    }

    fn flush(&self) -> io::Result<()> {
        self.line_ended.store(false, Relaxed);
        self.term.flush()
    }
}
