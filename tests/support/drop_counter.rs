//! Who is alive: nothing is lost, nothing is kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// Counts the citizens that it registered.
#[derive(Clone, Default)]
pub(crate) struct DropCounter(Arc<Counts>);

#[derive(Default)]
struct Counts {
    created: AtomicUsize,
    alive: AtomicUsize,
    peak: AtomicUsize,
}

/// An item or a result of which it is known whether it is still there.
pub(crate) struct Tracked(Arc<Counts>);

impl DropCounter {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn track(&self) -> Tracked {
        self.0.created.fetch_add(1, SeqCst);
        let living = self.0.alive.fetch_add(1, SeqCst) + 1;
        self.0.peak.fetch_max(living, SeqCst);
        Tracked(Arc::clone(&self.0))
    }

    pub(crate) fn created(&self) -> usize {
        self.0.created.load(SeqCst)
    }

    pub(crate) fn alive(&self) -> usize {
        self.0.alive.load(SeqCst)
    }

    /// The most that ever lived at a time.
    pub(crate) fn peak(&self) -> usize {
        self.0.peak.load(SeqCst)
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        let before = self.0.alive.fetch_sub(1, SeqCst);
        assert_ne!(before, 0, "one was dropped twice");
    }
}
