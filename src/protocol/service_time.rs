//! The service time: how long the work on an item takes, as measured. Batch sizes and expected waits are computed from
//! it.

use std::time::Duration;

/// How many items the slow means look back over.
const HORIZON: u64 = 512;

/// Three means of the same measurements, in nanoseconds per item. An item is measured when it has ended.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ServiceTime {
    /// Items measured so far.
    measured: u64,
    /// Of all items while they are fewer than [`HORIZON`], then of about that many of the last.
    mean: f64,
    /// Of the last few batches: it follows a rise at once.
    recent: f64,
    /// Of about the last [`HORIZON`] items, from the start: the first batch weighs as much as so many items, so that a
    /// long item among the first is remembered for as long as one that comes later.
    steady: f64,
}

impl ServiceTime {
    /// Adds a measurement: `items` kept a worker busy for `busy`.
    pub(crate) fn observe(&mut self, items: usize, busy: Duration) {
        if items == 0 {
            return;
        }
        let nanos = busy.as_nanos() as f64 / items as f64;
        let weight = |before: u64| items as f64 / (items as f64 + before as f64);
        if self.measured == 0 {
            (self.mean, self.recent, self.steady) = (nanos, nanos, nanos);
        } else {
            self.mean += (nanos - self.mean) * weight(self.measured.min(HORIZON));
            self.recent += (nanos - self.recent) / 2.0;
            self.steady += (nanos - self.steady) * weight(HORIZON);
        }
        self.measured = self.measured.saturating_add(items as u64);
    }

    /// Items measured so far.
    pub(crate) fn measured(&self) -> u64 {
        self.measured
    }

    pub(crate) fn mean(&self) -> Option<Duration> {
        (self.measured > 0).then(|| Duration::from_nanos(self.mean.round() as u64))
    }

    /// The time to plan with per item: the larger of the quick mean, which follows a rise at once, and the slow one,
    /// which remembers that long items occur among short ones.
    pub(crate) fn planned_nanos(&self) -> Option<f64> {
        (self.measured > 0).then(|| self.recent.max(self.steady))
    }

    /// How long the next item waits for a worker if `ahead` items wait before it and `running` items keep workers busy.
    pub(crate) fn expected_wait(&self, ahead: usize, running: usize, workers: usize) -> Option<Duration> {
        let mean = self.mean()?;
        if ahead.saturating_add(running) < workers {
            return Some(Duration::ZERO);
        }
        // All workers are busy. On average one of them becomes free every `mean / workers`.
        let releases = ahead as f64 + 1.0;
        let wait = mean.as_secs_f64() * releases / workers as f64;
        Some(Duration::try_from_secs_f64(wait).unwrap_or(Duration::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    #[test]
    fn a_few_items_have_their_plain_mean() {
        let mut service = ServiceTime::default();
        assert_eq!((service.mean(), service.expected_wait(5, 2, 2)), (None, None));
        service.observe(0, MILLI);
        assert_eq!(service.mean(), None);
        service.observe(1, 4 * MILLI);
        service.observe(3, 4 * MILLI);
        assert_eq!(service.mean(), Some(2 * MILLI));
    }

    #[test]
    fn an_item_is_planned_with_the_larger_of_a_quick_mean_and_a_slow_one() {
        let mut service = ServiceTime::default();
        // Items, how long each took, and the time that is planned with then.
        let history = [
            (1, 100, 100.0),
            (512, 300, 200.0),  // both are half-way
            (1536, 600, 500.0), // the slow one went three quarters of the way
            (512, 0, 250.0),    // the slow one lags
            (1, 1000, 600.0),   // the quick one is half-way, the slow one has hardly moved
        ];
        for (items, nanos, expected) in history {
            service.observe(items, Duration::from_nanos(nanos * items as u64));
            assert_eq!(service.planned_nanos(), Some(expected), "{items} items of {nanos} ns");
        }
    }

    #[test]
    fn the_mean_forgets_old_measurements() {
        let mut service = ServiceTime::default();
        service.observe(10_000, 1_000_000 * MILLI);
        for _ in 0..10 * HORIZON {
            service.observe(1, MILLI);
        }
        assert!(service.mean().unwrap() < 2 * MILLI, "{:?}", service.mean());
    }

    #[test]
    fn the_wait_grows_with_the_queue_and_shrinks_with_the_workers() {
        let mut service = ServiceTime::default();
        service.observe(1, 10 * MILLI);
        assert_eq!(service.expected_wait(0, 1, 2), Some(Duration::ZERO), "a worker is free");
        assert_eq!(service.expected_wait(1, 1, 2), Some(10 * MILLI), "the free worker takes the item ahead");
        assert_eq!(service.expected_wait(0, 2, 2), Some(5 * MILLI));
        assert_eq!(service.expected_wait(7, 2, 2), Some(40 * MILLI));
        assert!(service.expected_wait(usize::MAX - 2, 2, 2).is_some());
    }
}
