//! The life of a batch at a worker, as plain state: which of its items have begun, and how they ended.
//!
//! ```text
//! begin ── (item_passed* ── claim ── (may_begin ── item_began ── item_ended | item_suspended)* ── merge)* ── give_back? ── end
//!                   share, deliver: at any moment, by other threads
//! ```
//!
//! A policy about single items, such as a deadline or a retry, is asked in two places: [`may_begin`] alone decides
//! whether the next item may begin, and [`item_ended`] alone learns how an item ended.
//!
//! [`may_begin`]: BatchLife::may_begin
//! [`item_ended`]: BatchLife::item_ended

use super::Ends;
use crate::stats::SkipReason;

/// How an item ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ItemEnd {
    /// The work returned.
    Done,
    /// The work panicked or returned an error.
    Failed,
    /// The work saw that the item was cancelled, and returned early.
    Skipped(SkipReason),
}

/// A batch between the moment a worker takes it and the moment its outcomes are sent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct BatchLife {
    /// Index of the first item.
    first: u64,
    /// Fewer once some were given back.
    items: usize,
    /// Items of which the work began. Those that neither failed nor were skipped are done, but for the one in work: a
    /// count of these by itself would cost a loop of short items one more register.
    begun: usize,
    is_in_item: bool,
    failed: usize,
    /// Of those that began.
    skipped: usize,
    /// Items that are failures of the source, and have no work to begin.
    passed: usize,
    /// Items after those that began, which the running worker has claimed as its portion.
    claimed: usize,
    /// Items that began, and have left. One that was suspended counts once more for each time.
    ran: usize,
}

/// The items that leave a batch before it ends: they have ended, and no item before them is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delivered {
    pub(crate) first: u64,
    pub(crate) items: usize,
    /// Of these, the items of which the work began.
    pub(crate) began: usize,
    pub(crate) ends: Ends,
}

/// The items that a batch gives back: they have not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rest {
    pub(crate) first: u64,
    pub(crate) items: usize,
}

/// What came of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct BatchEnd {
    pub(crate) ends: Ends,
    /// Items of which the work began: those that kept the worker busy.
    pub(crate) ran: usize,
}

impl BatchLife {
    /// A worker takes a batch of `items`, the first of which has the index `first`.
    pub(crate) fn begin(first: u64, items: usize) -> Self {
        Self { first, items, begun: 0, is_in_item: false, failed: 0, skipped: 0, passed: 0, claimed: 0, ran: 0 }
    }

    /// Asks whether the next item may begin; an error says why it is skipped. `is_cancelled` tells whether its run was
    /// stopped, or its result is not waited for any more.
    #[inline]
    pub(crate) fn may_begin(&self, is_cancelled: bool) -> Result<(), SkipReason> {
        // Where a policy is asked "may this item begin". The answer is used up by the item that it was given for: a
        // stop between two items is seen before the second one begins.
        if is_cancelled { Err(SkipReason::Stopped) } else { Ok(()) }
    }

    /// The work on the next item begins; returns the item's index.
    #[inline]
    pub(crate) fn item_began(&mut self) -> u64 {
        debug_assert!(!self.is_in_item && self.left() > 0);
        let index = self.next_index();
        self.begun += 1;
        self.is_in_item = true;
        index
    }

    /// The item that began last has ended.
    #[inline]
    pub(crate) fn item_ended(&mut self, end: ItemEnd) {
        debug_assert!(self.is_in_item);
        self.is_in_item = false;
        // The place where a policy would learn how the item ended.
        match end {
            ItemEnd::Done => {}
            ItemEnd::Failed => self.failed += 1,
            ItemEnd::Skipped(_) => self.skipped += 1,
        }
    }

    /// The item that began last goes on in another turn: it is the next one again.
    pub(crate) fn item_suspended(&mut self) {
        debug_assert!(self.is_in_item);
        self.is_in_item = false;
        self.begun -= 1;
        // Each of its turns is measured like an item.
        self.ran += 1;
    }

    /// The next item came as a failure from the source: it takes its place, and has ended without having begun.
    pub(crate) fn item_passed(&mut self) {
        debug_assert!(!self.is_in_item && self.left() > 0);
        self.passed += 1;
    }

