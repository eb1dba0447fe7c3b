//! Panics on purpose.

use std::mem::forget;
use std::panic::resume_unwind;

use actix_fan::{BoxError, Job, Work};

use super::{Count, DropCounter, Tracked};

/// How many items those tests have of which some fail.
pub(crate) const ITEMS: u64 = 40;

/// Which of them fail: the first, the last, some, or all.
pub(crate) const FAILING: [fn(u64) -> bool; 4] = [|n| n == 0, |n| n == ITEMS - 1, |n| n % 7 == 3, |_| true];

/// A panic that the panic hook doesn't print.
pub(crate) fn quiet_panic(message: &'static str) -> ! {
    resume_unwind(Box::new(message))
}

/// Panics, quietly, when it is dropped.
pub(crate) struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        quiet_panic("dropped");
    }
}

/// Counted until it is dropped, and panics then.
pub(crate) struct TrackedBomb {
    tracked: Tracked,
    bomb: Bomb,
}

impl TrackedBomb {
    pub(crate) fn new(counter: &DropCounter) -> Self {
        Self { tracked: counter.track(), bomb: Bomb }
    }

    /// Drops it without the panic.
    pub(crate) fn defuse(self) {
        let Self { tracked, bomb } = self;
        forget(bomb);
        drop(tracked);
    }
}

/// A panic whose value panics when it is dropped, and whose value's panic does so too.
pub(crate) fn panic_with_a_bomb() -> ! {
    struct Outer;
    impl Drop for Outer {
        fn drop(&mut self) {
            resume_unwind(Box::new(Bomb));
        }
    }
    resume_unwind(Box::new(Outer))
}

/// Emits each item, but panics with a bomb at each fourth.
pub(crate) struct PanicsWithBombs(());

impl PanicsWithBombs {
    /// Every other try panics with a bomb as well.
    pub(crate) fn build(tries: &Count, built: &Count) -> Self {
        if tries.add().is_multiple_of(2) {
            panic_with_a_bomb();
        }
        built.add();
        Self(())
    }

    pub(crate) fn fails(n: u64) -> bool {
        n % 4 == 1
    }
}

impl Work<u64> for PanicsWithBombs {
    type Output = u64;

    fn run(&mut self, n: u64, job: &mut Job<'_, u64>) -> Result<(), BoxError> {
        job.emit(n);
        if Self::fails(n) { panic_with_a_bomb() } else { Ok(()) }
    }
}
