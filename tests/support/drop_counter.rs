//! Counts values, so that a test sees that each is dropped, exactly once.

use std::sync::Arc;

use tokio::sync::watch;

/// Counts the values that it tracks, from their creation to their drop.
#[derive(Clone)]
pub(crate) struct DropCounter(Arc<watch::Sender<Counts>>);

#[derive(Default)]
struct Counts {
    created: usize,
    alive: usize,
    peak: usize,
}

/// An item or a result that is counted until it is dropped.
pub(crate) struct Tracked(Arc<watch::Sender<Counts>>);

impl DropCounter {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Counts::default())))
    }

    pub(crate) fn track(&self) -> Tracked {
        self.0.send_modify(|counts| {
            counts.created += 1;
            counts.alive += 1;
            counts.peak = counts.peak.max(counts.alive);
        });
        Tracked(Arc::clone(&self.0))
    }

    pub(crate) fn created(&self) -> usize {
        self.0.borrow().created
    }

    pub(crate) fn alive(&self) -> usize {
        self.0.borrow().alive
    }

    /// The most that were alive at the same time.
    pub(crate) fn peak(&self) -> usize {
        self.0.borrow().peak
    }

    /// Waits until at least `least` values have been created.
    pub(crate) async fn have_been_created(&self, least: usize) {
        self.0.subscribe().wait_for(|counts| counts.created >= least).await.unwrap();
    }

    /// Waits until at most `most` values are alive.
    pub(crate) async fn are_left(&self, most: usize) {
        self.0.subscribe().wait_for(|counts| counts.alive <= most).await.unwrap();
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.0.send_modify(|counts| {
            counts.alive = counts.alive.checked_sub(1).expect("each value is dropped once");
        });
    }
}
