//! A coarse clock: the time as a thread of its own publishes it about once per millisecond. To look at it costs one
//! atomic load, so that a loop can do so after every step, where `Instant::now` would cost several times what a short
//! step does.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

/// How often the time is published.
const TICK: Duration = Duration::from_millis(1);

/// How long the thread goes on after a loop last relied on it. An idle process has no such thread.
pub(crate) const PATIENCE: Duration = Duration::from_millis(50);

/// A time that was published so long ago is not relied on: the thread gets no processor time, or the process was forked
/// and the thread is not part of it.
const STALE: Duration = Duration::from_millis(50);

/// The thread calls nothing but the standard library.
const STACK: usize = 64 * 1024;

/// The clock of this process.
pub(crate) static CLOCK: Clock = Clock::new();

/// In a cache line of its own: what is written next to it must not slow down those who read it.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Clock {
    /// As [`nanos`] has it. `Relaxed` suffices: nothing else is published through it.
    now: AtomicU64,
    /// Set by the thread that starts the clock's; cleared by that one when it is about to end.
    ticking: AtomicBool,
    /// Set by those who rely on the clock, taken back with each tick.
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

    /// Returns true if the published time has come to `nanos`. It is never ahead of the time itself.
    #[inline]
    pub(crate) fn has_reached(&self, nanos: u64) -> bool {
        self.now.load(Relaxed) >= nanos
    }

    /// Returns true if the time will be published for at least [`PATIENCE`] from `now` on.
    pub(crate) fn serves(&self, now: Instant) -> bool {
        // Before the look at `ticking`, and `tick` does the same the other way around: so either it is seen here that
        // the thread is about to end, or the thread sees that it is wanted.
        if !self.wanted.load(SeqCst) {
            self.wanted.store(true, SeqCst);
        }
        self.ticking.load(SeqCst) && !self.has_fallen_behind(now)
    }

    /// Has the time published by a thread, if there is none yet. Where the operating system refuses the thread, nothing
    /// changes.
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
        let mut wanted = Instant::now();
        loop {
            thread::sleep(TICK);
            let now = Instant::now();
            self.publish(now);
            if self.wanted.swap(false, SeqCst) {
                wanted = now;
            } else if now - wanted > PATIENCE {
                self.ticking.store(false, SeqCst);
                // Somebody may have seen this thread at work just before. Then it goes on, unless another was started.
                if !self.wanted.load(SeqCst) || self.ticking.swap(true, SeqCst) {
                    return;
                }
                wanted = now;
            }
        }
    }

    fn publish(&self, now: Instant) {
        // The clock never goes back, whoever publishes.
        self.now.fetch_max(nanos(now), Relaxed);
    }

    fn has_fallen_behind(&self, now: Instant) -> bool {
        nanos(now).saturating_sub(self.now.load(Relaxed)) > STALE.as_nanos() as u64
    }
}

#[cfg(test)]
impl Clock {
    /// A clock that stands still until the test has it go on.
    pub(crate) fn at(now: Instant) -> &'static Self {
        let clock = Box::leak(Box::new(Self::new()));
        clock.ticking.store(true, SeqCst);
        clock.publish(now);
        clock
    }

    #[cfg(not(shuttle))]
    pub(crate) fn is_ticking(&self) -> bool {
        self.ticking.load(SeqCst)
    }

    pub(crate) fn go_on_to(&self, now: Instant) {
        self.publish(now);
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_wanted_goes_on_and_one_that_is_not_ends() {
        let clock: &'static Clock = Box::leak(Box::new(Clock::new()));
        let began = Instant::now();
        assert!(!clock.serves(began), "it was not started");
        let mut starts = 0;
        for millis in 0..100 {
            while !clock.has_reached(nanos(began + Duration::from_millis(millis))) {
                // It may end where this thread gets no processor time for longer than its patience.
                if !clock.serves(Instant::now()) && !clock.ticking.load(SeqCst) {
                    clock.start(Instant::now());
                    starts += 1;
                }
                thread::yield_now();
            }
        }
        assert!((1..10).contains(&starts), "it was wanted all the time, and started {starts} times");
        while clock.ticking.load(SeqCst) {
            thread::yield_now();
        }
    }

    #[test]
    fn a_clock_that_has_fallen_behind_is_not_relied_on() {
        let began = Instant::now();
        let clock = Clock::at(began);
        assert!(clock.serves(began + STALE));
        assert!(!clock.serves(began + STALE * 2));
        clock.go_on_to(began + STALE * 2);
        assert!(clock.serves(began + STALE * 2));
    }
}
