//! The rate of a search, and an estimate of the time left.

use std::time::{Duration, Instant};

/// The time constant of the moving average of the rate.
const SMOOTHING: Duration = Duration::from_secs(2);

/// No estimate of the time left is made before this.
const FIRST: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Pace {
    begun: Instant,
    /// When the rate was last measured, and how many numbers had been tested then.
    last: Instant,
    tested: u64,
    /// Numbers per second.
    rate: Option<f64>,
    /// When the process was last seen to run.
    seen: Instant,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self { begun: now, last: now, tested: 0, rate: None, seen: now }
    }

    /// Notes that the process runs. If it was stopped, by Ctrl-Z for example, returns for how long, which is not
    /// counted.
    pub(super) fn run(&mut self, now: Instant, was_stopped: bool) -> Duration {
        // This includes the running time since the last call, up to two ticks, which is lost as well.
        let stopped = if was_stopped { now - self.seen } else { Duration::ZERO };
        self.begun += stopped;
        self.last += stopped;
        self.seen = now;
        stopped
    }

    /// The time since the last measurement.
    pub(super) fn since(&self, now: Instant) -> Duration {
        now - self.last
    }

    /// Measures and returns the rate in numbers per second.
    pub(super) fn measure(&mut self, now: Instant, tested: u64) -> f64 {
        let since = self.since(now).as_secs_f64().max(1e-9);
        let recent = tested.saturating_sub(self.tested) as f64 / since;
        let weight = 1.0 - (-since / SMOOTHING.as_secs_f64()).exp();
        let rate = self.rate.map_or(recent, |rate| rate + (recent - rate) * weight);
        (self.last, self.tested, self.rate) = (now, tested, Some(rate));
        rate
    }

    /// Estimates the time left when `part`, from 0 to 1, is done, from the mean rate so far.
    pub(super) fn left(&self, now: Instant, part: f64) -> Option<Duration> {
        let elapsed = now - self.begun;
        let left = elapsed.as_secs_f64() * (1.0 / part - 1.0);
        (elapsed >= FIRST).then(|| Duration::try_from_secs_f64(left).ok()).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_for_which_the_process_was_stopped_does_not_count() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut pace = Pace::new(start);
        assert_eq!(pace.run(after(10), false), Duration::ZERO);
        assert_eq!(pace.measure(after(10), 1000), 100.0);
        assert_eq!(pace.left(after(10), 0.5), Some(Duration::from_secs(10)));
        // Stopped for an hour.
        assert_eq!(pace.run(after(3610), true), Duration::from_secs(3600));
        assert_eq!(pace.left(after(3610), 0.5), Some(Duration::from_secs(10)));
        assert_eq!(pace.run(after(3611), false), Duration::ZERO);
        assert_eq!(pace.measure(after(3611), 1100), 100.0);
        assert_eq!(pace.left(after(3611), 0.55), Some(Duration::from_secs(9)));
    }

    #[test]
    fn there_is_no_pace_at_first_and_none_without_progress() {
        let start = Instant::now();
        let pace = Pace::new(start);
        assert_eq!(pace.left(start + Duration::from_millis(900), 0.5), None);
        assert_eq!(pace.left(start + Duration::from_secs(2), 0.0), None);
    }
}
