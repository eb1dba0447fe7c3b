//! Leases: which batches have left the process, by whom they are still owed, and until when.
//!
//! A batch that leaves the process can't take its permit along. It leaves under a lease instead: the index of its first
//! item names it, and the permit stays here with whatever else is kept for it. Outcomes come back by that name. What
//! comes a second time, or for a batch that was never leased, finds no lease: so each batch ends once, however often a
//! network delivers its outcomes.

use std::collections::BTreeMap;
use std::time::Duration;

/// The batches that are leased, by the index of their first item. Times are those of the backend's clock.
#[derive(Debug)]
pub(crate) struct Leases<T> {
    open: BTreeMap<u64, Lease<T>>,
    /// How long an answer is waited for before it is asked where the batch is.
    patience: Duration,
    unmatched: Unmatched,
}

/// Outcomes that found no lease.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unmatched {
    /// Of a batch that is not leased: it was answered before, or was given up.
    pub(crate) late: u64,
    /// Of a batch that has another number of items: an outcome of an earlier coordinator, or a forged one.
    pub(crate) mismatched: u64,
}

#[derive(Debug)]
struct Lease<T> {
    value: T,
    items: u32,
    /// How often the batch was sent again.
    attempt: u32,
    /// When it is to be asked where the batch is.
    due: Duration,
    /// True if the batch was not found the last time that was asked.
    missed: bool,
    /// Since when it is not known that the backend has the batch. `None` if it has, or had it.
    unkept: Option<Duration>,
}

impl<T> Leases<T> {
    pub(crate) fn new(patience: Duration) -> Self {
        Self { open: BTreeMap::new(), patience, unmatched: Unmatched::default() }
    }

    /// The batch of `items` items from `first` on leaves at `now`.
    pub(crate) fn grant(&mut self, first: u64, items: u32, value: T, now: Duration) {
        let lease = Lease { value, items, attempt: 0, due: now + self.patience, missed: false, unkept: Some(now) };
        let before = self.open.insert(first, lease);
        debug_assert!(before.is_none(), "batches don't overlap");
    }

    /// Outcomes have come for the batch. Returns what was kept for it, the first time.
    pub(crate) fn redeem(&mut self, first: u64, items: u32) -> Option<T> {
        match self.open.get(&first) {
            None => {
                self.unmatched.late += 1;
                None
            }
            Some(lease) if lease.items != items => {
                self.unmatched.mismatched += 1;
                None
            }
            Some(_) => self.open.remove(&first).map(|lease| lease.value),
        }
    }

    /// Returns true if it is to be asked at `now` where some batches are.
    pub(crate) fn has_overdue(&self, now: Duration) -> bool {
        self.open.values().any(|lease| lease.due <= now)
    }

    /// It was asked at `now` where the batches are; `is_there` tells which of them are on their way or at a worker.
    /// Returns those that are not, whether for the first time or again: their outcomes may be on their way.
    pub(crate) fn look(&mut self, now: Duration, is_there: impl Fn(u64) -> bool) -> Vec<Missing> {
        let mut missing = Vec::new();
        for (&first, lease) in self.open.iter_mut().filter(|(_, lease)| lease.due <= now) {
            lease.due = now + self.patience;
            let is_missing = !is_there(first);
            if is_missing {
                missing.push(Missing { first, again: lease.missed });
            }
            lease.missed = is_missing;
            if !is_missing {
                lease.unkept = None;
            }
        }
        missing
    }

    /// The batch could not be sent: it is to be asked soon, at `due`, where it is.
    pub(crate) fn not_sent(&mut self, first: u64, due: Duration) {
        if let Some(lease) = self.open.get_mut(&first) {
            // It is known to be missing, unless it arrived all the same.
            (lease.due, lease.missed) = (due, true);
        }
    }

    /// The backend has the batch.
    pub(crate) fn kept(&mut self, first: u64) {
        if let Some(lease) = self.open.get_mut(&first) {
            lease.unkept = None;
        }
    }

    /// The backend has no space for the batch at `now`, which is nothing that ends a run.
    pub(crate) fn waits(&mut self, first: u64, now: Duration) {
        if let Some(lease) = self.open.get_mut(&first) {
            lease.unkept = Some(now);
        }
    }

    /// The backend is there again at `now`: what it did not keep before is not held against it.
    pub(crate) fn restart(&mut self, now: Duration) {
        self.open.values_mut().filter_map(|lease| lease.unkept.as_mut()).for_each(|since| *since = now);
    }

