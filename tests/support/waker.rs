//! Wakers that panic.

use std::sync::Arc;
use std::task::{Wake, Waker};

use super::{Count, quiet_panic};

/// A waker that counts its wake-ups and panics at each.
pub(crate) fn panicking_waker(woken: &Count) -> Waker {
    struct Panicking(Count);

    impl Wake for Panicking {
        fn wake(self: Arc<Self>) {
            self.wake_by_ref();
        }

        fn wake_by_ref(self: &Arc<Self>) {
            self.0.add();
            quiet_panic("woken");
        }
    }

    Waker::from(Arc::new(Panicking(woken.clone())))
}
