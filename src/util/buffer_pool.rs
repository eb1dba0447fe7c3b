//! Emptied vectors, kept for the next batches.

use std::sync::{Mutex, PoisonError};

/// The largest vector that is kept.
const BUFFER_BYTES: usize = 1024 * 1024;

/// Emptied vectors for the next batches: their memory is warm in the cache, and need not be asked for.
pub(crate) struct BufferPool<T> {
    vectors: Mutex<Vec<Vec<T>>>,
    /// No more than are in use at a time while the workers are the bottleneck.
    most: usize,
}

impl<T> BufferPool<T> {
    pub(crate) fn new(workers: usize) -> Self {
        Self { vectors: Mutex::new(Vec::new()), most: workers.saturating_mul(8) }
    }

    pub(crate) fn get(&self) -> Vec<T> {
        self.vectors.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    pub(crate) fn put(&self, vector: Vec<T>) {
        debug_assert!(vector.is_empty());
        // One that a flood of results has blown up isn't kept: `workers * 8` of its size may be too much.
        if !(1..=BUFFER_BYTES).contains(&(vector.capacity() * size_of::<T>())) {
            return;
        }
        let mut vectors = self.vectors.lock().unwrap_or_else(PoisonError::into_inner);
        if vectors.len() < self.most {
            vectors.push(vector);
        }
    }
}
