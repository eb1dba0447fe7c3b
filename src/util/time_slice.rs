//! Time slices of loops on a shared thread: how many steps a loop may take before it must yield.

use std::time::{Duration, Instant};

use crate::util::clock::{self, CLOCK, Clock};

/// How long a callback of this crate keeps an arbiter before it yields.
pub(crate) const TIME_SLICE: Duration = Duration::from_micros(100);

/// The most steps between two reads of the exact time. It bounds the overrun of a slice of 100 us while steps are
/// short; the coarse clock, with its millisecond, can't.
const MAX_STRIDE: u32 = 256;

/// The coarse clock is started at this read of a slice. Until then the exact time is read after every step: that costs
/// microseconds, and to spawn a thread costs some tens of them.
const READS_BEFORE_CLOCK: u32 = 64;

/// A time slice. It reads the exact time after the first step, and then every `stride` steps, which doubles while steps
/// are short. It starts again with every slice, because the steps of the last one may have cost something else.
///
/// Short steps don't predict the next one, which may be long. So between two reads the coarse clock is read after each
/// step. Where that isn't served, because its thread wasn't started or gets no processor time, the exact time is read
/// after every step.
#[derive(Debug)]
pub(crate) struct TimeSlice {
    length: Duration,
    clock: &'static Clock,
    /// When the current slice began. `None` between slices.
    began: Option<Instant>,
    last_read: Option<Instant>,
    /// Reads of the exact time in this slice.
    reads: u32,
    stride: u32,
    /// Steps left until the next read.
    left: u32,
    /// When the slice ends, on the coarse clock.
    due: u64,
}

/// Steps that may be taken without another read of the exact time, until the grant expires.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grant {
    pub(crate) steps: usize,
    due: u64,
    #[cfg(test)]
    clock: &'static Clock,
}

impl Grant {
    /// So many steps, which never expire.
    pub(crate) fn of(steps: usize) -> Self {
        Self {
            steps,
            due: u64::MAX,
            #[cfg(test)]
            clock: &CLOCK,
        }
    }

    /// Returns true if the time of the slice has passed. To be called after each step.
    #[inline]
    pub(crate) fn has_expired(&self) -> bool {
        // The address of a static takes no register, of which the loops have none to spare. Tests have their own
        // clocks.
        #[cfg(test)]
        let clock = self.clock;
        #[cfg(not(test))]
        let clock = &CLOCK;
        clock.has_reached(self.due)
    }
}

impl TimeSlice {
    /// A slice of `Duration::MAX` is never spent.
    pub(crate) fn new(length: Duration) -> Self {
        Self::on(&CLOCK, length)
    }

    pub(crate) fn on(clock: &'static Clock, length: Duration) -> Self {
        // A longer slice could outlast the thread of the clock.
        debug_assert!(length < clock::IDLE_TIMEOUT || length == Duration::MAX);
        Self { length, clock, began: None, last_read: None, reads: 0, stride: 1, left: 0, due: u64::MAX }
    }

    /// Returns true if it is never spent.
    pub(crate) fn is_endless(&self) -> bool {
        self.length == Duration::MAX
    }

    /// Counts one more step. Returns true if the slice is spent: the caller must yield before the step, and the next
    /// call starts a new slice.
    #[inline]
    pub(crate) fn is_spent(&mut self) -> bool {
        if self.left > 0 && !self.clock.has_reached(self.due) {
            self.left -= 1;
            return false;
        }
        self.read_time()
    }

    /// Grants up to `most` more steps at once.
    #[inline]
    pub(crate) fn grant(&mut self, most: usize) -> Grant {
        let steps = most.min(self.left as usize);
        self.left -= steps as u32;
        Grant {
            steps,
            due: self.due,
            #[cfg(test)]
            clock: self.clock,
        }
    }

    /// Ends the slice early, because the caller is about to wait. The next call starts a new one.
    pub(crate) fn end(&mut self) {
        *self = Self::on(self.clock, self.length);
    }

    // Out of line: `is_spent` is inlined into hot loops, which rarely call this.
    #[inline(never)]
    fn read_time(&mut self) -> bool {
        if self.is_endless() {
            self.left = self.stride - 1;
            self.stride = (self.stride * 2).min(MAX_STRIDE);
            return false;
        }
        self.advance_to(Instant::now())
    }

