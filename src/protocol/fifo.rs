//! A queue, first in, first out, from which values can also be removed in the middle.

use std::collections::VecDeque;
use std::mem;

/// A queue with no more empty entries than this is not compacted.
const SLACK: usize = 32;

/// Values in ascending order of their positions.
///
/// A value removed from the middle leaves an empty entry. The queue is compacted when its empty entries outnumber its
/// values, so its memory follows its length, also while nothing is popped.
#[derive(Debug)]
pub(crate) struct Fifo<T> {
    entries: VecDeque<(u64, Option<T>)>,
    /// Entries that hold a value.
    length: usize,
}

impl<T> Fifo<T> {
    pub(crate) fn new() -> Self {
        Self { entries: VecDeque::new(), length: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// Adds a value at the end. `position` must be higher than all before.
    pub(crate) fn push(&mut self, position: u64, value: T) {
        debug_assert!(self.entries.back().is_none_or(|(last, _)| *last < position));
        self.entries.push_back((position, Some(value)));
        self.length += 1;
    }

    pub(crate) fn pop(&mut self) -> Option<(u64, T)> {
        loop {
            let (position, value) = self.entries.pop_front()?;
            if let Some(value) = value {
                self.length -= 1;
                return Some((position, value));
            }
        }
    }

    pub(crate) fn contains(&self, position: u64) -> bool {
        self.find(position).is_some_and(|at| self.entries[at].1.is_some())
    }

    pub(crate) fn remove(&mut self, position: u64) -> Option<T> {
        let at = self.find(position)?;
        let value = self.entries[at].1.take()?;
        self.length -= 1;
        if self.entries.len() > 2 * self.length + SLACK {
            self.entries.retain(|(_, value)| value.is_some());
            self.entries.shrink_to(2 * self.length + SLACK);
        }
        Some(value)
    }

    /// Removes all values, in order, in constant time: the caller holds a lock, and releases it before it iterates.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = T> + use<T> {
        mem::replace(self, Self::new()).entries.into_iter().filter_map(|(_, value)| value)
    }

    fn find(&self, position: u64) -> Option<usize> {
        self.entries.binary_search_by_key(&position, |(position, _)| *position).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_removed_from_the_middle_are_skipped() {
        let mut fifo = Fifo::new();
        (0..5).for_each(|position| fifo.push(position, position));
        assert_eq!((fifo.remove(1), fifo.remove(1), fifo.remove(0), fifo.remove(9)), (Some(1), None, Some(0), None));
        assert!(fifo.contains(2) && !fifo.contains(1));
        assert_eq!((fifo.len(), fifo.pop()), (3, Some((2, 2))));
        assert_eq!(fifo.remove(3), Some(3));
        fifo.push(5, 5);
        assert_eq!((fifo.take().collect::<Vec<_>>(), fifo.len(), fifo.pop()), (vec![4, 5], 0, None));
    }

    #[test]
    fn the_queue_is_compacted_when_empty_entries_outnumber_values() {
        let mut fifo = Fifo::new();
        (0..40).for_each(|position| fifo.push(position, ()));
        (0..36).for_each(|position| _ = fifo.remove(position));
        assert_eq!((fifo.len(), fifo.entries.len()), (4, 40), "no more empty entries than the slack allows");
        fifo.remove(36);
        assert_eq!((fifo.len(), fifo.entries.len()), (3, 3));
        assert!((38..=40).contains(&fifo.entries.capacity()), "{}", fifo.entries.capacity());

        let mut fifo = Fifo::new();
        (0..200).for_each(|position| fifo.push(position, ()));
        (0..66).for_each(|position| _ = fifo.remove(position));
        assert_eq!((fifo.len(), fifo.entries.len()), (134, 200), "fewer empty entries than values");
    }

    #[test]
    fn removals_keep_the_memory_bounded_while_nothing_is_popped() {
        let mut fifo = Fifo::new();
        fifo.push(0, ());
        for position in 1..100_000 {
            fifo.push(position, ());
            fifo.remove(position);
        }
        assert!(fifo.entries.capacity() < 200, "{}", fifo.entries.capacity());
    }
}
