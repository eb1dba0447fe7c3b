//! The items that are fanned out.

use std::iter::FusedIterator;
use std::ops::RangeInclusive;

/// The segments of a range, in ascending order: see [`Sieve::segments`](super::Sieve::segments).
#[derive(Clone, Debug)]
pub struct Segments {
    /// What is left; `None` when nothing is.
    rest: Option<(u64, u64)>,
    /// A multiple of 30, and so are the borders: no two segments share a byte of the wheel.
    span: u64,
}

impl Segments {
    pub(super) fn new(range: &RangeInclusive<u64>, span: u64) -> Self {
        debug_assert!(span >= 30 && span.is_multiple_of(30));
        Self { rest: (!range.is_empty()).then(|| (*range.start(), *range.end())), span }
    }
}

impl Iterator for Segments {
    type Item = RangeInclusive<u64>;

    fn next(&mut self) -> Option<RangeInclusive<u64>> {
        let (start, end) = self.rest?;
        let last = (start - start % 30).saturating_add(self.span - 1).min(end);
        self.rest = (last < end).then(|| (last + 1, end));
        Some(start..=last)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.rest.map_or(0, |(start, end)| (end - (start - start % 30)) / self.span + 1);
        usize::try_from(left).map_or((usize::MAX, None), |left| (left, Some(left)))
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
            len in 0u64..5_000,
            span in (1u64..30).prop_map(|n| 30 * n),
            at_the_end in any::<bool>(),
        ) {
            let start = if at_the_end { u64::MAX - len } else { a >> shift };
            let range = start..=start.saturating_add(len);
            let segments = Segments::new(&range, span);
            prop_assert_eq!(segments.size_hint(), (segments.clone().count(), Some(segments.clone().count())));
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
    fn the_whole_of_u64_has_a_last_segment() {
        let mut segments = Segments::new(&(0..=u64::MAX), u64::MAX / 30 / 2 * 30);
        assert_eq!(segments.size_hint(), (3, Some(3)));
        assert_eq!(segments.by_ref().last().map(|last| *last.end()), Some(u64::MAX));
        assert!(segments.next().is_none());
    }

    #[test]
    #[expect(clippy::reversed_empty_ranges)]
    fn an_empty_range_has_no_segments() {
        for range in [1..=0, u64::MAX..=0] {
            let mut segments = Segments::new(&range, 30);
            assert_eq!(segments.size_hint(), (0, Some(0)));
            assert!(segments.next().is_none());
        }
    }
}
