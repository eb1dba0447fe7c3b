//! A source that counts the items taken from it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// An endless source that counts how many items were taken.
#[derive(Clone)]
pub(crate) struct CountingSource(pub(crate) Arc<AtomicU64>);

impl CountingSource {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicU64::new(0)))
    }

    pub(crate) fn taken(&self) -> u64 {
        self.0.load(SeqCst)
    }
}

impl Iterator for CountingSource {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        Some(self.0.fetch_add(1, SeqCst))
    }
}
