//! A pool whose items end only by their cancellation.

use std::thread;

use actix_fan::{Job, Pool, Stopped, pool, work_fn};

use crate::support::Count;

/// One worker runs each item until it is cancelled.
pub(crate) struct EndlessPool {
    pub(crate) pool: Pool<(), ()>,
    /// The items that began.
    pub(crate) begun: Count,
    /// Those that saw their cancellation.
    pub(crate) cancelled: Count,
}

impl EndlessPool {
    pub(crate) fn new() -> Self {
        let (begun, cancelled) = (Count::new(), Count::new());
        let counts = (begun.clone(), cancelled.clone());
        let work = move || {
            let (begun, cancelled) = counts.clone();
            work_fn(move |(), job: &mut Job<'_, ()>| {
                begun.add();
                while !job.is_stopped() {
                    thread::yield_now();
                }
                cancelled.add();
                Err(Stopped.into())
            })
        };
        Self { pool: pool().workers(1).window(2).with(work).unwrap(), begun, cancelled }
    }
}
