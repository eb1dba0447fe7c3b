//! What a fan-out and a pool are asked for alike, and the checks of it.

use std::num::NonZeroUsize;
use std::thread;

use crate::error::StartError;
use crate::limits::{MAX_STACK, MAX_WORKERS, MIN_STACK};
use crate::protocol::{BatchSize, default_window};

/// The threads of a pipeline's or a pool's workers.
#[derive(Clone, Debug)]
pub(crate) struct Threads {
    pub(crate) workers: usize,
    /// They are named `name-0` and so on.
    pub(crate) name: String,
    /// In bytes, where it isn't the default.
    pub(crate) stack_size: Option<usize>,
}

/// As the builders were told; what they were not told has a default.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) workers: Option<usize>,
    pub(crate) window: Option<usize>,
    pub(crate) batch: BatchSize,
    pub(crate) thread_name: String,
    pub(crate) stack_size: Option<usize>,
}

/// What was asked for, with the defaults filled in.
pub(crate) struct Checked {
    pub(crate) window: usize,
    /// One batch leaves each of the other workers its share of the window.
    pub(crate) batch: BatchSize,
    pub(crate) threads: Threads,
}

impl Settings {
    pub(crate) fn new(batch: BatchSize, thread_name: &str) -> Self {
        Self { workers: None, window: None, batch, thread_name: thread_name.to_owned(), stack_size: None }
    }

    /// `item_bytes` is what an item in flight takes, for the default window.
    pub(crate) fn check(&self, item_bytes: usize) -> Result<Checked, StartError> {
        let workers = self.workers.unwrap_or_else(default_workers);
        if !(1..=MAX_WORKERS).contains(&workers) {
            return Err(StartError::Workers(workers));
        }
        let window = self.window.unwrap_or_else(|| default_window(item_bytes, workers));
        if window == 0 {
            return Err(StartError::Window);
        }
        let batch = match self.batch {
            BatchSize::Adaptive => BatchSize::Adaptive,
            BatchSize::Fixed(batch) if (1..=window).contains(&batch) => {
                // Not an error: it would depend on the number of cores whether a program starts.
                BatchSize::Fixed(batch.min((window / workers).max(1)))
            }
            BatchSize::Fixed(batch) => return Err(StartError::Batch { batch, window }),
        };
        if self.thread_name.contains('\0') {
            return Err(StartError::ThreadName(self.thread_name.clone()));
        }
        if let Some(bytes) = self.stack_size
            && !(MIN_STACK..=MAX_STACK).contains(&bytes)
        {
            return Err(StartError::StackSize(bytes));
        }
        let threads = Threads { workers, name: self.thread_name.clone(), stack_size: self.stack_size };
        Ok(Checked { window, batch, threads })
    }
}

/// One worker per core that the process may use.
fn default_workers() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get).min(MAX_WORKERS)
}
