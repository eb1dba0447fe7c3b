//! Panics on purpose.

use std::panic::resume_unwind;

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
