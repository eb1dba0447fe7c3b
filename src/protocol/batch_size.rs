//! How many items one batch holds, and how many batches are queued ahead for each worker.

use std::time::Duration;

use crate::protocol::service_time::ServiceTime;

/// The work that may be queued per worker. It bounds how long a drain takes beyond the items that run.
const QUEUED_AHEAD: Duration = Duration::from_millis(8);

/// What it costs to hand a batch to a worker and its outcomes back, and so how large batches are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Distance {
    /// The work that a batch should hold.
    target: Duration,
    /// The most batches queued and running per worker.
    max_depth: usize,
}

impl Distance {
    /// The workers are threads. To hand a batch over and its outcomes back costs about 10 us of processor time, which is
    /// half a per cent of the target. While batches are short, several of them keep a worker busy while the generator's
    /// thread does something else.
    pub(crate) const THREADS: Self = Self { target: Duration::from_millis(2), max_depth: 4 };

    /// A worker is a slot of a node elsewhere, and has one batch. That costs some 100 us, in several processes.
    #[cfg(feature = "nats")]
    pub(crate) fn nodes(target: Duration) -> Self {
        Self { target, max_depth: 1 }
    }
}

/// The most bytes of items, or of results, in one batch: well inside a core's second-level cache.
const BATCH_BYTES: usize = 256 * 1024;

/// For each outstanding item, this number must have been measured: what is queued by a wrong estimate costs no more than
/// what has run already. Batches grow by half each time that every worker has run one. An item that takes far
/// longer than any before it holds up few others all the same, since an adaptive batch is shared.
const MEASURED_PER_OUTSTANDING: u64 = 1;

/// Batches queued and running per worker while their size grows to the target.
const GROWING_DEPTH: usize = 2;

/// The size of batches that the user asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BatchSize {
    /// About two milliseconds of work, as measured.
    Adaptive,
    /// This many items, whatever they cost.
    Fixed(usize),
}

impl BatchSize {
    /// Returns true if several workers may run parts of one batch.
    pub(crate) fn divides(self) -> bool {
        self == Self::Adaptive
    }

    /// At most one worker's share of the window, so that one batch doesn't take the share of another worker.
    pub(crate) fn within(self, window: usize, workers: usize) -> Self {
        match self {
            Self::Adaptive => Self::Adaptive,
            Self::Fixed(items) => Self::Fixed(items.min((window / workers).max(1))),
        }
    }
}

/// Decides how many items the next batch holds, and how many batches are queued, by the measured service time.
///
/// An item is measured when it ends, so one that runs for long is in no measurement yet. Therefore the number of
/// outstanding items is limited by the number of items measured.
#[derive(Clone, Debug)]
pub(crate) struct Sizer {
    choice: BatchSize,
    /// What the user asked for, of which `choice` is what the window allows.
    asked: BatchSize,
    item_bytes: usize,
    /// The most items in an adaptive batch: a quarter of a worker's share of the window, and what fits into the cache.
    cap: usize,
    workers: usize,
    distance: Distance,
}

impl Sizer {
    pub(crate) fn new(choice: BatchSize, workers: usize, window: usize, item_bytes: usize) -> Self {
        let mut sizer = Self { choice, asked: choice, item_bytes, cap: 1, workers, distance: Distance::THREADS };
        sizer.set_cap(window);
        sizer
    }

    /// The same for workers at another distance.
    #[cfg(feature = "nats")]
    pub(crate) fn at(mut self, distance: Distance, window: usize) -> Self {
        self.distance = distance;
        self.set_cap(window);
        self
    }

    fn set_cap(&mut self, window: usize) {
        let share = window / self.workers.saturating_mul(self.distance.max_depth).max(1);
        let cache = BATCH_BYTES / self.item_bytes.max(1);
        self.cap = share.min(cache).max(1);
    }

    /// The window or the number of workers has changed.
    pub(crate) fn resize(&mut self, workers: usize, window: usize) {
        self.workers = workers;
        self.choice = self.asked.within(window, workers);
        self.set_cap(window);
    }

    pub(crate) fn set_asked(&mut self, asked: BatchSize) {
        self.asked = asked;
    }

    /// The fixed size that was asked for.
    pub(crate) fn fixed(&self) -> Option<usize> {
        match self.asked {
            BatchSize::Adaptive => None,
            BatchSize::Fixed(items) => Some(items),
        }
    }

    /// How many items the next batch holds, at least 1.
    pub(crate) fn size(&self, service: &ServiceTime) -> usize {
        match (self.choice, service.planned_nanos()) {
            (BatchSize::Fixed(items), _) => items,
            (BatchSize::Adaptive, None) => 1,
            (BatchSize::Adaptive, Some(nanos)) => {
                let target = (self.distance.target.as_nanos() as f64 / nanos.max(0.1)) as usize;
                target.min(self.cap).min(self.most_outstanding(service) / GROWING_DEPTH).max(1)
            }
        }
    }

    /// The most outstanding items per worker that the number of measured items allows.
    fn most_outstanding(&self, service: &ServiceTime) -> usize {
        usize::try_from(service.measured() / MEASURED_PER_OUTSTANDING / self.workers as u64).unwrap_or(usize::MAX)
    }

