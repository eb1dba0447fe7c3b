//! The limits of the builders' settings.

/// The largest number of workers that a pipeline or a pool may have.
pub const MAX_WORKERS: usize = 4096;

/// The smallest stack of a worker thread, in bytes: enough to report a panic, and some for the work.
pub(crate) const MIN_STACK: usize = 64 * 1024;

/// The largest stack of a worker thread, in bytes. The operating system refuses much smaller ones.
pub(crate) const MAX_STACK: usize = isize::MAX as usize / 2;
