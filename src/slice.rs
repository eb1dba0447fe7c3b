//! Turns on a shared thread: when has a callback run for long enough?

use std::time::{Duration, Instant};

/// How long a callback of ours keeps an arbiter before it yields.
pub(crate) const SLICE: Duration = Duration::from_micros(100);

/// The most steps between two looks at the clock.
const MAX_STRIDE: u32 = 256;

/// Counts steps and looks at the clock now and then: after the first step of a turn, and then at distances that double
/// as long as the steps between two looks are short. Nothing is learned from an earlier turn, whose steps may have cost
/// something else.
#[derive(Debug)]
pub(crate) struct Slice {
    length: Duration,
    /// When the current turn began, and the last look.
    began: Option<Instant>,
    looked: Option<Instant>,
    stride: u32,
    left: u32,
}

impl Slice {
    pub(crate) fn new(length: Duration) -> Self {
        Self { length, began: None, looked: None, stride: 1, left: 0 }
    }

    /// One more step is about to be taken. True: yield first. The next turn then begins with the next call.
    #[inline]
    pub(crate) fn is_spent(&mut self) -> bool {
        if self.left > 0 {
            self.left -= 1;
            return false;
        }
        self.look(Instant::now())
    }

    /// Takes up to `most` more steps at once, as many as need no look at the clock.
    #[inline]
    pub(crate) fn grant(&mut self, most: usize) -> usize {
        let steps = most.min(self.left as usize);
        self.left -= steps as u32;
        steps
    }

    /// The callback is about to wait, so the next call begins a turn.
    pub(crate) fn end(&mut self) {
        *self = Self::new(self.length);
    }

    fn look(&mut self, now: Instant) -> bool {
        let began = *self.began.get_or_insert(now);
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
        self.left = self.stride - 1;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes steps of `step` each and returns after how many the slice was spent, on a clock of its own.
    fn steps_in_a_turn(slice: &mut Slice, now: &mut Instant, step: Duration) -> u32 {
        for steps in 0.. {
            let spent = if slice.left > 0 {
                slice.left -= 1;
                false
            } else {
                slice.look(*now)
            };
            if spent {
                return steps;
            }
            *now += step;
        }
        unreachable!()
    }

    #[test]
    fn short_steps_are_hardly_looked_at_and_a_turn_ends_in_time() {
        let (mut slice, mut now) = (Slice::new(SLICE), Instant::now());
        for _ in 0..20 {
            let steps = steps_in_a_turn(&mut slice, &mut now, Duration::from_nanos(10));
            assert!((10_000..=10_500).contains(&steps), "{steps} steps of 10 ns");
        }
    }

    #[test]
    fn steps_that_become_long_from_one_turn_to_the_next_are_looked_at_one_by_one() {
        let (mut slice, mut now) = (Slice::new(SLICE), Instant::now());
        steps_in_a_turn(&mut slice, &mut now, Duration::from_nanos(10));
        assert_eq!(steps_in_a_turn(&mut slice, &mut now, Duration::from_micros(50)), 2);
        assert_eq!(steps_in_a_turn(&mut slice, &mut now, Duration::from_millis(1)), 1);
    }

    #[test]
    fn a_slice_without_end_is_never_spent() {
        let (mut slice, now) = (Slice::new(Duration::MAX), Instant::now());
        assert!(!slice.look(now));
        assert!(!slice.look(now + Duration::from_secs(1_000_000)));
    }
}
