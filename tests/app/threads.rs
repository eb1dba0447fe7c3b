//! A work that records when its worker threads begin and end.

use std::cell::RefCell;

use actix_fan::{BoxError, Job, Work};

use crate::support::{Count, Gate};

/// What workers do here: they wait at a gate, and tell when their threads begin and end.
#[derive(Clone)]
pub(crate) struct Threads {
    pub(crate) gate: Gate,
    pub(crate) begun: Count,
    pub(crate) ended: Count,
}

thread_local! {
    static LOCALS: RefCell<Option<Locals>> = const { RefCell::new(None) };
}

/// Dropped with what is local to a thread, when the thread ends.
struct Locals(Count);

impl Drop for Locals {
    fn drop(&mut self) {
        self.0.add();
    }
}

impl Threads {
    pub(crate) fn new() -> Self {
        Self { gate: Gate::new(), begun: Count::new(), ended: Count::new() }
    }

    /// A factory of the work.
    pub(crate) fn work(&self) -> impl Fn() -> Held + Send + Sync + 'static {
        let threads = self.clone();
        move || {
            LOCALS.with_borrow_mut(|locals| {
                locals.get_or_insert_with(|| Locals(threads.ended.clone()));
            });
            threads.begun.add();
            Held(threads.gate.clone())
        }
    }
}

/// Work that waits at a gate.
pub(crate) struct Held(Gate);

impl Work<u64> for Held {
    type Output = u64;

    fn run(&mut self, n: u64, job: &mut Job<'_, u64>) -> Result<(), BoxError> {
        self.0.pass();
        job.emit(n);
        Ok(())
    }
}
