//! Waiting for what comes sooner or later.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// A machine under load may take its time; none takes this long.
const PATIENCE: Duration = Duration::from_secs(30);
const BETWEEN: Duration = Duration::from_millis(10);

/// Looks again and again, until there is something to see.
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
