//! The accounting: how many of the items that were taken in have ended, and how.

use crate::stats::SkipReason;

/// How many items of a batch ended in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Ends {
    /// The work returned.
    pub(crate) completed: usize,
    /// The work panicked or returned an error, or the failure came from an earlier stage.
    pub(crate) failed: usize,
    /// The work never began, or returned `Stopped` because its item was cancelled.
    pub(crate) skipped: usize,
    /// Why those were skipped. One reason does for a batch: only in a pool does a caller wait for an item, and there
    /// each item is a batch.
    pub(crate) reason: SkipReason,
    /// True if the items were counted as [finished](Ledger::finish) before.
    pub(crate) finished: bool,
}

/// Counts of items. After every call, `taken` equals [`accounted`](Self::accounted).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ledger {
    pub(crate) taken: u64,
    pub(crate) completed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
    /// Of those skipped: the run went on, but nothing waited for the result any more. All others were skipped because
    /// the run was stopped.
    pub(crate) caller_gone: u64,
    pub(crate) in_flight: usize,
    /// Of those in flight: their work has ended, and their results wait to be taken.
    pub(crate) finished: usize,
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

    /// The work on items in flight has ended. They are in flight until their results are taken.
    pub(crate) fn finish(&mut self, items: usize) {
        self.finished += items;
        debug_assert!(self.finished <= self.in_flight, "an item finished twice");
    }

    /// Ends items that were in flight.
    pub(crate) fn release(&mut self, ends: Ends) {
        let items = ends.completed + ends.failed + ends.skipped;
        debug_assert!(items <= self.in_flight, "an item ended twice");
        self.in_flight -= items;
        self.completed += ends.completed as u64;
        self.failed += ends.failed as u64;
        self.skipped += ends.skipped as u64;
        if ends.reason == SkipReason::CallerGone {
            self.caller_gone += ends.skipped as u64;
        }
        if ends.finished {
            self.finished -= items;
        }
        debug_assert!(self.finished <= self.in_flight, "items ended that had not finished");
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
        ledger.release(Ends { completed: 1, failed: 1, skipped: 1, ..Ends::default() });
        assert_eq!((ledger.in_flight, ledger.accounted()), (2, 5));
        ledger.release(Ends { completed: 2, ..Ends::default() });
        let expected = Ledger { taken: 5, completed: 3, failed: 1, skipped: 1, ..Ledger::default() };
        assert_eq!(ledger, expected);
    }

    #[test]
    fn items_that_finished_are_in_flight_until_they_end() {
        let mut ledger = Ledger::default();
        ledger.take(5);
        ledger.finish(3);
        assert_eq!((ledger.in_flight, ledger.finished), (5, 3));
        // Dropped before a worker had them.
        ledger.release(Ends { skipped: 2, ..Ends::default() });
        assert_eq!((ledger.in_flight, ledger.finished), (3, 3));
        ledger.release(Ends { completed: 3, finished: true, ..Ends::default() });
        assert_eq!((ledger.in_flight, ledger.finished, ledger.accounted()), (0, 0, 5));
    }

    #[test]
    fn skipped_items_are_counted_by_their_reason() {
        let mut ledger = Ledger::default();
        ledger.take(3);
        ledger.release(Ends { skipped: 2, reason: SkipReason::CallerGone, ..Ends::default() });
        ledger.release(Ends { skipped: 1, ..Ends::default() });
        assert_eq!((ledger.skipped, ledger.caller_gone), (3, 2));
    }
}
