//! A gate where items wait until a test lets them through.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use tokio::sync::watch;

/// A gate where items wait until the test lets them through, so that no test needs to sleep: the work calls
/// [`pass`](Self::pass), the test waits for [arrivals](Self::arrived) and lets them through. It blocks its thread, so
/// it can't be used in a simulation, which has only one. Clones are the same gate.
///
/// ```
/// use actix_fan::{FanOutExt, testing::Gate};
/// use futures::StreamExt;
///
/// # actix::System::new().block_on(async {
/// let gate = Gate::new();
/// let mut same = (0..10u32).fan_out().workers(1).batch(1).map({
///     let gate = gate.clone();
///     move |n| {
///         gate.pass();
///         n
///     }
/// })?;
/// gate.arrived(1).await; // item 0 runs, and no other
/// same.stop_handle().stop();
/// gate.open();
/// assert_eq!(same.by_ref().count().await, 1);
/// assert_eq!(same.finished().await?.completed, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Gate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    arrived: watch::Sender<usize>,
    permits: Mutex<usize>,
    opened: Condvar,
}

impl Gate {
    /// A closed gate.
    #[allow(clippy::new_without_default, reason = "a gate that is closed is no default")]
    pub fn new() -> Self {
        Self(Arc::new(Inner { arrived: watch::Sender::new(0), permits: Mutex::new(0), opened: Condvar::new() }))
    }

    /// Blocks the worker's thread until the gate lets it through.
    pub fn pass(&self) {
        self.0.arrived.send_modify(|arrived| *arrived += 1);
        let permits = self.0.permits.lock().unwrap_or_else(PoisonError::into_inner);
        let mut permits =
            self.0.opened.wait_while(permits, |permits| *permits == 0).unwrap_or_else(PoisonError::into_inner);
        *permits -= 1;
    }

    /// Waits until `count` items have arrived at the gate, those let through included.
    pub async fn arrived(&self, count: usize) {
        // The sender lives in `self`, so the channel can't close while this waits.
        let _ = self.0.arrived.subscribe().wait_for(|arrived| *arrived >= count).await;
    }

    /// How many items have arrived at the gate so far.
    pub fn arrivals(&self) -> usize {
        *self.0.arrived.borrow()
    }

    /// Lets `count` more items through.
    pub fn let_through(&self, count: usize) {
        {
            let mut permits = self.0.permits.lock().unwrap_or_else(PoisonError::into_inner);
            *permits = permits.saturating_add(count);
        }
        self.0.opened.notify_all();
    }

    /// Opens the gate for good: it lets `usize::MAX` items through.
    pub fn open(&self) {
        self.let_through(usize::MAX);
    }
}
