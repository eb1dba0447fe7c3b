//! The accounting: how many of the items that were taken in have ended, and how.

/// How many items of a batch ended in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Ends {
    /// The work returned.
    pub(crate) completed: usize,
    /// The work panicked or returned an error, or the failure came from an earlier stage.
    pub(crate) failed: usize,
    /// The work never began, or returned `Stopped` because its item was cancelled.
    pub(crate) skipped: usize,
}

/// Counts of items. After every call, `taken` equals [`accounted`](Self::accounted).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ledger {
    pub(crate) taken: u64,
    pub(crate) completed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
    pub(crate) in_flight: usize,
}

impl Ledger {
    /// Takes `items` in; returns the index of the first.
    pub(crate) fn take(&mut self, items: usize) -> u64 {
        let first = self.taken;
        self.taken += items as u64;
        self.in_flight += items;
        first
    }

    /// The items that have ended or are in flight.
    pub(crate) fn accounted(&self) -> u64 {
        self.completed + self.failed + self.skipped + self.in_flight as u64
    }

    /// Ends items that were in flight.
    pub(crate) fn release(&mut self, ends: Ends) {
        let items = ends.completed + ends.failed + ends.skipped;
        debug_assert!(items <= self.in_flight, "an item ended twice");
        self.in_flight -= items;
        self.completed += ends.completed as u64;
        self.failed += ends.failed as u64;
        self.skipped += ends.skipped as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_taken_ends_once() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.take(3), 0);
        assert_eq!(ledger.take(2), 3);
        assert_eq!((ledger.taken, ledger.in_flight), (5, 5));
        ledger.release(Ends { completed: 1, failed: 1, skipped: 1 });
        assert_eq!((ledger.in_flight, ledger.accounted()), (2, 5));
        ledger.release(Ends { completed: 2, ..Ends::default() });
        assert_eq!(ledger, Ledger { taken: 5, completed: 3, failed: 1, skipped: 1, in_flight: 0 });
    }
}
