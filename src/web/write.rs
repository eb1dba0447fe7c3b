//! Writing a result as text.

use std::io;

use serde::Serialize;

use crate::util::panic::catch;

/// The type of the function that writes a result as JSON for [`ndjson`](super::ndjson()) and
/// [`events`](super::events()).
pub type WriteJson<T> = fn(&T, &mut Vec<u8>) -> io::Result<()>;

pub(super) fn json<T: Serialize>(value: &T, out: &mut Vec<u8>) -> io::Result<()> {
    Ok(serde_json::to_writer(out, value)?)
}

/// Lets `write` append a value, and removes what it wrote if it fails or panics. Returns the position of the value in
/// `out`.
pub(super) fn append<T>(
    write: &mut impl FnMut(&T, &mut Vec<u8>) -> io::Result<()>,
    value: &T,
    out: &mut Vec<u8>,
) -> io::Result<usize> {
    let start = out.len();
    // A writer that truncates `out` breaks the format, but must not make the caller slice out of bounds.
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
