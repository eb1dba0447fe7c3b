//! A coarse clock: a thread publishes the time about once per millisecond. To read it costs one atomic load, so a loop
//! can read it after every step. `Instant::now` costs several times as much as a short step.
//!
//! The thread also looks after running batches at each tick: it makes them share and deliver.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

/// How often the time is published.
const TICK: Duration = Duration::from_millis(1);

/// How long the thread runs after the last request for the time. An idle process has no such thread.
pub(crate) const IDLE_TIMEOUT: Duration = Duration::from_millis(50);

/// A published time older than this is not used: the thread gets no processor time, or it stayed behind in the parent
/// of a forked process.
const STALE: Duration = Duration::from_millis(50);

/// The thread calls no code of users.
const STACK: usize = 256 * 1024;

/// The clock of this process.
pub(crate) static CLOCK: Clock = Clock::new();

/// What is looked after once per tick.
pub(crate) trait Tick: Send + Sync {
    /// Called on the clock's thread, with the published time. It takes microseconds and calls no code of users. Returns
    /// true if it is to be called at the next tick as well, whether the time is requested or not.
    fn tick(&self, now: u64) -> bool;
}

static TICKS: Mutex<Vec<Weak<dyn Tick>>> = Mutex::new(Vec::new());

/// Has `tick` called by the clock of this process while that runs.
pub(crate) fn on_tick(tick: Weak<dyn Tick>) {
    let mut ticks = TICKS.lock().unwrap_or_else(PoisonError::into_inner);
    ticks.retain(|tick| tick.strong_count() > 0);
    ticks.push(tick);
}

/// Returns true if one of them is to be called again.
fn tick_all(now: u64) -> bool {
    let ticks: Vec<Arc<dyn Tick>> = {
        let ticks = TICKS.lock().unwrap_or_else(PoisonError::into_inner);
        ticks.iter().filter_map(Weak::upgrade).collect()
    };
    // Each of them is called, whatever the others return.
    ticks.iter().filter(|tick| tick.tick(now)).count() > 0
}

/// Aligned to its own cache lines, so that writes to other statics don't slow its readers down.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Clock {
    /// The published time, in [`nanos`]. `Relaxed` suffices: no other memory is published through it.
    now: AtomicU64,
    /// True while the thread runs. Set by the thread that spawns it, cleared by itself before it ends.
    ticking: AtomicBool,
    /// True if the time was requested since the last tick.
    wanted: AtomicBool,
}

/// Nanoseconds since the first call in this process.
pub(crate) fn nanos(instant: Instant) -> u64 {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    let since = instant.saturating_duration_since(*EPOCH.get_or_init(Instant::now));
    since.as_nanos().try_into().unwrap_or(u64::MAX)
}

impl Clock {
    pub(crate) const fn new() -> Self {
        Self { now: AtomicU64::new(0), ticking: AtomicBool::new(false), wanted: AtomicBool::new(false) }
    }

    /// Returns true if the published time is `nanos` or later. It is never ahead of the real time.
    #[inline]
    pub(crate) fn has_reached(&self, nanos: u64) -> bool {
        self.now.load(Relaxed) >= nanos
    }

    /// The published time, in [`nanos`].
    #[inline]
    pub(crate) fn coarse(&self) -> u64 {
        self.now.load(Relaxed)
    }

    /// Requests the time. Returns true if it will be published for at least [`IDLE_TIMEOUT`] from `now` on.
    pub(crate) fn serves(&self, now: Instant) -> bool {
        // Stored before `ticking` is loaded; `tick` clears `ticking` before it loads `wanted`. So either this sees that
        // the thread is about to end, or the thread sees the request and goes on.
        if !self.wanted.load(SeqCst) {
            self.wanted.store(true, SeqCst);
        }
        self.ticking.load(SeqCst) && !self.has_fallen_behind(now)
    }

    /// Spawns the thread that publishes the time, unless it runs. If the operating system refuses it, the clock serves
    /// no request.
    #[cold]
    pub(crate) fn start(&'static self, now: Instant) {
        self.wanted.store(true, SeqCst);
        if self.ticking.swap(true, SeqCst) {
            return;
        }
        self.publish(now);
        let builder = thread::Builder::new().name("fan-clock".to_owned()).stack_size(STACK);
        if builder.spawn(|| self.tick()).is_err() {
            self.ticking.store(false, SeqCst);
        }
    }

    fn tick(&self) {
        let mut last_wanted = Instant::now();
        loop {
            thread::sleep(TICK);
            let now = Instant::now();
            self.publish(now);
            let again = tick_all(nanos(now));
            if self.wanted.swap(false, SeqCst) || again {
                last_wanted = now;
            } else if now - last_wanted > IDLE_TIMEOUT {
                self.ticking.store(false, SeqCst);
                // A request may have seen this thread running just before. Then it goes on, unless `start` has spawned
                // another one in between.
                if !self.wanted.load(SeqCst) || self.ticking.swap(true, SeqCst) {
                    return;
                }
                last_wanted = now;
            }
        }
    }

    fn publish(&self, now: Instant) {
        // The maximum, because `start` and the thread may publish in any order.
        self.now.fetch_max(nanos(now), Relaxed);
    }

    fn has_fallen_behind(&self, now: Instant) -> bool {
        nanos(now).saturating_sub(self.now.load(Relaxed)) > STALE.as_nanos() as u64
    }
}

#[cfg(test)]
impl Clock {
    /// A clock that stands still until the test moves it.
    pub(crate) fn at(now: Instant) -> &'static Self {
        let clock = Box::leak(Box::new(Self::new()));
        clock.ticking.store(true, SeqCst);
        clock.publish(now);
        clock
    }

    pub(crate) fn go_on_to(&self, now: Instant) {
        self.publish(now);
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn the_thread_runs_while_the_time_is_requested_and_ends_afterwards() {
        let clock: &'static Clock = Box::leak(Box::new(Clock::new()));
        let began = Instant::now();
        assert!(!clock.serves(began), "the thread was not started");
        let mut starts = 0;
        for millis in 0..100 {
            while !clock.has_reached(nanos(began + Duration::from_millis(millis))) {
                // It ends if this thread gets no processor time for longer than the timeout.
                if !clock.serves(Instant::now()) && !clock.ticking.load(SeqCst) {
                    clock.start(Instant::now());
                    starts += 1;
                }
                thread::yield_now();
            }
        }
        assert!((1..10).contains(&starts), "the time was requested throughout, and the thread started {starts} times");
        while clock.ticking.load(SeqCst) {
            thread::yield_now();
        }
    }

    #[test]
    fn a_clock_that_has_fallen_behind_serves_no_request() {
        let began = Instant::now();
        let clock = Clock::at(began);
        assert!(clock.serves(began + STALE));
        assert!(!clock.serves(began + STALE * 2));
        clock.go_on_to(began + STALE * 2);
        assert!(clock.serves(began + STALE * 2));
    }
}
