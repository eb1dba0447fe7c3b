//! Pools whose items the tests hold at a gate.

use std::sync::{Arc, Mutex};

use actix_fan::{Pool, PoolBuilder, pool};

use crate::support::Gate;

/// A pool whose items wait at a gate, after they were noted.
pub(super) struct GatedPool {
    pub(super) pool: Pool<u64, u64>,
    pub(super) gate: Gate,
    begun: Arc<Mutex<Vec<u64>>>,
}

impl GatedPool {
    pub(super) fn new(workers: usize, window: usize) -> Self {
        Self::start(pool().workers(workers).window(window))
    }

    pub(super) fn start(builder: PoolBuilder) -> Self {
        let (gate, begun) = (Gate::new(), Arc::new(Mutex::new(Vec::new())));
        let (pass, note) = (gate.clone(), Arc::clone(&begun));
        let pool = builder.map(move |n| {
            note.lock().unwrap().push(n);
            pass.pass();
            10 * n
        });
        Self { pool: pool.unwrap(), gate, begun }
    }

    /// The items that began, in that order.
    pub(super) fn begun(&self) -> Vec<u64> {
        self.begun.lock().unwrap().clone()
    }
}
