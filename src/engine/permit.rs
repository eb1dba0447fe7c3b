//! The permits of a batch, carried in it.

use std::mem;
use std::time::Duration;

use crate::engine::run::Run;
use crate::protocol::Ends;
use crate::stats::SkipReason;

/// The permits of a batch's items, and their accounting, carried in the batch. Whatever happens to the batch, dropping
/// this ends its items, releases their permits and wakes the generator.
#[derive(Debug)]
pub(crate) struct Permit {
    run: Run,
    items: usize,
    completed: usize,
    failed: usize,
    measured: Option<(usize, Duration)>,
    /// Why the items were skipped that neither completed nor failed.
    reason: SkipReason,
    outstanding: bool,
    /// True once the work on the items has ended. They are counted as such until their results are taken.
    ended: bool,
    /// True while the batch waits until results are taken.
    parked: bool,
}

impl Permit {
    /// Hands a batch of `items` out. Also returns the index of the first, and how long an item is expected to take, in
    /// nanoseconds.
    pub(crate) fn hand_out(run: &Run, items: usize) -> (u64, f64, Self) {
        let (first, expected_nanos) = {
            let mut protocol = run.state.protocol();
            (protocol.hand_out(items), protocol.expected_nanos())
        };
        (first, expected_nanos, Self::new(run.clone(), items))
    }

    /// For `items` that the caller has handed out already, under the protocol's lock.
    pub(crate) fn new(run: Run, items: usize) -> Self {
        Self {
            run,
            items,
            completed: 0,
            failed: 0,
            measured: None,
            reason: SkipReason::Stopped,
            outstanding: true,
            ended: false,
            parked: false,
        }
    }

    /// The permit of results whose item goes on and keeps its own.
    pub(crate) fn of_part(&self) -> Self {
        let mut permit = Self::new(self.run.clone(), 0);
        permit.outstanding = false;
        permit
    }

    /// Cuts the last `items` off into a permit of their own, for a batch that will be queued again.
    pub(crate) fn split_off(&mut self, items: usize) -> Self {
        self.run.state.protocol().split();
        self.cut_off(items)
    }

    /// Cuts `items` off that have ended, for results that leave before the rest of the batch.
    pub(crate) fn split_ended(&mut self, items: usize) -> Self {
        self.run.state.protocol().split_ended(items);
        let mut permit = self.cut_off(items);
        permit.ended = true;
        permit
    }

    fn cut_off(&mut self, items: usize) -> Self {
        debug_assert!(self.outstanding && self.completed + self.failed + items <= self.items);
        self.items -= items;
        Self::new(self.run.clone(), items)
    }

    /// Records how the items ended; the rest were skipped. `ran` of them kept the worker busy for `busy`.
    pub(crate) fn record(&mut self, completed: usize, failed: usize, ran: usize, busy: Duration) {
        debug_assert!(completed + failed <= self.items);
        (self.completed, self.failed, self.measured) = (completed, failed, Some((ran, busy)));
    }

    /// Records that all of the items completed.
    pub(crate) fn record_completed(&mut self) {
        self.completed = self.items;
    }

    /// Records that the items were cancelled on purpose. Otherwise `Drop` takes items that were never run for a sign
    /// that a worker thread was lost.
    pub(crate) fn cancel(&mut self, reason: SkipReason) {
        self.measured = Some((0, Duration::ZERO));
        self.reason = reason;
    }

    /// Records why items are skipped that a worker had: the run was stopped, or nothing waits for them.
    pub(crate) fn record_reason(&mut self) {
        self.reason = if self.is_stopped() { SkipReason::Stopped } else { SkipReason::CallerGone };
    }

    /// The work on the items has ended, and their results are on their way to the consumer.
    pub(crate) fn end(&mut self) {
        if self.outstanding && !mem::replace(&mut self.ended, true) {
            self.run.state.protocol().end_batch(self.items);
        }
    }

    /// The batch waits until results are taken, until it is [unparked](Self::unpark).
    pub(crate) fn park(&mut self) {
        debug_assert!(self.outstanding && !self.ended);
        if !mem::replace(&mut self.parked, true) {
            self.run.state.protocol().park();
        }
    }

    /// The batch may go on.
    pub(crate) fn unpark(&mut self) {
        if mem::take(&mut self.parked) {
            self.run.state.protocol().unpark();
        }
    }

    /// Returns true if items that have not begun are skipped.
    pub(crate) fn is_stopped(&self) -> bool {
        self.run.state.is_stopped()
    }

    /// Returns true if no result will be taken any more.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.run.state.is_abandoned()
    }

    pub(crate) fn items(&self) -> usize {
        self.items
    }

    /// Completes the batch: it is neither queued nor running any more. It keeps its permits.
    pub(crate) fn complete(&mut self) {
        if mem::take(&mut self.outstanding) {
            let ends_now = !mem::replace(&mut self.ended, true);
            self.run.complete_batch(self.measured, ends_now.then_some(self.items));
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let (completed, failed) = (self.completed, self.failed);
        let skipped = self.items - completed - failed;
        let ends = Ends { completed, failed, skipped, reason: self.reason, finished: self.ended };
        if ends.skipped > 0 && self.measured.is_none() && !self.run.state.is_stopped() {
            // Neither a worker nor a cancellation ended it: a worker thread was lost with it, by a panic of this crate.
            // Without an error the loss of the items would go unnoticed.
            self.run.lose("a worker thread");
        }
        // In this order: a task that waits for the last batch to complete then finds its items ended.
        self.unpark();
        self.run.release(ends);
        // Its items are released: none of them finishes with the batch.
        self.items = 0;
        self.complete();
    }
}
