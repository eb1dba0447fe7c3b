//! How long items take, as measured: what batches are sized by, and what a wait is expected to be.

use std::time::Duration;

/// The items over which the long means look back, once so many were measured.
const HORIZON: u64 = 512;

/// What an item keeps a worker busy for, in three means of the same measurements.
///
/// None of them knows of items that still run, and a long one is not measured before it ends.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ServiceTime {
    /// Items measured so far.
    measured: u64,
    /// Nanoseconds: of all items at first, then of about the last [`HORIZON`].
    mean: f64,
    /// Over the last few batches: it follows a rise at once.
    recent: f64,
    /// As the mean, but the first batch weighs as much as [`HORIZON`] items: a long item among the first is remembered as
    /// long as one that comes later.
    steady: f64,
}

impl ServiceTime {
    /// `items` kept a worker busy for `busy`.
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

    /// The nanoseconds to plan for an item with: the larger of a quick mean, which follows a rise at once, and a slow one,
    /// which remembers that long items occur among short ones.
    pub(crate) fn planned_nanos(&self) -> Option<f64> {
        (self.measured > 0).then(|| self.recent.max(self.steady))
    }

    /// How long the next item waits for a worker when `ahead` items wait before it and `running` keep workers busy. Where
    /// all are busy, one of them becomes free after a mean time divided by their number, whatever they are at.
    pub(crate) fn wait(&self, ahead: usize, running: usize, workers: usize) -> Option<Duration> {
        let mean = self.mean()?;
        if ahead.saturating_add(running) < workers {
            return Some(Duration::ZERO);
        }
        let turns = (ahead as f64 + 1.0) / workers as f64;
        Some(Duration::try_from_secs_f64(mean.as_secs_f64() * turns).unwrap_or(Duration::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    #[test]
    fn a_few_items_have_their_plain_mean() {
        let mut service = ServiceTime::default();
        assert_eq!((service.mean(), service.wait(5, 2, 2)), (None, None));
        service.observe(0, MILLI);
        assert_eq!(service.mean(), None);
        service.observe(1, 4 * MILLI);
        service.observe(3, 4 * MILLI);
        assert_eq!(service.mean(), Some(2 * MILLI));
    }

    #[test]
    fn an_item_is_planned_with_the_larger_of_a_quick_mean_and_a_slow_one() {
        let mut service = ServiceTime::default();
        // Items and what each took; what one is expected to take then.
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
    fn what_was_long_ago_is_forgotten() {
        let mut service = ServiceTime::default();
        service.observe(10_000, 1_000_000 * MILLI);
        for _ in 0..10 * HORIZON {
            service.observe(1, MILLI);
        }
        assert!(service.mean().unwrap() < 2 * MILLI, "{:?}", service.mean());
    }

    #[test]
    fn the_wait_is_as_long_as_the_line_over_the_workers() {
        let mut service = ServiceTime::default();
        service.observe(1, 10 * MILLI);
        assert_eq!(service.wait(0, 1, 2), Some(Duration::ZERO), "a worker is free");
        assert_eq!(service.wait(1, 1, 2), Some(10 * MILLI), "the free one has its item already");
        assert_eq!(service.wait(0, 2, 2), Some(5 * MILLI));
        assert_eq!(service.wait(7, 2, 2), Some(40 * MILLI));
        assert!(service.wait(usize::MAX - 2, 2, 2).is_some());
    }
}
