//! The limits of what builders may ask for.

/// The most workers that a pool may have.
pub const MAX_WORKERS: usize = 4096;

/// The smallest stack of a worker, in bytes: room for a panic to be reported, and some for the work.
pub(crate) const MIN_STACK: usize = 64 * 1024;

/// The largest stack that can be asked for, in bytes. Long before that the operating system refuses.
pub(crate) const MAX_STACK: usize = isize::MAX as usize / 2;
