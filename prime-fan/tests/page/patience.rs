//! Waits for conditions.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// The time after which a test fails, long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
const BETWEEN: Duration = Duration::from_millis(10);

/// Calls `look` until it returns a value, and returns that.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < deadline, "still waiting, until {what}");
        sleep(BETWEEN);
    }
}
