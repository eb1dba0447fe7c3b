//! How a value becomes text.

use std::io;

use serde::Serialize;

use crate::util::panic::catch;

/// Writes a value as JSON: what [`ndjson`](super::ndjson()) and [`events`](super::events()) use.
pub type WriteJson<T> = fn(&T, &mut Vec<u8>) -> io::Result<()>;

pub(super) fn json<T: Serialize>(value: &T, out: &mut Vec<u8>) -> io::Result<()> {
    Ok(serde_json::to_writer(out, value)?)
}

/// Lets `write` append a value, and takes back what it wrote if it fails or panics. Returns where the value begins.
pub(super) fn append<T>(
    write: &mut impl FnMut(&T, &mut Vec<u8>) -> io::Result<()>,
    value: &T,
    out: &mut Vec<u8>,
) -> io::Result<usize> {
    let start = out.len();
    // A writer that shortens what was there before breaks the format, but nothing worse.
    let written = catch(|| write(value, out)).unwrap_or_else(|panic| Err(io::Error::other(panic)));
    let start = start.min(out.len());
    match written {
        Ok(()) => Ok(start),
        Err(error) => {
            out.truncate(start);
            Err(error)
        }
    }
}
