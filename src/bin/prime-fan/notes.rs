//! What a patient user is told while nothing is found.

use std::time::{Duration, Instant};

/// The first note comes after so long without a prime, each further one after twice as long as the last.
const FIRST: Duration = Duration::from_secs(2);

/// When the next note is due.
#[derive(Debug)]
pub(crate) struct Notes {
    quiet_since: Instant,
    interval: Duration,
    drain_told: bool,
}

impl Notes {
    /// How often to look whether a note is due.
    pub(crate) const TICK: Duration = Duration::from_millis(250);

    pub(crate) fn new(now: Instant) -> Self {
        Self { quiet_since: now, interval: FIRST, drain_told: false }
    }

    /// A prime was found, which speaks for itself.
    pub(crate) fn found(&mut self, now: Instant) {
        self.quiet_since = now;
    }

    /// Whether the search has taken so long that a note is due.
    pub(crate) fn search_is_due(&mut self, now: Instant) -> bool {
        let due = now - self.quiet_since >= self.interval;
        if due {
            self.quiet_since = now;
            self.interval = self.interval.saturating_mul(2);
        }
        due
    }

    /// Whether to tell that the end is being waited for: once.
    pub(crate) fn drain_is_due(&mut self) -> bool {
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
            (0..60).filter(|&second| notes.search_is_due(start + Duration::from_secs(second))).collect();
        assert_eq!(due, [2, 6, 14, 30]);
    }

    #[test]
    fn a_prime_now_and_then_needs_no_note() {
        let start = Instant::now();
        let mut notes = Notes::new(start);
        for second in 0..60 {
            let now = start + Duration::from_secs(second);
            assert!(!notes.search_is_due(now));
            notes.found(now);
        }
    }

    #[test]
    fn a_drain_is_told_once() {
        let mut notes = Notes::new(Instant::now());
        assert!(notes.drain_is_due());
        assert!(!notes.drain_is_due());
    }
}
