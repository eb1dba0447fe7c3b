//! The segments of a sieve, which are the items to fan out.

use std::iter::FusedIterator;
use std::ops::RangeInclusive;

use super::plan::Plan;

/// The segments of a range, in ascending order, or in descending order: see [`Sieve::segments`](super::Sieve::segments)
/// and [`Sieve::segments_down`](super::Sieve::segments_down).
///
/// The first segment is short, so that it is done soon. Each further one may be several times as long as all before it.
#[derive(Clone, Debug)]
pub struct Segments {
    /// The number of the range with which the segments begin.
    from: u64,
    is_down: bool,
    /// The first and the last number that are left; `None` at the end.
    rest: Option<(u64, u64)>,
    plan: Plan,
}

impl Segments {
    pub(super) fn new(range: &RangeInclusive<u64>, plan: Plan) -> Self {
        debug_assert!(plan.span >= 30 && plan.span.is_multiple_of(30));
        let from = *range.start();
        Self { from, is_down: false, rest: (!range.is_empty()).then(|| (from, *range.end())), plan }
    }

    pub(super) fn down(range: &RangeInclusive<u64>, plan: Plan) -> Self {
        Self { from: *range.end(), is_down: true, ..Self::new(range, plan) }
    }
}

impl Iterator for Segments {
    type Item = RangeInclusive<u64>;

    fn next(&mut self) -> Option<RangeInclusive<u64>> {
        let (start, end) = self.rest?;
        // Segments end with a byte of the wheel, so that no two segments share a byte.
        if self.is_down {
            let first = self.plan.next_down(self.from, start, end).max(start);
            self.rest = (first > start).then(|| (start, first - 1));
            return Some(first..=end);
        }
        let last = (start - start % 30).saturating_add(self.plan.next(self.from, start, end) - 1).min(end);
        self.rest = (last < end).then(|| (last + 1, end));
        Some(start..=last)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let least = self.rest.map_or(0, |(start, end)| (end - (start - start % 30)) / self.plan.span + 1);
        (usize::try_from(least).unwrap_or(usize::MAX), (least == 0).then_some(0))
    }
}

impl FusedIterator for Segments {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn segments_partition_the_range(
            a in any::<u64>(),
            shift in 0u32..64,
            len in 0u64..500_000,
            span in (1u64..3000).prop_map(|n| 30 * n),
            at_the_end in any::<bool>(),
        ) {
            let start = if at_the_end { u64::MAX - len } else { a >> shift };
            let range = start..=start.saturating_add(len);
            let plan = Plan::new(start, *range.end(), span);
            let mut down: Vec<_> = Segments::down(&range, plan).collect();
            prop_assert!(Segments::down(&range, plan).size_hint().0 <= down.len());
            down.reverse();
            let mut next = Some(start);
            for segment in down {
                prop_assert_eq!(Some(*segment.start()), next);
                prop_assert!(!segment.is_empty() && segment.end() - segment.start() < span);
                next = segment.end().checked_add(1);
            }
            prop_assert_eq!(next, range.end().checked_add(1));
            let segments = Segments::new(&range, plan);
            prop_assert!(segments.size_hint().0 <= segments.clone().count());
            let mut next = Some(start);
            for segment in segments {
                prop_assert_eq!(Some(*segment.start()), next);
                prop_assert!(!segment.is_empty() && segment.end() - segment.start() < span);
                next = segment.end().checked_add(1);
            }
            prop_assert_eq!(next, range.end().checked_add(1));
        }
    }

    #[test]
    fn the_first_segments_of_a_long_range_are_short() {
        for start in [0, 1_000_000_000_000, 1_000_000_000_000_000_000] {
            for end in [start + 1_000_000_000, u64::MAX] {
                let mut segments = Segments::new(&(start..=end), Plan::new(start, end, u64::MAX / 30 * 30));
                assert!(segments.next().is_some_and(|first| first.count() <= 1 << 14));
                assert!(segments.next().is_some_and(|second| second.count() <= 1 << 17));
                let longest = segments.take(10).map(|segment| segment.end() - segment.start()).max();
                assert!(longest.is_some_and(|longest| longest > 5_000_000), "{longest:?} from {start}");
                let mut down = Segments::down(&(start..=end), Plan::new(start, end, u64::MAX / 30 * 30));
                assert!(down.next().is_some_and(|first| first.count() <= 1 << 14));
                assert!(down.next().is_some_and(|second| second.count() <= 1 << 17));
            }
        }
    }

    #[test]
    #[expect(clippy::reversed_empty_ranges)]
    fn an_empty_range_has_no_segments() {
        for range in [1..=0, u64::MAX..=0] {
            let mut segments = Segments::new(&range, Plan::full(0));
            assert_eq!(segments.size_hint(), (0, Some(0)));
            assert!(segments.next().is_none());
        }
    }
}
