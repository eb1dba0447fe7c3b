//! Whose worker this thread is: a worker that waits for its own pool may wait forever.

use std::cell::Cell;
use std::sync::Arc;

use crate::control::Control;
use crate::sync::thread_local;

thread_local! {
    /// The pool's control, by its address, which no other can have while the thread holds it.
    #[allow(clippy::missing_const_for_thread_local, reason = "shuttle's macro knows no const block")]
    static SERVES: Cell<usize> = Cell::new(0);
}

/// From now on this thread is one of the pool's own, until what is returned is dropped.
pub(super) fn serve(control: &Arc<Control>) -> Serving {
    SERVES.with(|serves| serves.set(address(control)));
    Serving(Arc::clone(control))
}

pub(super) struct Serving(Arc<Control>);

impl Drop for Serving {
    fn drop(&mut self) {
        debug_assert!(is_own(&self.0));
        SERVES.with(|serves| serves.set(0));
    }
}

/// Whether this thread is one of the pool's own.
pub(super) fn is_own(control: &Arc<Control>) -> bool {
    SERVES.with(Cell::get) == address(control)
}

fn address(control: &Arc<Control>) -> usize {
    Arc::as_ptr(control).addr()
}
