//! How long items take, and what that makes of a wait.

use std::time::Duration;

/// The items over which the mean looks back, once so many were measured.
const HORIZON: u64 = 512;

/// The mean time of an item: of all at first, then of about the last [`HORIZON`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Service {
    measured: u64,
    nanos: f64,
}

impl Service {
    /// `items` kept a worker busy for `busy`.
    pub(crate) fn observe(&mut self, items: usize, busy: Duration) {
        if items == 0 {
            return;
        }
        let items = items as u64;
        self.measured = self.measured.saturating_add(items);
        let mean = busy.as_nanos() as f64 / items as f64;
        let weight = items as f64 / self.measured.min(HORIZON.max(items)) as f64;
        self.nanos += (mean - self.nanos) * weight;
    }

    pub(crate) fn mean(&self) -> Option<Duration> {
        (self.measured > 0).then(|| Duration::from_nanos(self.nanos.round() as u64))
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
        let mut service = Service::default();
        assert_eq!((service.mean(), service.wait(5, 2, 2)), (None, None));
        service.observe(0, MILLI);
        assert_eq!(service.mean(), None);
        service.observe(1, 4 * MILLI);
        service.observe(3, 4 * MILLI);
        assert_eq!(service.mean(), Some(2 * MILLI));
    }

    #[test]
    fn what_was_long_ago_is_forgotten() {
        let mut service = Service::default();
        service.observe(10_000, 1_000_000 * MILLI);
        for _ in 0..10 * HORIZON {
            service.observe(1, MILLI);
        }
        assert!(service.mean().unwrap() < 2 * MILLI, "{:?}", service.mean());
    }

    #[test]
    fn the_wait_is_as_long_as_the_line_over_the_workers() {
        let mut service = Service::default();
        service.observe(1, 10 * MILLI);
        assert_eq!(service.wait(0, 1, 2), Some(Duration::ZERO), "a worker is free");
        assert_eq!(service.wait(1, 1, 2), Some(10 * MILLI), "the free one has its item already");
        assert_eq!(service.wait(0, 2, 2), Some(5 * MILLI));
        assert_eq!(service.wait(7, 2, 2), Some(40 * MILLI));
        assert!(service.wait(usize::MAX - 2, 2, 2).is_some());
    }
}
