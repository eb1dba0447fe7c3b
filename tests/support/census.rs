//! Who is alive: nothing is lost, nothing is kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// Counts the citizens that it registered.
#[derive(Clone, Default)]
pub(crate) struct Census(Arc<Counts>);

#[derive(Default)]
struct Counts {
    born: AtomicUsize,
    living: AtomicUsize,
    most: AtomicUsize,
}

/// An item or a result of which it is known whether it is still there.
pub(crate) struct Citizen(Arc<Counts>);

impl Census {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn citizen(&self) -> Citizen {
        self.0.born.fetch_add(1, SeqCst);
        let living = self.0.living.fetch_add(1, SeqCst) + 1;
        self.0.most.fetch_max(living, SeqCst);
        Citizen(Arc::clone(&self.0))
    }

    pub(crate) fn born(&self) -> usize {
        self.0.born.load(SeqCst)
    }

    pub(crate) fn living(&self) -> usize {
        self.0.living.load(SeqCst)
    }

    /// The most that ever lived at a time.
    pub(crate) fn most(&self) -> usize {
        self.0.most.load(SeqCst)
    }
}

impl Drop for Citizen {
    fn drop(&mut self) {
        let before = self.0.living.fetch_sub(1, SeqCst);
        assert_ne!(before, 0, "one was dropped twice");
    }
}
