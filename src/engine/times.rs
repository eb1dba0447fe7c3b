//! How long items were queued, and how long they ran: a histogram, from which percentiles are read.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use histogram::AtomicHistogram;

use crate::stats::Percentiles;

/// Each power of two has 16 buckets: the middle of one is at most 1/32 away from each time in it.
const GROUPING_POWER: u8 = 4;

/// Times below 2^44 ns, 4.9 hours, are told apart; longer ones by the longest alone.
const MAX_POWER: u8 = 44;

/// Times of items. Any thread may add to it, without a lock: one addition to an atomic, however many items it is for. It
/// takes 5 KiB, and none before the first time.
///
/// `Relaxed` suffices throughout: no other memory is published through it. A reader may see some of the additions that
/// happen meanwhile and others not.
#[derive(Default)]
pub(crate) struct Times {
    histogram: OnceLock<AtomicHistogram>,
    /// In nanoseconds.
    longest: AtomicU64,
}

impl Times {
    /// Adds the time of each of so many `items`.
    pub(crate) fn record(&self, time: Duration, items: usize) {
        if items == 0 {
            return;
        }
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        if self.longest.load(Relaxed) < nanos {
            self.longest.fetch_max(nanos, Relaxed);
        }
        let histogram = self.histogram.get_or_init(|| {
            AtomicHistogram::new(GROUPING_POWER, MAX_POWER).expect("the grouping power is the smaller one")
        });
        // Never an error: the time is in range.
        let _ = histogram.add(nanos.min((1 << MAX_POWER) - 1), items as u64);
    }

    /// The percentiles of the times so far; `None` without any.
    pub(crate) fn read(&self) -> Option<Percentiles> {
        let histogram = self.histogram.get()?.load();
        let max = self.longest.load(Relaxed);
        // `None` while the first time is being added.
        let found = histogram.quantiles(&[0.5, 0.9, 0.99]).ok().flatten()?;
        let mut times = found.entries().values().map(|bucket| {
            let middle = bucket.start() + (bucket.end() - bucket.start()) / 2;
            Duration::from_nanos(middle.min(max))
        });
        Some(Percentiles {
            items: u64::try_from(found.total_count()).unwrap_or(u64::MAX),
            p50: times.next()?,
            p90: times.next()?,
            p99: times.next()?,
            max: Duration::from_nanos(max),
        })
    }
}

impl fmt::Debug for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Times").field(&self.read()).finish()
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    /// The middle of its bucket.
    #[track_caller]
    fn assert_near(found: Duration, exact: Duration) {
        assert!(found.abs_diff(exact) <= exact / 32 + Duration::from_nanos(1), "{found:?} for {exact:?}");
    }

    #[test]
    fn without_a_time_there_are_no_percentiles() {
        let times = Times::default();
        assert_eq!(times.read(), None);
        times.record(MILLI, 0);
        assert_eq!(times.read(), None);
    }

    #[test]
    fn a_batch_counts_with_each_of_its_items() {
        let times = Times::default();
        times.record(MILLI, 980);
        for millis in [100, 200] {
            times.record(millis * MILLI, 10);
        }
        let found = times.read().unwrap();
        assert_eq!((found.items, found.max), (1000, 200 * MILLI));
        assert_near(found.p50, MILLI);
        assert_near(found.p90, MILLI);
        assert_near(found.p99, 100 * MILLI);
    }

    #[test]
    fn a_single_time_is_exact_or_the_middle_of_its_bucket_and_none_is_beyond_the_longest() {
        for nanos in [0, 1, 31] {
            let times = Times::default();
            times.record(Duration::from_nanos(nanos), 1);
            let exact = Duration::from_nanos(nanos);
            let Percentiles { items, p50, p90, p99, max } = times.read().unwrap();
            assert_eq!((items, [p50, p90, p99, max]), (1, [exact; 4]));
        }
        // Longer than the histogram tells apart.
        for long in [Duration::from_secs(24 * 3600), Duration::MAX] {
            let times = Times::default();
            times.record(long, 3);
            let found = times.read().unwrap();
            assert_eq!(found.max, long.min(Duration::from_nanos(u64::MAX)));
            assert_near(found.p50, Duration::from_nanos(1 << MAX_POWER));
        }
    }

    proptest! {
        #[test]
        fn percentiles_are_those_of_the_sorted_times(
            times in prop::collection::vec((0u64..1 << 40, 1usize..5), 1..200),
        ) {
            let recorded = Times::default();
            let mut all = Vec::new();
            for (nanos, items) in times {
                recorded.record(Duration::from_nanos(nanos), items);
                all.extend(std::iter::repeat_n(nanos, items));
            }
            all.sort_unstable();
            let Percentiles { items, p50, p90, p99, max } = recorded.read().unwrap();
            prop_assert_eq!(items, all.len() as u64);
            prop_assert_eq!(max, Duration::from_nanos(*all.last().unwrap()));
            for (found, per_cent) in [(p50, 50), (p90, 90), (p99, 99)] {
                // The smallest time that so many of them do not exceed.
                let rank = (all.len() * per_cent).div_ceil(100).max(1);
                assert_near(found, Duration::from_nanos(all[rank - 1]));
            }
        }
    }
}
