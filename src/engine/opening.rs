//! What a run holds from its start until the last thread has left it.

use std::sync::PoisonError;

use crate::engine::reentrancy;
use crate::engine::run::{Run, WorkerGuard};
use crate::util::panic::discard;
use crate::util::sync::{Mutex, MutexGuard};

/// What the threads of a run share, until it is closed. The run does not end before.
pub(crate) struct Opening<T> {
    run: Run,
    held: Mutex<Option<Held<T>>>,
}

struct Held<T> {
    value: T,
    /// Dropped after `value`: then nothing of the user's is left, but for what the consumer has.
    _guard: WorkerGuard,
}

impl<T: Clone> Opening<T> {
    pub(crate) fn new(run: &Run, value: T) -> Self {
        Self { run: run.clone(), held: Mutex::new(Some(Held { value, _guard: WorkerGuard::of_run(run) })) }
    }

    /// What the threads share; `None` once it is closed.
    pub(crate) fn get(&self) -> Option<T> {
        self.lock().as_ref().map(|held| held.value.clone())
    }

    /// [`get`](Self::get), and a guard for one more thread.
    pub(crate) fn enter(&self) -> Option<(T, WorkerGuard)> {
        let held = self.lock();
        // Under the lock: the guard of the run is there, so nothing sees the run without a thread in between.
        held.as_ref().map(|held| (held.value.clone(), WorkerGuard::of_another_thread(&self.run)))
    }

    /// Drops what the threads shared. To be called on a worker thread: the `Drop` of a factory may take long.
    pub(crate) fn close(&self) {
        let held = self.lock().take();
        let _entered = reentrancy::enter(self.run.id());
        discard(held);
    }

    fn lock(&self) -> MutexGuard<'_, Option<Held<T>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
