//! The results of a batch on their way back from a worker.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use actix::Message;

use crate::engine::credit::{BatchCredit, Credit, Held};
use crate::engine::permit::Permit;
use crate::error::ItemError;
use crate::util::buffer_pool::BufferPool;
use crate::util::panic::{discard, discard_all};
use crate::util::time_slice::TimeSlice;

/// The outcomes of a batch on their way from a worker to the [`Aggregator`](crate::Aggregator).
pub(crate) struct Outcomes<T> {
    pub(crate) first: u64,
    /// Results of the first item may come in parts, from 0. Each but the last has no items.
    pub(crate) part: u32,
    pub(crate) items: usize,
    pub(crate) chunk: Chunk<T>,
}

impl<T> Message for Outcomes<T> {
    type Result = ();
}

impl<T> fmt::Debug for Outcomes<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outcomes")
            .field("first", &self.first)
            .field("part", &self.part)
            .field("items", &self.items)
            .field("chunk", &self.chunk)
            .finish()
    }
}

/// The results of one batch: an iterator over `Result<T, ItemError>` in source order.
///
/// [`FanIn::next_chunk`](crate::FanIn::next_chunk) returns it, for consumers for which one poll per result costs too
/// much. The items of the batch stay in flight until it is dropped.
pub struct Chunk<T> {
    /// In reverse order: the next one is popped off the end.
    values: Vec<T>,
    /// Each with the number of values that come before it.
    failures: VecDeque<(usize, ItemError)>,
    /// Values that were taken already.
    taken: usize,
    buffers: Arc<BufferPool<T>>,
    pub(crate) permit: Permit,
    /// Dropped last: it may let the batch go on of which these are results.
    held: Option<Held>,
}

impl<T> Chunk<T> {
    pub(crate) fn new(
        mut values: Vec<T>,
        failures: VecDeque<(usize, ItemError)>,
        buffers: Arc<BufferPool<T>>,
        permit: Permit,
    ) -> Self {
        values.reverse();
        Self { values, failures, taken: 0, buffers, permit, held: None }
    }

    /// Counts its results until it is dropped: of `batch`, if that goes on.
    pub(crate) fn counted(mut self, credit: &Arc<Credit>, batch: Option<Arc<BatchCredit>>) -> Self {
        self.held = Some(credit.hold(self.values.len(), batch));
        self
    }

    /// Returns true if no result is left.
    pub(crate) fn is_spent(&self) -> bool {
        self.values.is_empty() && self.failures.is_empty()
    }

    /// How many results are left, failures not counted.
    pub(crate) fn values_left(&self) -> usize {
        self.values.len()
    }

    /// How often [`next_value`](Self::next_value) may be called before the next failure, or before the last result.
    pub(crate) fn values_ahead(&self) -> usize {
        let values = match self.failures.front() {
            Some((before, _)) => before - self.taken,
            None => self.values.len(),
        };
        // The last result is left to `next`, after which the chunk may be spent.
        if values == self.len() { values.saturating_sub(1) } else { values }
    }

    /// Drops results until none is left or `slice` is spent. Returns true if none is left.
    pub(crate) fn discard(&mut self, slice: &mut TimeSlice) -> bool {
        if !std::mem::needs_drop::<T>() {
            self.values.clear();
        }
        while !slice.is_spent() {
            match self.next() {
                Some(result) => discard(result),
                None => return true,
            }
        }
        false
    }

    /// The next result. The caller knows by [`values_ahead`](Self::values_ahead) that it is no failure.
    #[inline]
    pub(crate) fn next_value(&mut self) -> Option<T> {
        self.taken += 1;
        self.values.pop()
    }
}

impl<T> Iterator for Chunk<T> {
    type Item = Result<T, ItemError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if let Some((before, _)) = self.failures.front()
            && *before == self.taken
        {
            return self.failures.pop_front().map(|(_, error)| Err(error));
        }
        let value = self.values.pop()?;
        self.taken += 1;
        Some(Ok(value))
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.values.len() + self.failures.len();
        (left, Some(left))
    }
}

impl<T> ExactSizeIterator for Chunk<T> {}

impl<T> fmt::Debug for Chunk<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chunk")
            .field("values", &self.values.len())
            .field("failures", &self.failures.len())
            .finish_non_exhaustive()
    }
}

impl<T> Drop for Chunk<T> {
    fn drop(&mut self) {
        let mut values = std::mem::take(&mut self.values);
        discard_all(values.drain(..).rev());
        self.buffers.put(values);
    }
}