    fn most_outstanding_batches(&self, service: &ServiceTime) -> usize {
        match self.choice {
            BatchSize::Fixed(_) => self.distance.max_depth,
            BatchSize::Adaptive => (self.most_outstanding(service) / self.size(service)).max(1),
        }
    }

    /// How many batches to keep queued and running per worker: 1 to the most of its distance.
    pub(crate) fn depth(&self, service: &ServiceTime) -> usize {
        match service.planned_nanos() {
            None => 1,
            Some(nanos) => {
                let batch = nanos * self.size(service) as f64;
                let queued = (QUEUED_AHEAD.as_nanos() as f64 / batch.max(1.0)) as usize;
                (1 + queued).min(self.distance.max_depth).min(self.most_outstanding_batches(service))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WINDOW: usize = 65_536;

    /// A sizer with the service time that it reads.
    struct Measured {
        sizer: Sizer,
        service: ServiceTime,
    }

    impl Measured {
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

    fn adaptive(workers: usize) -> Measured {
        Measured::new(BatchSize::Adaptive, workers, WINDOW, 8)
    }

    /// Measures batches of items that cost `cost(index)`, `items` in all; returns the size of the next batch.
    fn run(sizer: &mut Measured, items: u64, cost: impl Fn(u64) -> Duration) -> usize {
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
    fn outstanding_items_are_a_fraction_of_the_measured_ones() {
        let mut sizer = adaptive(2);
        assert_eq!((sizer.size(), sizer.depth()), (1, 1));
        let (mut measured, mut batches) = (0, 0);
        while sizer.size() < WINDOW / 8 {
            let size = sizer.size();
            sizer.observe(size, Duration::from_nanos(3 * size as u64));
            measured += size as u64;
            batches += 1;
            assert!(
                (sizer.size() * sizer.depth() * 2) as u64 <= (measured / MEASURED_PER_OUTSTANDING).max(2),
                "{measured}"
            );
        }
        assert!(batches < 500, "{batches} batches to grow");
        run(&mut sizer, 8 * WINDOW as u64, |_| Duration::from_nanos(3));
        assert_eq!(sizer.size(), WINDOW / 8, "a quarter of each worker's share of the window");
        assert_eq!(sizer.depth(), Distance::THREADS.max_depth);
    }

    #[test]
    fn a_batch_holds_about_two_milliseconds() {
        for (micros, items) in [(1, 2000), (10, 200), (100, 20), (1_000, 2), (50_000, 1)] {
            let mut sizer = adaptive(2);
            let size = run(&mut sizer, 100_000, |_| Duration::from_micros(micros));
            assert!(size.abs_diff(items) <= 1, "{micros} us per item: {size} items");
        }
    }

    #[test]
    fn long_items_are_not_queued_ahead() {
        for (millis, depth) in [(1, 4), (4, 3), (8, 2), (9, 1), (3_000, 1)] {
            let mut sizer = adaptive(2);
            run(&mut sizer, 200, |_| Duration::from_millis(millis));
            assert_eq!(sizer.depth(), depth, "{millis} ms per item");
        }
    }

    #[test]
    fn long_batches_of_a_fixed_size_are_not_queued_ahead() {
        let mut sizer = Measured::new(BatchSize::Fixed(100), 2, WINDOW, 8);
        sizer.observe(100, Duration::from_millis(100));
        assert_eq!((sizer.size(), sizer.depth()), (100, 1));
        let mut sizer = Measured::new(BatchSize::Fixed(100), 2, WINDOW, 8);
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
    fn batches_shrink_at_once_when_the_cost_rises_and_grow_soon_when_it_falls() {
        let mut sizer = adaptive(2);
        assert_eq!(run(&mut sizer, 100_000, |_| Duration::from_micros(1)), 2000);
        sizer.observe(1000, Duration::from_secs(1));
        assert!(sizer.size() <= 4, "{}", sizer.size());
        assert!(run(&mut sizer, 20_000, |_| Duration::from_micros(1)) > 500);
    }

    #[test]
    fn batches_of_large_items_hold_fewer() {
        let mut sizer = Measured::new(BatchSize::Adaptive, 1, usize::MAX, 64 * 1024);
        assert_eq!(run(&mut sizer, 1000, |_| Duration::from_nanos(5)), 4);
    }

    proptest! {
        #[test]
        fn any_history_leaves_a_size_within_bounds(
            workers in 1usize..100,
            window in 1usize..1_000_000,
            history in prop::collection::vec((0usize..5000, any::<u64>()), 0..50),
        ) {
            let mut sizer = Measured::new(BatchSize::Adaptive, workers, window, 8);
            for (items, nanos) in history {
                sizer.observe(items, Duration::from_nanos(nanos));
                prop_assert!(sizer.size() >= 1);
                prop_assert!(sizer.size() <= (window / (4 * workers)).max(1));
                prop_assert!((1..=Distance::THREADS.max_depth).contains(&sizer.depth()));
            }
        }
    }
}
