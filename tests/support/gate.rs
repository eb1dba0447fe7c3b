//! A gate, so that no test sleeps to wait for something.

use std::sync::{Arc, Condvar, Mutex};

use tokio::sync::watch;

/// Where items wait until the test lets them go on.
#[derive(Clone)]
pub(crate) struct Gate(Arc<Inner>);

struct Inner {
    arrived: watch::Sender<usize>,
    permits: Mutex<usize>,
    opened: Condvar,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Inner { arrived: watch::Sender::new(0), permits: Mutex::new(0), opened: Condvar::new() }))
    }

    /// Blocks the worker's thread until the gate lets it through.
    pub(crate) fn pass(&self) {
        self.0.arrived.send_modify(|arrived| *arrived += 1);
        let permits = self.0.permits.lock().unwrap();
        let mut permits = self.0.opened.wait_while(permits, |permits| *permits == 0).unwrap();
        *permits -= 1;
    }

    /// Waits until so many have come to the gate, those let through included.
    pub(crate) async fn arrived(&self, count: usize) {
        self.0.arrived.subscribe().wait_for(|arrived| *arrived >= count).await.unwrap();
    }

    pub(crate) fn arrivals(&self) -> usize {
        *self.0.arrived.borrow()
    }

    /// Lets so many more through.
    pub(crate) fn let_through(&self, count: usize) {
        *self.0.permits.lock().unwrap() += count;
        self.0.opened.notify_all();
    }

    /// Lets everyone through from now on.
    pub(crate) fn open(&self) {
        self.let_through(usize::MAX / 2);
    }
}
