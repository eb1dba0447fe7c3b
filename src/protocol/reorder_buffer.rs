//! Source order for batches that complete out of order.

use std::collections::BTreeMap;

/// Holds values, each of which covers a range of indices, until every lower index has left.
///
/// A range is its first index and its length, so the parts of a batch that was split need no new numbers. The buffer
/// has no bound of its own: the items in it are in flight, so the window bounds it.
#[derive(Debug)]
pub(crate) struct ReorderBuffer<V> {
    next: u64,
    waiting: BTreeMap<u64, (usize, V)>,
}

impl<V> ReorderBuffer<V> {
    pub(crate) fn new() -> Self {
        Self { next: 0, waiting: BTreeMap::new() }
    }

    /// Adds the value that covers `first..first + items`.
    pub(crate) fn insert(&mut self, first: u64, items: usize, value: V) {
        debug_assert!(first >= self.next, "index {first} has left already");
        let double = self.waiting.insert(first, (items, value));
        debug_assert!(double.is_none(), "index {first} was inserted twice");
    }

    /// Removes the next value in order, if it has been inserted.
    pub(crate) fn pop(&mut self) -> Option<V> {
        let entry = self.waiting.first_entry()?;
        if *entry.key() != self.next {
            return None;
        }
        let (items, value) = entry.remove();
        self.next += items as u64;
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_value_waits_for_all_lower_indices() {
        let mut order = ReorderBuffer::new();
        order.insert(2, 1, 'c');
        assert_eq!(order.pop(), None);
        order.insert(0, 2, 'a');
        assert_eq!(order.pop(), Some('a'));
        assert_eq!(order.pop(), Some('c'));
        assert_eq!(order.pop(), None);
    }

    proptest! {
        #[test]
        fn any_arrival_order_leaves_in_source_order(
            lengths in prop::collection::vec(1usize..5, 0..40),
            seed in any::<u64>(),
        ) {
            let mut ranges = Vec::new();
            let mut next = 0u64;
            for length in lengths {
                ranges.push((next, length));
                next += length as u64;
            }
            let mut arrivals = ranges.clone();
            arrivals.sort_by_key(|(first, _)| (first ^ seed).wrapping_mul(0x9E37_79B9_7F4A_7C15));
            let mut order = ReorderBuffer::new();
            let mut left = Vec::new();
            for (first, length) in arrivals {
                order.insert(first, length, (first, length));
                while let Some(range) = order.pop() {
                    left.push(range);
                }
            }
            prop_assert_eq!(left, ranges);
        }
    }
}
