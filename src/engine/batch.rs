//! A batch of items on its way to the workers.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use crate::engine::credit::BatchCredit;
use crate::engine::permit::Permit;
use crate::error::ItemError;
use crate::util::panic::discard_all;

/// Items on their way from the [`Generator`](crate::Generator) to a worker.
///
/// A batch that is dropped before a worker took it, as when the System stops, counts its items as skipped.
pub(crate) struct Batch<I> {
    /// Index in the source of the first item; failures of the source count as items.
    pub(crate) first: u64,
    /// How many parts of the first item's results have left already.
    pub(crate) part: u32,
    pub(crate) inputs: Inputs<I>,
    pub(crate) passed: Passed,
    /// How long an item is expected to take, in nanoseconds.
    pub(crate) expected_nanos: f64,
    pub(crate) permit: Permit,
    /// Of its results, if these are counted and some may have left.
    pub(crate) credit: Option<Arc<BatchCredit>>,
    /// When it was queued for the first time; in a pool, when its item was submitted.
    pub(crate) queued_at: Instant,
}

/// Failures that the source yielded, each with the number of good items before it in its batch. They are passed on to
/// the consumer, in their places among the results.
pub(crate) type Passed = VecDeque<(usize, ItemError)>;

impl<I> fmt::Debug for Batch<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("first", &self.first)
            .field("items", &(self.inputs.len() + self.passed.len()))
            .finish_non_exhaustive()
    }
}

/// A batch's items. Those that are left are dropped one by one, because the `Drop` of each may panic.
#[derive(Debug)]
pub(crate) struct Inputs<I>(VecDeque<I>);

impl<I> Inputs<I> {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn queue(&mut self) -> &mut VecDeque<I> {
        &mut self.0
    }

    /// Takes the buffer, for other items. Items that are left are dropped.
    pub(crate) fn into_buffer(mut self) -> Vec<I> {
        discard_all(self.0.drain(..));
        std::mem::take(&mut self.0).into()
    }
}

impl<I> Default for Inputs<I> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<I> From<VecDeque<I>> for Inputs<I> {
    fn from(items: VecDeque<I>) -> Self {
        Self(items)
    }
}

impl<I> From<Vec<I>> for Inputs<I> {
    fn from(items: Vec<I>) -> Self {
        Self(items.into())
    }
}

impl<I> Drop for Inputs<I> {
    fn drop(&mut self) {
        discard_all(self.0.drain(..));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_that_are_left_may_panic_when_they_are_dropped() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                std::panic::resume_unwind(Box::new("dropped"));
            }
        }
        drop(Inputs::from(vec![Bomb, Bomb]));
    }
}
