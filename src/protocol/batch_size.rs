//! How many items travel together, and how many batches are kept ready for the workers.

use std::time::Duration;

use crate::protocol::service_time::ServiceTime;

/// The work that a batch should hold. Handing a batch over and back costs about 10 us of processor time, so this is
/// where that cost falls below one per cent.
const TARGET: Duration = Duration::from_millis(2);

/// The work that may wait in the queue for each worker. It bounds how long a drain takes beyond the items that run.
const AHEAD: Duration = Duration::from_millis(8);

/// Batches kept queued and running for each worker while they are short. It covers the time in which the generator's
/// thread does something else.
const DEPTH: usize = 4;

/// Bytes of items, or of results, in one batch: well inside a core's second-level cache.
const BATCH_BYTES: usize = 256 * 1024;

/// What is queued and running is at most this fraction of what was measured before: so few items hold hardly a cost that
/// was not seen yet. It lets the batches grow by half with each round of the workers.
const SURPRISE: u64 = 8;

/// Batches kept for each worker while they grow to the target.
const GROWING_DEPTH: usize = 2;

/// The user's choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BatchSize {
    /// About two milliseconds of work, as measured.
    Adaptive,
    /// So many items, whatever they cost.
    Fixed(usize),
}

impl BatchSize {
    /// How long a batch may run before what it has not begun is given back.
    pub(crate) fn overrun(self) -> Duration {
        match self {
            Self::Adaptive => OVERRUN,
            Self::Fixed(_) => Duration::MAX,
        }
    }
}

/// Says how many items the next batch takes, from what items were measured to cost.
///
/// An item that still runs is in no measurement, however long it is: so what is handed out stays a fraction of what was
/// measured.
#[derive(Clone, Debug)]
pub(crate) struct Sizer {
    choice: BatchSize,
    /// No batch holds more: a quarter of a worker's share of the window, and what fits into the cache.
    cap: usize,
    workers: usize,
}

impl Sizer {
    pub(crate) fn new(choice: BatchSize, workers: usize, window: usize, item_bytes: usize) -> Self {
        let share = window / workers.saturating_mul(DEPTH).max(1);
        let cache = BATCH_BYTES / item_bytes.max(1);
        Self { choice, cap: share.min(cache).max(1), workers }
    }

    /// Items for the next batch, at least 1.
    pub(crate) fn size(&self, service: &ServiceTime) -> usize {
        match (self.choice, service.planned_nanos()) {
            (BatchSize::Fixed(items), _) => items,
            (BatchSize::Adaptive, None) => 1,
            (BatchSize::Adaptive, Some(nanos)) => {
                let target = (TARGET.as_nanos() as f64 / nanos.max(0.1)) as usize;
                target.min(self.cap).min(self.reach(service) / GROWING_DEPTH).max(1)
            }
        }
    }

    /// What was measured allows each worker so many items.
    fn reach(&self, service: &ServiceTime) -> usize {
        usize::try_from(service.measured() / SURPRISE / self.workers as u64).unwrap_or(usize::MAX)
    }

    fn reach_in_batches(&self, service: &ServiceTime) -> usize {
        match self.choice {
            BatchSize::Fixed(_) => DEPTH,
            BatchSize::Adaptive => (self.reach(service) / self.size(service)).max(1),
        }
    }

    /// Batches to keep queued and running for each worker: 1 to [`DEPTH`].
    pub(crate) fn depth(&self, service: &ServiceTime) -> usize {
        match service.planned_nanos() {
            None => 1,
            Some(nanos) => {
                let batch = nanos * self.size(service) as f64;
                let ahead = (AHEAD.as_nanos() as f64 / batch.max(1.0)) as usize;
                (1 + ahead).min(DEPTH).min(self.reach_in_batches(service))
            }
        }
    }
}

