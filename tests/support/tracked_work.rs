//! The state of a worker, counted.

use actix_fan::{BoxError, Job, Work};

use super::{DropCounter, Tracked};

/// Emits each item, and is counted while it exists.
pub(crate) struct TrackedWork(#[allow(dead_code, reason = "it counts until it is dropped")] Tracked);

impl TrackedWork {
    pub(crate) fn new(counter: &DropCounter) -> Self {
        Self(counter.track())
    }
}

impl Work<u64> for TrackedWork {
    type Output = u64;

    fn run(&mut self, n: u64, job: &mut Job<'_, u64>) -> Result<(), BoxError> {
        job.emit(n);
        Ok(())
    }
}
