//! The memory that slices are read into, used again and again.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::grammar::LONGEST;
use super::input::BYTE_ORDER_MARK;

/// What is read at a time: about a millisecond of work, so that handing it over costs little beside it.
pub(super) const READ: usize = 256 * 1024;

/// What is kept of a word whose end has not come: enough to refuse it, even without a mark before it.
pub(super) const KEPT: usize = BYTE_ORDER_MARK.len() + LONGEST + 1;

/// Where buffers come from and return to: their memory is in use already, and warm.
#[derive(Clone, Debug, Default)]
pub(super) struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

impl Buffers {
    pub(super) fn take(&self) -> Buffer {
        let bytes = self.unused().pop();
        Buffer { bytes: bytes.unwrap_or_else(|| vec![0; KEPT + READ]), home: self.clone() }
    }

    #[cfg(test)]
    pub(super) fn holding(&self, bytes: &[u8]) -> Buffer {
        Buffer { bytes: bytes.to_vec(), home: self.clone() }
    }

    fn unused(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Room for one read and for what was kept before it.
#[derive(Debug)]
pub(super) struct Buffer {
    pub(super) bytes: Vec<u8>,
    home: Buffers,
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // No more than were in use at a time, which is what the window allows.
        self.home.unused().push(mem::take(&mut self.bytes));
    }
}
