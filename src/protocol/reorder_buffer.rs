//! Source order for batches that complete out of order.

use std::collections::BTreeMap;

/// Holds values, each of which covers a range of indices, until every lower index has left.
///
/// A range is its first index and its length, so the parts of a batch that was split need no new numbers. The buffer
/// has no bound of its own: the items in it are in flight, so the window bounds it.
///
/// Results of an item may come before it has ended, in parts 0, 1, 2 and so on. Each but the last covers no index. The
/// last one covers the item, and maybe items after it.
#[derive(Debug)]
pub(crate) struct ReorderBuffer<V> {
    /// The first index and the part that leave next.
    next: (u64, u32),
    /// By first index and part, with the number of indices that it covers.
    waiting: BTreeMap<(u64, u32), (usize, V)>,
}

impl<V> ReorderBuffer<V> {
    pub(crate) fn new() -> Self {
        Self { next: (0, 0), waiting: BTreeMap::new() }
    }

    /// Adds part number `part` of the results from the item `first` on. If `items` is 0, more parts follow; otherwise
    /// it is the last part, and covers `first..first + items`.
    pub(crate) fn insert(&mut self, first: u64, part: u32, items: usize, value: V) {
        let key = (first, part);
        debug_assert!(key >= self.next, "part {part} of index {first} has left already");
        let double = self.waiting.insert(key, (items, value));
        debug_assert!(double.is_none(), "part {part} of index {first} was inserted twice");
    }

    /// Removes the next value in order, if it has been inserted.
    pub(crate) fn pop(&mut self) -> Option<V> {
        let entry = self.waiting.first_entry()?;
        let (first, part) = *entry.key();
        if (first, part) != self.next {
            return None;
        }
        let (items, value) = entry.remove();
        self.next = if items == 0 { (first, part + 1) } else { (first + items as u64, 0) };
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
        order.insert(2, 0, 1, 'c');
        assert_eq!(order.pop(), None);
        order.insert(0, 0, 2, 'a');
        assert_eq!(order.pop(), Some('a'));
        assert_eq!(order.pop(), Some('c'));
        assert_eq!(order.pop(), None);
    }

    #[test]
    fn a_part_waits_for_the_parts_before_it_and_the_next_item_for_the_last_part() {
        let mut order = ReorderBuffer::new();
        order.insert(3, 0, 1, 'd');
        order.insert(0, 1, 0, 'b');
        assert_eq!(order.pop(), None);
        order.insert(0, 0, 0, 'a');
        assert_eq!([order.pop(), order.pop(), order.pop()], [Some('a'), Some('b'), None]);
        order.insert(0, 2, 3, 'c');
        assert_eq!([order.pop(), order.pop(), order.pop()], [Some('c'), Some('d'), None]);
    }

    proptest! {
        #[test]
        fn any_arrival_order_leaves_in_source_order(
            // How many indices, and how many parts before the last.
            ranges in prop::collection::vec((1usize..5, 0u32..4), 0..40),
            seed in any::<u64>(),
        ) {
            let mut values = Vec::new();
            let mut next = 0u64;
            for (length, parts) in ranges {
                values.extend((0..parts).map(|part| (next, part, 0)));
                values.push((next, parts, length));
                next += length as u64;
            }
            let mut arrivals = values.clone();
            arrivals.sort_by_key(|(first, part, _)| {
                ((first << 2 | u64::from(*part)) ^ seed).wrapping_mul(0x9E37_79B9_7F4A_7C15)
            });
            let mut order = ReorderBuffer::new();
            let mut left = Vec::new();
            for (at, value) in arrivals.iter().copied().enumerate() {
                let arrived = &arrivals[..=at];
                let (first, part, items) = value;
                order.insert(first, part, items, value);
                while let Some(value) = order.pop() {
                    left.push(value);
                }
                // The next one has not come.
                prop_assert!(values.get(left.len()).is_none_or(|next| !arrived.contains(next)));
            }
            prop_assert_eq!(left, values);
        }
    }
}