    /// The running worker claims the next `items` as its portion, which is a batch by itself until it is
    /// [merged](Self::merge). Other workers may take what comes after it.
    pub(crate) fn claim(&mut self, items: usize) -> Self {
        debug_assert!(!self.is_in_item && self.claimed == 0 && items <= self.left());
        self.claimed = items;
        Self::begin(self.next_index(), items)
    }

    /// The portion has ended. Items of it that have not begun are unclaimed again.
    pub(crate) fn merge(&mut self, portion: Self) {
        debug_assert!(!portion.is_in_item && portion.first == self.next_index() && portion.items == self.claimed);
        self.claimed = 0;
        self.begun += portion.begun;
        self.failed += portion.failed;
        self.skipped += portion.skipped;
        self.ran += portion.ran;
    }

    /// Another worker takes the last `items`, which are not claimed; returns the index of their first.
    pub(crate) fn share(&mut self, items: usize) -> u64 {
        debug_assert!(items <= self.left() - self.claimed);
        self.items -= items;
        self.first + self.items as u64
    }

    /// The items that have ended leave, if there are any. The batch begins with the next one then.
    pub(crate) fn deliver(&mut self) -> Option<Delivered> {
        debug_assert!(!self.is_in_item);
        let items = self.begun + self.passed;
        if items == 0 {
            return None;
        }
        let Self { first, begun, failed, passed, .. } = *self;
        let ends = Ends { failed: failed + passed, ..self.ends() };
        self.ran += begun;
        self.first += items as u64;
        self.items -= items;
        (self.begun, self.failed, self.skipped, self.passed) = (0, 0, 0, 0);
        Some(Delivered { first, items, began: begun, ends })
    }

    /// Gives back the items that have not begun, if there are any. They are no longer this batch's: another worker may
    /// have them. Where the next item may not begin, nothing is given back, and [`end`](Self::end) skips them.
    pub(crate) fn give_back(&mut self, is_cancelled: bool) -> Option<Rest> {
        debug_assert!(!self.is_in_item && self.claimed == 0);
        let rest = Rest { first: self.next_index(), items: self.left() };
        if rest.items == 0 || self.may_begin(is_cancelled).is_err() {
            return None;
        }
        self.items -= rest.items;
        Some(rest)
    }

    /// The batch ends. Items that have not begun, and were not given back, are skipped.
    pub(crate) fn end(self) -> BatchEnd {
        debug_assert!(!self.is_in_item && self.claimed == 0);
        let ends = Ends { failed: self.failed + self.passed, skipped: self.skipped + self.left(), ..self.ends() };
        BatchEnd { ends, ran: self.ran + self.begun }
    }

    /// Returns itself, at a point where no item is in work. The compiler then knows that, and need not check it in the
    /// loop over the items.
    #[inline]
    pub(crate) fn between_items(self) -> Self {
        debug_assert!(!self.is_in_item);
        Self { is_in_item: false, ..self }
    }

    /// Index of the first item.
    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    /// Items of the portion that the running worker has claimed.
    pub(crate) fn claimed(&self) -> usize {
        self.claimed
    }

    /// How the items ended that have begun.
    pub(crate) fn ends(&self) -> Ends {
        let Self { begun, failed, skipped, .. } = *self;
        Ends { completed: begun - failed - skipped, failed, skipped, ..Ends::default() }
    }

    /// Its items, but for those that were given back.
    #[cfg(test)]
    pub(crate) fn items(&self) -> usize {
        self.items
    }

    /// Items of which the work began.
    #[inline]
    pub(crate) fn begun(&self) -> usize {
        self.begun
    }

    /// Items that have neither begun nor been passed on.
    pub(crate) fn left(&self) -> usize {
        self.items - self.begun - self.passed
    }

    /// Index of the next item.
    #[inline]
    pub(crate) fn next_index(&self) -> u64 {
        self.first + (self.begun + self.passed) as u64
    }

    /// Index of the item that began last.
    #[inline]
    pub(crate) fn current_index(&self) -> u64 {
        self.next_index() - 1
    }

    /// Returns true if an item has begun and has not ended.
    #[cfg(test)]
    pub(crate) fn is_in_item(&self) -> bool {
        self.is_in_item
    }
}

#[cfg(test)]
mod tests;
