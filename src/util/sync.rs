//! The locks and atomics that threads of a pipeline or a pool share: the standard library's, or those of shuttle, which
//! explores the orders in which threads reach them. `../pipeline/interleavings.rs` says how.

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
