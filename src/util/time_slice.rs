//! Turns on a shared thread: when has a callback run for long enough?

use std::time::{Duration, Instant};

use crate::util::clock::{self, CLOCK, Clock};

/// How long a callback of ours keeps an arbiter before it yields.
pub(crate) const SLICE: Duration = Duration::from_micros(100);

/// The most steps between two looks at the time. It keeps a slice of 100 us to that while steps are short, where the
/// coarse clock tells of milliseconds.
const MAX_STRIDE: u32 = 256;

/// Looks in one turn after which the coarse clock is started. Before, a turn without it looks after every step: that
/// costs microseconds, a thread some ten of them.
const LOOKS_ALONE: u32 = 64;

/// Counts steps and looks at the time now and then: after the first step of a turn, and then at distances that double
/// as long as the steps between two looks are short. Nothing is learned from an earlier turn, whose steps may have cost
/// something else.
///
/// Steps that were short say nothing about the next one. So between two looks the coarse clock is asked after each
/// step, and where it isn't served (it wasn't started yet, or its thread gets no processor time) every step is looked
/// at.
#[derive(Debug)]
pub(crate) struct Slice {
    length: Duration,
    clock: &'static Clock,
    /// When the current turn began, and the last look.
    began: Option<Instant>,
    looked: Option<Instant>,
    looks: u32,
    stride: u32,
    left: u32,
    /// When the turn ends, as the coarse clock has it.
    due: u64,
}

/// Steps that may be taken in a row without another look, for as long as it isn't over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stretch {
    pub(crate) steps: usize,
    due: u64,
    #[cfg(test)]
    clock: &'static Clock,
}

impl Stretch {
    /// So many steps, whatever they take.
    pub(crate) fn of(steps: usize) -> Self {
        Self {
            steps,
            due: u64::MAX,
            #[cfg(test)]
            clock: &CLOCK,
        }
    }

    /// Returns true if the turn's time has passed: to be asked after each step.
    #[inline]
    pub(crate) fn is_over(&self) -> bool {
        // A static's address needs no register in loops that have none to spare. Tests have clocks of their own.
        #[cfg(test)]
        let clock = self.clock;
        #[cfg(not(test))]
        let clock = &CLOCK;
        clock.has_reached(self.due)
    }
}

impl Slice {
    /// `Duration::MAX` is never spent.
    pub(crate) fn new(length: Duration) -> Self {
        Self::on(&CLOCK, length)
    }

    pub(crate) fn on(clock: &'static Clock, length: Duration) -> Self {
        // Or the clock may end before the turn does.
        debug_assert!(length < clock::PATIENCE || length == Duration::MAX);
        Self { length, clock, began: None, looked: None, looks: 0, stride: 1, left: 0, due: u64::MAX }
    }

    /// Returns true if it is never spent: there is no hurry.
    pub(crate) fn is_endless(&self) -> bool {
        self.length == Duration::MAX
    }

    /// One more step is about to be taken. Returns true if the turn is over: yield first. The next call begins another.
    #[inline]
    pub(crate) fn is_spent(&mut self) -> bool {
        if self.left > 0 && !self.clock.has_reached(self.due) {
            self.left -= 1;
            return false;
        }
        self.look()
    }

    /// Takes up to `most` more steps at once.
    #[inline]
    pub(crate) fn grant(&mut self, most: usize) -> Stretch {
        let steps = most.min(self.left as usize);
        self.left -= steps as u32;
        Stretch {
            steps,
            due: self.due,
            #[cfg(test)]
            clock: self.clock,
        }
    }

    /// The callback is about to wait, so the next call begins a turn.
    pub(crate) fn end(&mut self) {
        *self = Self::on(self.clock, self.length);
    }

    #[inline(never)]
    fn look(&mut self) -> bool {
        if self.is_endless() {
            self.left = self.stride - 1;
            self.stride = (self.stride * 2).min(MAX_STRIDE);
            return false;
        }
        self.look_at(Instant::now())
    }

    fn look_at(&mut self, now: Instant) -> bool {
        let began = *self.began.get_or_insert_with(|| {
            self.due = clock::nanos(now).saturating_add(self.length.as_nanos() as u64);
            now
        });
        self.looks += 1;
        if let Some(looked) = self.looked.replace(now) {
            let took = now - looked;
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
            if self.looks == LOOKS_ALONE {
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

    /// Takes steps of `step` each and returns after how many the slice was spent, on clocks that go with the steps.
    fn steps_in_a_turn(slice: &mut Slice, now: &mut Instant, step: Duration) -> u32 {
        for steps in 0.. {
            let spent = if slice.left > 0 && !slice.clock.has_reached(slice.due) {
                slice.left -= 1;
                false
            } else {
                slice.look_at(*now)
            };
            if spent {
                return steps;
            }
            *now += step;
            slice.clock.go_on_to(*now);
        }
        unreachable!()
    }

    fn slice() -> (Slice, Instant) {
        let now = Instant::now();
        (Slice::on(Clock::at(now), SLICE), now)
    }

    #[test]
    fn a_turn_of_short_steps_ends_in_time() {
        let (mut slice, mut now) = slice();
        for _ in 0..20 {
            let steps = steps_in_a_turn(&mut slice, &mut now, Duration::from_nanos(10));
            assert!((10_000..=10_500).contains(&steps), "{steps} steps of 10 ns");
        }
    }

    #[test]
    fn steps_that_become_long_from_one_turn_to_the_next_are_looked_at_one_by_one() {
        let (mut slice, mut now) = slice();
        steps_in_a_turn(&mut slice, &mut now, Duration::from_nanos(10));
        assert_eq!(steps_in_a_turn(&mut slice, &mut now, Duration::from_micros(50)), 2);
        assert_eq!(steps_in_a_turn(&mut slice, &mut now, Duration::from_millis(1)), 1);
    }

    #[test]
    fn a_long_step_ends_the_turn_whatever_the_short_ones_before_it_have_earned() {
        for short in 1..1000 {
            let (mut slice, mut now) = slice();
            for _ in 0..short {
                match slice.left {
                    0 => assert!(!slice.look_at(now)),
                    _ => slice.left -= 1,
                }
                now += Duration::from_nanos(10);
            }
            let stretch = slice.grant(usize::MAX);
            assert!(!stretch.is_over());
            now += Duration::from_millis(2);
            slice.clock.go_on_to(now);
            assert!(stretch.is_over(), "after {short} short steps");
            assert!(slice.look_at(now), "after {short} short steps");
        }
    }

    #[test]
    fn where_the_clock_stands_still_every_step_is_looked_at() {
        let (mut slice, mut now) = slice();
        for stands_still in [false, true] {
            let mut most = 0;
            for _ in 0..5000 {
                if slice.left == 0 {
                    slice.look_at(now);
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
    fn a_slice_without_end_is_never_spent_and_begins_with_one_step() {
        let mut slice = Slice::new(Duration::MAX);
        for most in [0, 1, 3, 7, 15, 31, 63, 127, 255, 255] {
            assert!(!slice.is_spent());
            assert_eq!(slice.left, most);
            assert!(!slice.grant(1000).is_over());
        }
    }
}
