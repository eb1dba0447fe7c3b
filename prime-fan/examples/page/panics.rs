//! Panics on purpose, as often as a client wants, which can change that while its search runs.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Of how many items one panics; 0: none. Clones share it.
#[derive(Clone)]
pub(crate) struct Panics(Arc<AtomicU64>);

impl Panics {
    pub(crate) fn new(every: u64) -> Self {
        Self(Arc::new(AtomicU64::new(every)))
    }

    pub(crate) fn set(&self, every: u64) {
        // The number alone counts: nothing else is published with it.
        self.0.store(every, Ordering::Relaxed);
    }

    /// Panics if it is the turn of the item with this index.
    pub(crate) fn at(&self, index: u64) {
        let every = self.0.load(Ordering::Relaxed);
        // Only 0 is a multiple of 0.
        if (index + 1).is_multiple_of(every) {
            // Unlike `panic!`, this does not print a message and a backtrace for each of them.
            resume_unwind(Box::new(format!("one in {every} was asked for")));
        }
    }
}