    /// The batch of which it is not known for the longest time that the backend has it, and since when.
    pub(crate) fn first_unkept(&self) -> Option<(u64, Duration)> {
        let unkept = self.open.iter().filter_map(|(&first, lease)| Some((first, lease.unkept?)));
        unkept.min_by_key(|(_, since)| *since)
    }

    /// The batch is sent again at `now`. Returns what was kept for it, and the number of this attempt.
    pub(crate) fn renew(&mut self, first: u64, now: Duration) -> Option<(&T, u32)> {
        let patience = self.patience;
        self.open.get_mut(&first).map(|lease| {
            lease.attempt += 1;
            (lease.due, lease.missed) = (now + patience, false);
            lease.unkept.get_or_insert(now);
            (&lease.value, lease.attempt)
        })
    }

    /// Drops what is kept for all batches.
    pub(crate) fn clear(&mut self) {
        self.open.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    /// The first batches that are leased, each with its number of items.
    pub(crate) fn first(&self, most: usize) -> impl Iterator<Item = (u64, u32)> {
        self.open.iter().take(most).map(|(first, lease)| (*first, lease.items))
    }

    pub(crate) fn unmatched(&self) -> Unmatched {
        self.unmatched
    }
}

/// A batch that was not found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Missing {
    pub(crate) first: u64,
    /// True if it was missing the last time as well: then it is lost, unless its outcomes are stored.
    pub(crate) again: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    fn leases() -> Leases<&'static str> {
        let mut leases = Leases::new(PATIENCE);
        leases.grant(0, 5, "a", Duration::ZERO);
        leases.grant(5, 3, "b", Duration::from_secs(1));
        leases
    }

    #[test]
    fn a_batch_is_redeemed_once_and_what_comes_later_is_counted() {
        let mut leases = leases();
        assert_eq!(leases.redeem(5, 3), Some("b"));
        assert_eq!(leases.redeem(5, 3), None);
        assert_eq!(leases.redeem(7, 1), None);
        assert_eq!(leases.redeem(0, 4), None);
        assert_eq!(leases.unmatched(), Unmatched { late: 2, mismatched: 1 });
        assert_eq!(leases.first(9).collect::<Vec<_>>(), [(0, 5)]);
    }

    #[test]
    fn a_batch_is_lost_once_it_was_missing_twice() {
        let mut leases = leases();
        assert!(!leases.has_overdue(PATIENCE - Duration::from_nanos(1)));
        assert!(leases.has_overdue(PATIENCE));
        assert_eq!(leases.look(PATIENCE, |_| false), [Missing { first: 0, again: false }]);
        // The other one is due now, and is there.
        let now = PATIENCE * 2;
        assert_eq!(leases.look(now, |first| first == 5), [Missing { first: 0, again: true }]);
        assert_eq!(leases.renew(0, now), Some((&"a", 1)));
        assert_eq!(
            leases.look(now + PATIENCE, |_| false),
            [Missing { first: 0, again: false }, Missing { first: 5, again: false }]
        );
    }

    #[test]
    fn a_batch_that_was_there_in_between_is_not_lost() {
        let mut leases = leases();
        leases.redeem(5, 3);
        for (times, is_there, again) in [(1, false, false), (2, true, false), (3, false, false), (4, false, true)] {
            let missing = leases.look(PATIENCE * times, |_| is_there);
            assert_eq!(missing.first().map(|missing| missing.again), (!is_there).then_some(again));
        }
    }

    #[test]
    fn a_batch_that_was_kept_found_or_has_to_wait_is_not_held_against_the_backend() {
        let mut leases = leases();
        assert_eq!(leases.first_unkept(), Some((0, Duration::ZERO)));
        leases.kept(0);
        assert_eq!(leases.first_unkept(), Some((5, Duration::from_secs(1))));
        leases.waits(5, PATIENCE);
        assert_eq!(leases.first_unkept(), Some((5, PATIENCE)));
        leases.look(PATIENCE * 2, |first| first == 5);
        assert_eq!(leases.first_unkept(), None);
        // The one that was kept is lost.
        leases.renew(0, PATIENCE * 3);
        leases.not_sent(0, PATIENCE * 4);
        leases.renew(0, PATIENCE * 4);
        assert_eq!(leases.first_unkept(), Some((0, PATIENCE * 3)));
        leases.restart(PATIENCE * 5);
        assert_eq!(leases.first_unkept(), Some((0, PATIENCE * 5)));
    }
}