    fn advance_to(&mut self, now: Instant) -> bool {
        let began = *self.began.get_or_insert_with(|| {
            self.due = clock::nanos(now).saturating_add(self.length.as_nanos() as u64);
            now
        });
        self.reads += 1;
        if let Some(last_read) = self.last_read.replace(now) {
            let took = now - last_read;
            if took < self.length / 16 {
                self.stride = (self.stride * 2).min(MAX_STRIDE);
            } else if took > self.length / 4 {
                self.stride = (self.stride / 4).max(1);
            }
        }
        if now - began >= self.length {
            self.end();
            return true;
        }
        if self.stride > 1 && !self.clock.serves(now) {
            self.stride = 1;
            if self.reads == READS_BEFORE_CLOCK {
                self.clock.start(now);
            }
        }
        self.left = self.stride - 1;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes steps that last `step` each, and moves the clocks with them; returns after how many the slice was spent.
    fn steps_in_a_slice(slice: &mut TimeSlice, now: &mut Instant, step: Duration) -> u32 {
        for steps in 0.. {
            let spent = if slice.left > 0 && !slice.clock.has_reached(slice.due) {
                slice.left -= 1;
                false
            } else {
                slice.advance_to(*now)
            };
            if spent {
                return steps;
            }
            *now += step;
            slice.clock.go_on_to(*now);
        }
        unreachable!()
    }

    fn slice() -> (TimeSlice, Instant) {
        let now = Instant::now();
        (TimeSlice::on(Clock::at(now), TIME_SLICE), now)
    }

    #[test]
    fn a_slice_of_short_steps_ends_in_time() {
        let (mut slice, mut now) = slice();
        for _ in 0..20 {
            let steps = steps_in_a_slice(&mut slice, &mut now, Duration::from_nanos(10));
            assert!((10_000..=10_500).contains(&steps), "{steps} steps of 10 ns");
        }
    }

    #[test]
    fn long_steps_after_a_slice_of_short_ones_are_timed_one_by_one() {
        let (mut slice, mut now) = slice();
        steps_in_a_slice(&mut slice, &mut now, Duration::from_nanos(10));
        assert_eq!(steps_in_a_slice(&mut slice, &mut now, Duration::from_micros(50)), 2);
        assert_eq!(steps_in_a_slice(&mut slice, &mut now, Duration::from_millis(1)), 1);
    }

    #[test]
    fn a_long_step_ends_the_slice_after_any_number_of_short_ones() {
        for short in 1..1000 {
            let (mut slice, mut now) = slice();
            for _ in 0..short {
                match slice.left {
                    0 => assert!(!slice.advance_to(now)),
                    _ => slice.left -= 1,
                }
                now += Duration::from_nanos(10);
            }
            let grant = slice.grant(usize::MAX);
            assert!(!grant.has_expired());
            now += Duration::from_millis(2);
            slice.clock.go_on_to(now);
            assert!(grant.has_expired(), "after {short} short steps");
            assert!(slice.advance_to(now), "after {short} short steps");
        }
    }

    #[test]
    fn the_time_is_read_after_every_step_while_the_coarse_clock_stands_still() {
        let (mut slice, mut now) = slice();
        for stands_still in [false, true] {
            let mut most = 0;
            for _ in 0..5000 {
                if slice.left == 0 {
                    slice.advance_to(now);
                    most = most.max(slice.left);
                } else {
                    slice.left -= 1;
                }
                now += Duration::from_nanos(10);
            }
            assert_eq!(most > 0, !stands_still);
            slice.end();
            now += Duration::from_secs(1);
        }
    }

    #[test]
    fn an_endless_slice_is_never_spent_and_begins_with_one_step() {
        let mut slice = TimeSlice::new(Duration::MAX);
        for most in [0, 1, 3, 7, 15, 31, 63, 127, 255, 255] {
            assert!(!slice.is_spent());
            assert_eq!(slice.left, most);
            assert!(!slice.grant(1000).has_expired());
        }
    }
}
