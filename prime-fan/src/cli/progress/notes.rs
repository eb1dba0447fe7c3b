//! When to print a note to a user who waits without results.

use std::time::{Duration, Instant};

/// The first note comes after this time without a result; each further interval is twice as long as the last.
const FIRST: Duration = Duration::from_secs(2);

/// When the next note is due.
#[derive(Debug)]
pub(super) struct Notes {
    quiet_since: Instant,
    interval: Duration,
    found: u64,
    drain_told: bool,
}

impl Notes {
    pub(super) fn new(now: Instant) -> Self {
        Self { quiet_since: now, interval: FIRST, found: 0, drain_told: false }
    }

    /// Returns true if a note is due. `found` is the number of results so far; each result restarts the interval.
    pub(super) fn search_is_due(&mut self, now: Instant, found: u64) -> bool {
        if found > self.found {
            (self.found, self.quiet_since) = (found, now);
        }
        let due = now - self.quiet_since >= self.interval;
        if due {
            self.quiet_since = now;
            self.interval = self.interval.saturating_mul(2);
        }
        due
    }

    /// Excludes `time`, for which the process was stopped.
    pub(super) fn pause(&mut self, time: Duration) {
        self.quiet_since += time;
    }

    /// Returns true the first time it is called: the note that the pipeline drains is printed once.
    pub(super) fn drain_is_due(&mut self) -> bool {
        !std::mem::replace(&mut self.drain_told, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_come_at_growing_intervals_without_a_prime() {
        let start = Instant::now();
        let mut notes = Notes::new(start);
        let due: Vec<u64> =
            (0..60).filter(|&second| notes.search_is_due(start + Duration::from_secs(second), 0)).collect();
        assert_eq!(due, [2, 6, 14, 30]);
    }

    #[test]
    fn a_prime_now_and_then_needs_no_note() {
        let start = Instant::now();
        let mut notes = Notes::new(start);
        for second in 0..60 {
            assert!(!notes.search_is_due(start + Duration::from_secs(second), second));
        }
    }

    #[test]
    fn the_time_for_which_the_process_was_stopped_does_not_count() {
        let start = Instant::now();
        let mut notes = Notes::new(start);
        notes.pause(Duration::from_secs(3600));
        assert!(!notes.search_is_due(start + Duration::from_secs(3601), 0));
        assert!(notes.search_is_due(start + Duration::from_secs(3602), 0));
    }

    #[test]
    fn a_drain_is_told_once() {
        let mut notes = Notes::new(Instant::now());
        assert!(notes.drain_is_due());
        assert!(!notes.drain_is_due());
    }
}
