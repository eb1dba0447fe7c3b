//! What travels between the actors: batches of items to the workers, their outcomes back.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use actix::Message;

use crate::engine::permit::Permit;
use crate::error::ItemError;
use crate::util::panic::{discard, discard_all};
use crate::util::time_slice::Slice;

/// Items on their way from the [`Generator`](crate::Generator) to a worker.
///
/// A batch that is dropped before a worker took it, as when the System stops, counts its items as skipped.
pub(crate) struct Batch<I> {
    /// Index in the source of the first item, failures passed on included.
    pub(crate) first: u64,
    pub(crate) inputs: Inputs<I>,
    pub(crate) passed: Passed,
    pub(crate) permit: Permit,
}

/// Failures that stood in the source, each with the number of good items before it in its batch. They take their place
/// among the results.
pub(crate) type Passed = VecDeque<(usize, ItemError)>;

impl<I> Message for Batch<I> {
    type Result = ();
}

impl<I> fmt::Debug for Batch<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("first", &self.first)
            .field("items", &(self.inputs.len() + self.passed.len()))
            .finish_non_exhaustive()
    }
}

impl<I> Batch<I> {
    /// Cuts the batch into at most `parts` of about the same length, in order.
    pub(crate) fn split(self, parts: usize) -> impl Iterator<Item = Self> {
        let size = self.inputs.len().div_ceil(parts).max(1);
        let mut rest = Some(self);
        std::iter::from_fn(move || {
            let mut part = rest.take()?;
            if part.inputs.len() > size {
                rest = Some(part.split_off(size));
            }
            Some(part)
        })
    }

    /// Cuts off what comes after the first `at` good items.
    fn split_off(&mut self, at: usize) -> Self {
        let inputs = Inputs(self.inputs.0.split_off(at));
        let stay = self.passed.partition_point(|(before, _)| *before <= at);
        let mut passed = self.passed.split_off(stay);
        passed.iter_mut().for_each(|(before, _)| *before -= at);
        let permit = self.permit.split_off(inputs.len() + passed.len());
        Self { first: self.first + (at + stay) as u64, inputs, passed, permit }
    }
}

/// A batch's items. Those that nobody took are dropped one by one, and may panic.
#[derive(Debug)]
pub(crate) struct Inputs<I>(VecDeque<I>);

impl<I> Inputs<I> {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn queue(&mut self) -> &mut VecDeque<I> {
        &mut self.0
    }

    /// The memory of items that are all gone.
    pub(crate) fn into_spare(mut self) -> Vec<I> {
        discard_all(self.0.drain(..));
        std::mem::take(&mut self.0).into()
    }
}

impl<I> Default for Inputs<I> {
    fn default() -> Self {
        Self(VecDeque::new())
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

/// The outcomes of a batch on their way from a worker to the [`Aggregator`](crate::Aggregator).
pub(crate) struct Outcomes<T> {
    pub(crate) first: u64,
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
            .field("items", &self.items)
            .field("chunk", &self.chunk)
            .finish()
    }
}

/// The results of one batch: an iterator over `Result<T, ItemError>` in source order.
///
/// [`FanIn::next_chunk`](crate::FanIn::next_chunk) gives it to those for whom a poll an item is too much. The items of
/// the batch stay in flight until it is dropped.
pub struct Chunk<T> {
    /// The last one first, so that the next is popped.
    values: Vec<T>,
    /// Each with the number of values that come before it.
    failures: VecDeque<(usize, ItemError)>,
    /// Values that are gone already.
    taken: usize,
    spares: Arc<Spares<T>>,
    pub(crate) permit: Permit,
}

impl<T> Chunk<T> {
    pub(crate) fn new(
        mut values: Vec<T>,
        failures: VecDeque<(usize, ItemError)>,
        spares: Arc<Spares<T>>,
        permit: Permit,
    ) -> Self {
        values.reverse();
        Self { values, failures, taken: 0, spares, permit }
    }

    /// Whether no result is left.
    pub(crate) fn is_spent(&self) -> bool {
        self.values.is_empty() && self.failures.is_empty()
    }

    /// Results left, failures not counted.
    pub(crate) fn values_left(&self) -> usize {
        self.values.len()
    }

    /// How often [`next_value`](Self::next_value) may be called before a failure has its turn or nothing is left.
    pub(crate) fn run(&self) -> usize {
        let values = match self.failures.front() {
            Some((before, _)) => before - self.taken,
            None => self.values.len(),
        };
        // The last result is left to `next`, after which the chunk may be spent.
        if values == self.len() { values.saturating_sub(1) } else { values }
    }

    /// Drops results until none is left, or `slice` is spent: then it returns false.
    pub(crate) fn discard(&mut self, slice: &mut Slice) -> bool {
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

    /// The next result, if it is known to be no failure.
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
        self.spares.put(values);
    }
}

/// The largest vector that is kept.
const SPARE_BYTES: usize = 1024 * 1024;

/// Emptied vectors for the next batches: their memory is warm in the cache.
pub(crate) struct Spares<T> {
    vectors: Mutex<Vec<Vec<T>>>,
    /// No more than are in use at a time while the workers are the bottleneck.
    most: usize,
}

impl<T> Spares<T> {
    pub(crate) fn new(workers: usize) -> Self {
        Self { vectors: Mutex::new(Vec::new()), most: workers.saturating_mul(8) }
    }

    pub(crate) fn get(&self) -> Vec<T> {
        self.vectors.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    pub(crate) fn put(&self, vector: Vec<T>) {
        debug_assert!(vector.is_empty());
        // One that a flood of results has blown up isn't kept: `workers * 8` of its size may be too much.
        if !(1..=SPARE_BYTES).contains(&(vector.capacity() * size_of::<T>())) {
            return;
        }
        let mut vectors = self.vectors.lock().unwrap_or_else(PoisonError::into_inner);
        if vectors.len() < self.most {
            vectors.push(vector);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_that_nobody_took_may_panic_when_they_are_dropped() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                std::panic::resume_unwind(Box::new("dropped"));
            }
        }
        drop(Inputs::from(vec![Bomb, Bomb]));
    }
}
