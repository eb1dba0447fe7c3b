//! First in, first out, for those who may leave from the middle.

use std::collections::VecDeque;
use std::mem;

/// Gaps that are left alone, so that short queues are never swept.
const SLACK: usize = 32;

/// Values by their position, which only ever grows. One that leaves early opens a gap; gaps are swept up before they
/// outnumber what stands in the fifo, so its memory follows its length, whoever comes and leaves while nothing moves.
#[derive(Debug)]
pub(crate) struct Fifo<T> {
    places: VecDeque<(u64, Option<T>)>,
    length: usize,
}

impl<T> Fifo<T> {
    pub(crate) fn new() -> Self {
        Self { places: VecDeque::new(), length: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// `place` is beyond all before.
    pub(crate) fn push(&mut self, position: u64, value: T) {
        debug_assert!(self.places.back().is_none_or(|(last, _)| *last < position));
        self.places.push_back((position, Some(value)));
        self.length += 1;
    }

    pub(crate) fn pop(&mut self) -> Option<(u64, T)> {
        loop {
            let (position, value) = self.places.pop_front()?;
            if let Some(value) = value {
                self.length -= 1;
                return Some((position, value));
            }
        }
    }

    pub(crate) fn contains(&self, position: u64) -> bool {
        self.find(position).is_some_and(|at| self.places[at].1.is_some())
    }

    pub(crate) fn remove(&mut self, position: u64) -> Option<T> {
        let at = self.find(position)?;
        let value = self.places[at].1.take()?;
        self.length -= 1;
        if self.places.len() > 2 * self.length + SLACK {
            self.places.retain(|(_, value)| value.is_some());
            self.places.shrink_to(2 * self.length + SLACK);
        }
        Some(value)
    }

    /// Takes everything out, in order. That is done at once; what is to become of the values may take its time.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = T> + use<T> {
        mem::replace(self, Self::new()).places.into_iter().filter_map(|(_, value)| value)
    }

    fn find(&self, position: u64) -> Option<usize> {
        self.places.binary_search_by_key(&position, |(position, _)| *position).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_leaves_from_the_middle_is_not_missed() {
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
    fn gaps_are_swept_when_they_outnumber_what_stands_in_the_lane() {
        let mut fifo = Fifo::new();
        (0..40).for_each(|position| fifo.push(position, ()));
        (0..36).for_each(|position| _ = fifo.remove(position));
        assert_eq!((fifo.len(), fifo.places.len()), (4, 40), "as many as are left alone");
        fifo.remove(36);
        assert_eq!((fifo.len(), fifo.places.len()), (3, 3));
        assert!((38..=40).contains(&fifo.places.capacity()), "{}", fifo.places.capacity());

        let mut fifo = Fifo::new();
        (0..200).for_each(|position| fifo.push(position, ()));
        (0..66).for_each(|position| _ = fifo.remove(position));
        assert_eq!((fifo.len(), fifo.places.len()), (134, 200), "fewer gaps than places");
    }

    #[test]
    fn a_lane_that_does_not_move_does_not_grow_with_those_who_leave() {
        let mut fifo = Fifo::new();
        fifo.push(0, ());
        for position in 1..100_000 {
            fifo.push(position, ());
            fifo.remove(position);
        }
        assert!(fifo.places.capacity() < 200, "{}", fifo.places.capacity());
    }
}
