//! The locks and atomics through which threads of a pipeline or a pool meet: the standard library's, or those of
//! shuttle, which tries the orders in which threads can come to them. `interleavings.rs` says how.

#[cfg(all(test, shuttle))]
pub(crate) use shuttle::{
    sync::{Condvar, Mutex, MutexGuard, atomic},
    thread_local,
};

#[cfg(not(all(test, shuttle)))]
pub(crate) use std::{
    sync::{Condvar, Mutex, MutexGuard, atomic},
    thread_local,
};
