//! First in, first out, for those who may leave from the middle.

use std::collections::VecDeque;
use std::mem;

/// Gaps that are left alone, so that short lanes are never swept.
const SLACK: usize = 32;

/// Values by their place, which only ever grows. One that leaves early opens a gap; gaps are swept up before they
/// outnumber what stands in the lane, so its memory follows its length, whoever comes and leaves while nothing moves.
#[derive(Debug)]
pub(crate) struct Lane<T> {
    places: VecDeque<(u64, Option<T>)>,
    length: usize,
}

impl<T> Lane<T> {
    pub(crate) fn new() -> Self {
        Self { places: VecDeque::new(), length: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// `place` is beyond all before.
    pub(crate) fn push(&mut self, place: u64, value: T) {
        debug_assert!(self.places.back().is_none_or(|(last, _)| *last < place));
        self.places.push_back((place, Some(value)));
        self.length += 1;
    }

    pub(crate) fn pop(&mut self) -> Option<(u64, T)> {
        loop {
            let (place, value) = self.places.pop_front()?;
            if let Some(value) = value {
                self.length -= 1;
                return Some((place, value));
            }
        }
    }

    pub(crate) fn contains(&self, place: u64) -> bool {
        self.find(place).is_some_and(|at| self.places[at].1.is_some())
    }

    pub(crate) fn remove(&mut self, place: u64) -> Option<T> {
        let at = self.find(place)?;
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

    fn find(&self, place: u64) -> Option<usize> {
        self.places.binary_search_by_key(&place, |(place, _)| *place).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_leaves_from_the_middle_is_not_missed() {
        let mut lane = Lane::new();
        (0..5).for_each(|place| lane.push(place, place));
        assert_eq!((lane.remove(1), lane.remove(1), lane.remove(0), lane.remove(9)), (Some(1), None, Some(0), None));
        assert!(lane.contains(2) && !lane.contains(1));
        assert_eq!((lane.len(), lane.pop()), (3, Some((2, 2))));
        assert_eq!(lane.remove(3), Some(3));
        lane.push(5, 5);
        assert_eq!((lane.take().collect::<Vec<_>>(), lane.len(), lane.pop()), (vec![4, 5], 0, None));
    }

    #[test]
    fn gaps_are_swept_when_they_outnumber_what_stands_in_the_lane() {
        let mut lane = Lane::new();
        (0..40).for_each(|place| lane.push(place, ()));
        (0..36).for_each(|place| _ = lane.remove(place));
        assert_eq!((lane.len(), lane.places.len()), (4, 40), "as many as are left alone");
        lane.remove(36);
        assert_eq!((lane.len(), lane.places.len()), (3, 3));
        assert!((38..=40).contains(&lane.places.capacity()), "{}", lane.places.capacity());

        let mut lane = Lane::new();
        (0..200).for_each(|place| lane.push(place, ()));
        (0..66).for_each(|place| _ = lane.remove(place));
        assert_eq!((lane.len(), lane.places.len()), (134, 200), "fewer gaps than places");
    }

    #[test]
    fn a_lane_that_does_not_move_does_not_grow_with_those_who_leave() {
        let mut lane = Lane::new();
        lane.push(0, ());
        for place in 1..100_000 {
            lane.push(place, ());
            lane.remove(place);
        }
        assert!(lane.places.capacity() < 200, "{}", lane.places.capacity());
    }
}
