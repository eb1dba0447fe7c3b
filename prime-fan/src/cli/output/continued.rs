//! A file that has the beginning of the results, and gets the rest.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Compares what is written with what is in the file, and appends what comes after its end. The file may end
/// within a line, as a killed process leaves it.
pub(super) struct Continued {
    file: File,
    /// How many bytes of the file are still to be compared.
    left: u64,
    /// How many lines were compared.
    lines: u64,
    buffer: Vec<u8>,
}

impl Continued {
    /// Opens the file, or creates it: then the search was interrupted before its first result.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        // Not truncated: it has what is compared.
        let mut file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "it is no regular file"));
        }
        file.seek(SeekFrom::Start(0))?;
        Ok(Self { file, left: metadata.len(), lines: 0, buffer: Vec::new() })
    }

    pub(super) fn metadata(&self) -> io::Result<Metadata> {
        self.file.metadata()
    }

    /// Compares as many bytes as the file still has.
    fn compare(&mut self, results: &[u8]) -> io::Result<usize> {
        let length = usize::try_from(self.left).map_or(results.len(), |left| left.min(results.len()));
        self.buffer.resize(length, 0);
        self.file.read_exact(&mut self.buffer)?;
        let differs = self.buffer.iter().zip(results).position(|(old, new)| old != new);
        self.lines += count_lines(&results[..differs.unwrap_or(length)]);
        if differs.is_some() {
            let message = format!(
                "its line {} is not what this search prints, so it is of another search or of other arguments",
                self.lines + 1
            );
            return Err(io::Error::new(ErrorKind::InvalidData, message));
        }
        self.left -= length as u64;
        Ok(length)
    }

    /// No more results come: these were all, or the search was cut short.
    pub(super) fn close(self, is_whole: bool) -> io::Result<()> {
        if is_whole && self.left > 0 {
            let message = format!("after its line {} it has more than this search prints", self.lines);
            return Err(io::Error::new(ErrorKind::InvalidData, message));
        }
        self.file.sync_all()
    }
}

impl Write for Continued {
    fn write(&mut self, results: &[u8]) -> io::Result<usize> {
        if self.left > 0 { self.compare(results) } else { self.file.write(results) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn count_lines(text: &[u8]) -> u64 {
    text.iter().filter(|byte| **byte == b'\n').count() as u64
}
