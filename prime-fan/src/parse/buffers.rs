//! A pool of buffers that slices are read into.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::grammar::LONGEST;
use super::input::BYTE_ORDER_MARK;

/// The size of a read: about a millisecond of work, so that passing it to a worker costs little in comparison.
pub(super) const READ: usize = 256 * 1024;

/// How much is kept of a word whose end was not read yet: enough to reject it as too long, even without the byte order
/// mark.
pub(super) const KEPT: usize = BYTE_ORDER_MARK.len() + LONGEST + 1;

/// The buffer pool. A buffer returns to it when it is dropped, so that its memory is allocated and cached already.
#[derive(Clone, Debug, Default)]
pub(super) struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

impl Buffers {
    pub(super) fn take(&self) -> Buffer {
        let bytes = self.unused().pop();
        Buffer { bytes: bytes.unwrap_or_else(|| vec![0; KEPT + READ]), home: self.clone() }
    }

    /// A buffer with these bytes.
    pub(super) fn holding(&self, bytes: &[u8]) -> Buffer {
        Buffer { bytes: bytes.to_vec(), home: self.clone() }
    }

    fn unused(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A buffer for one read and for what was kept of the read before.
#[derive(Debug)]
pub(super) struct Buffer {
    pub(super) bytes: Vec<u8>,
    home: Buffers,
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // The pool has no limit of its own: it grows to the most buffers in use at a time, which the window limits.
        self.home.unused().push(mem::take(&mut self.bytes));
    }
}
