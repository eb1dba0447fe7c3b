//! A count, so that no test sleeps to wait for something.

use std::sync::Arc;

use tokio::sync::watch;

/// A count that can be waited for.
#[derive(Clone)]
pub(crate) struct Count(Arc<watch::Sender<u64>>);

impl Count {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }

    pub(crate) fn add(&self) -> u64 {
        let mut before = 0;
        self.0.send_modify(|count| {
            before = *count;
            *count += 1;
        });
        before
    }

    pub(crate) fn get(&self) -> u64 {
        *self.0.borrow()
    }

    pub(crate) async fn reached(&self, least: u64) {
        self.0.subscribe().wait_for(|count| *count >= least).await.unwrap();
    }
}
