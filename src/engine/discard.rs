//! Results that will not be taken: where they are dropped. A few are dropped in place; many would keep the thread from
//! everything else, and that may be an arbiter's.

use std::thread;

use crate::engine::chunk::Chunk;
use crate::engine::run::{Run, WorkerGuard};

/// Results that are dropped in place: some 100 us, where a result owns a string.
const IN_PLACE: usize = 4096;

/// Bytes that are freed in the time in which a result is dropped, where results own nothing.
const BYTES_PER_RESULT: usize = 256;

/// What the end of a chunk costs by itself, in results.
const PER_CHUNK: usize = 16;

/// How much more may be dropped in place.
pub(crate) struct Allowance(usize);

impl Allowance {
    pub(crate) fn new() -> Self {
        Self(IN_PLACE)
    }

    /// Returns true if `chunk` may be dropped in place, and takes it off.
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

/// Drops `rest` on a thread of its own, which counts as one of the pipeline's until that is done. Where the operating system
/// refuses the thread, it is dropped in place.
pub(crate) fn elsewhere<T: Send + 'static>(rest: T, run: &Run) {
    // In this order: what waits for the last thread then finds everything dropped.
    struct Rest<T> {
        _results: T,
        _guard: WorkerGuard,
    }
    let rest = Rest { _results: rest, _guard: WorkerGuard::of_another_thread(run) };
    let _ = thread::Builder::new().name("fan-discard".to_owned()).spawn(move || drop(rest));
}
