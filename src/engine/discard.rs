//! Where results that will not be taken are dropped: a few in place, many on a thread of their own, since to drop them
//! would block the current thread, which may be an arbiter's.

use std::thread;

use crate::engine::chunk::Chunk;
use crate::engine::run::{Run, WorkerGuard};

/// How many results are dropped in place: it takes some 100 us if each owns a string.
const IN_PLACE: usize = 4096;

/// How many bytes of results that own nothing are freed in the time in which a result that owns a string is dropped.
const BYTES_PER_RESULT: usize = 256;

/// What it costs to drop an empty chunk, in results.
const PER_CHUNK: usize = 16;

/// How many more results may be dropped in place.
pub(crate) struct Allowance(usize);

impl Allowance {
    pub(crate) fn new() -> Self {
        Self(IN_PLACE)
    }

    /// Returns true if `chunk` may be dropped in place; its results then count against the allowance.
    pub(crate) fn covers<T>(&mut self, chunk: &Chunk<T>) -> bool {
        let values = match std::mem::needs_drop::<T>() {
            true => chunk.len(),
            false => chunk.len().saturating_mul(size_of::<T>()) / BYTES_PER_RESULT,
        };
        let left = self.0.checked_sub(values.saturating_add(PER_CHUNK));
        self.0 = left.unwrap_or(0);
        left.is_some()
    }
}

/// Drops `rest` on a thread of its own; the run's end waits for that thread. If the operating system refuses the
/// thread, `rest` is dropped in place.
pub(crate) fn elsewhere<T: Send + 'static>(rest: T, run: &Run) {
    // In this order: a task that waits for the last thread then finds everything dropped.
    struct Rest<T> {
        _results: T,
        _guard: WorkerGuard,
    }
    let rest = Rest { _results: rest, _guard: WorkerGuard::of_another_thread(run) };
    let _ = thread::Builder::new().name("fan-discard".to_owned()).spawn(move || drop(rest));
}