/// How long a worker keeps at one batch before it hands back what it has not begun: a batch that takes so much longer
/// than planned holds items that other workers could run.
const OVERRUN: Duration = Duration::from_millis(8);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WINDOW: usize = 65_536;

    /// A sizer, and what was measured for it.
    struct Learning {
        sizer: Sizer,
        service: ServiceTime,
    }

    impl Learning {
        fn new(choice: BatchSize, workers: usize, window: usize, item_bytes: usize) -> Self {
            Self { sizer: Sizer::new(choice, workers, window, item_bytes), service: ServiceTime::default() }
        }

        fn observe(&mut self, items: usize, busy: Duration) {
            self.service.observe(items, busy);
        }

        fn size(&self) -> usize {
            self.sizer.size(&self.service)
        }

        fn depth(&self) -> usize {
            self.sizer.depth(&self.service)
        }
    }

    fn adaptive(workers: usize) -> Learning {
        Learning::new(BatchSize::Adaptive, workers, WINDOW, 8)
    }

    /// Runs batches of items that cost `cost(index)` until `items` went through; returns the last size.
    fn run(sizer: &mut Learning, items: u64, cost: impl Fn(u64) -> Duration) -> usize {
        let mut index = 0;
        while index < items {
            let size = sizer.size() as u64;
            let busy = (index..index + size).map(&cost).sum();
            sizer.observe(size as usize, busy);
            index += size;
        }
        sizer.size()
    }

    #[test]
    fn what_is_handed_out_is_a_fraction_of_what_was_measured() {
        let mut sizer = adaptive(2);
        assert_eq!((sizer.size(), sizer.depth()), (1, 1));
        let (mut measured, mut batches) = (0, 0);
        while sizer.size() < WINDOW / 8 {
            let size = sizer.size();
            sizer.observe(size, Duration::from_nanos(3 * size as u64));
            measured += size as u64;
            batches += 1;
            assert!((sizer.size() * sizer.depth() * 2) as u64 <= (measured / SURPRISE).max(2), "{measured}");
        }
        assert!(batches < 500, "{batches} batches to grow");
        run(&mut sizer, 8 * WINDOW as u64, |_| Duration::from_nanos(3));
        assert_eq!(sizer.size(), WINDOW / 8, "a quarter of each worker's share of the window");
        assert_eq!(sizer.depth(), DEPTH);
    }

    #[test]
    fn a_batch_holds_about_two_milliseconds() {
        for (micros, items) in [(1, 2000), (10, 200), (100, 20), (1_000, 2), (50_000, 1)] {
            let mut sizer = adaptive(2);
            let size = run(&mut sizer, 100_000, |_| Duration::from_micros(micros));
            assert!(size.abs_diff(items) <= 1, "{micros} us an item: {size} items");
        }
    }

    #[test]
    fn long_items_are_not_queued_ahead() {
        for (millis, depth) in [(1, 4), (4, 3), (8, 2), (9, 1), (3_000, 1)] {
            let mut sizer = adaptive(2);
            run(&mut sizer, 200, |_| Duration::from_millis(millis));
            assert_eq!(sizer.depth(), depth, "{millis} ms an item");
        }
    }

    #[test]
    fn long_batches_are_not_queued_ahead_either() {
        let mut sizer = Learning::new(BatchSize::Fixed(100), 2, WINDOW, 8);
        sizer.observe(100, Duration::from_millis(100));
        assert_eq!((sizer.size(), sizer.depth()), (100, 1));
        let mut sizer = Learning::new(BatchSize::Fixed(100), 2, WINDOW, 8);
        sizer.observe(100, Duration::from_millis(1));
        assert_eq!((sizer.size(), sizer.depth()), (100, 4));
    }

    #[test]
    fn one_long_item_in_thirty_keeps_the_batches_at_one() {
        let mut sizer = adaptive(2);
        let cost = |index: u64| if index % 30 == 7 { Duration::from_secs(3) } else { Duration::from_nanos(200) };
        run(&mut sizer, 60, cost);
        for _ in 0..100 {
            assert_eq!(run(&mut sizer, 25, cost), 1);
        }
    }

    #[test]
    fn a_rise_in_cost_shows_at_once_and_a_fall_soon() {
        let mut sizer = adaptive(2);
        assert_eq!(run(&mut sizer, 100_000, |_| Duration::from_micros(1)), 2000);
        sizer.observe(1000, Duration::from_secs(1));
        assert!(sizer.size() <= 4, "{}", sizer.size());
        assert!(run(&mut sizer, 20_000, |_| Duration::from_micros(1)) > 500);
    }

    #[test]
    fn large_items_travel_in_smaller_batches() {
        let mut sizer = Learning::new(BatchSize::Adaptive, 1, usize::MAX, 64 * 1024);
        assert_eq!(run(&mut sizer, 1000, |_| Duration::from_nanos(5)), 4);
    }

    proptest! {
        #[test]
        fn any_history_leaves_a_size_within_bounds(
            workers in 1usize..100,
            window in 1usize..1_000_000,
            history in prop::collection::vec((0usize..5000, any::<u64>()), 0..50),
        ) {
            let mut sizer = Learning::new(BatchSize::Adaptive, workers, window, 8);
            for (items, nanos) in history {
                sizer.observe(items, Duration::from_nanos(nanos));
                prop_assert!(sizer.size() >= 1);
                prop_assert!(sizer.size() <= (window / (4 * workers)).max(1));
                prop_assert!((1..=DEPTH).contains(&sizer.depth()));
            }
        }
    }
}
