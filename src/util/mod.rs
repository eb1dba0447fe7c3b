//! Helpers that know nothing of pipelines and pools: locks, panics, the log, wakers, the clock and time slices.

pub(crate) mod buffer_pool;
pub(crate) mod clock;
pub(crate) mod log;
pub(crate) mod panic;
pub(crate) mod sync;
pub(crate) mod time_slice;
pub(crate) mod waker;
