//! The standard output.

use std::io::{self, BufWriter, Stdout, Write};

use crate::exit::Failure;

/// Writes numbers to the standard output, one a line. They stay in a buffer until it is full or [`flush`](Self::flush)
/// is called.
pub(crate) struct Lines(BufWriter<Stdout>);

impl Lines {
    pub(crate) fn new() -> Self {
        Self(BufWriter::with_capacity(64 * 1024, io::stdout()))
    }

    pub(crate) fn write(&mut self, number: u64) -> Result<(), Failure> {
        writeln!(self.0, "{number}").map_err(Failure::Stdout)
    }

    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.0.flush().map_err(Failure::Stdout)
    }
}
