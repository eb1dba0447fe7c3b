//! The settings that the builders of pipelines and pools share, and their checks.

use std::num::NonZeroUsize;
use std::thread;

use crate::engine::host::Host;
use crate::engine::run::Core;
use crate::error::StartError;
use crate::limits::{MAX_STACK, MAX_WORKERS, MIN_STACK};
use crate::protocol::{BatchSize, Protocol, default_window};

/// The threads of a pipeline's or a pool's workers.
#[derive(Clone, Debug)]
pub(crate) struct Threads {
    pub(crate) workers: usize,
    /// They are named `name-0` and so on.
    pub(crate) name: String,
    /// In bytes, where it isn't the default.
    pub(crate) stack_size: Option<usize>,
}

/// The settings as they were set in a builder; `None` stands for the default.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) workers: Option<usize>,
    pub(crate) window: Option<usize>,
    pub(crate) batch: BatchSize,
    pub(crate) thread_name: String,
    pub(crate) stack_size: Option<usize>,
}

/// Settings that are in range, with the defaults filled in.
pub(crate) struct Checked {
    pub(crate) window: usize,
    /// A fixed size is at most one worker's share of the window, so that one batch doesn't take the share of another
    /// worker.
    pub(crate) batch: BatchSize,
    pub(crate) threads: Threads,
}

impl Checked {
    /// The core of a run with these settings. `item_bytes` is the memory of an item in flight.
    pub(crate) fn core(&self, item_bytes: usize, host: Option<&Host>) -> Core {
        let workers = self.threads.workers;
        Core::new(Protocol::new(workers, self.window, self.batch, item_bytes), workers, host.cloned())
    }
}

impl Settings {
    pub(crate) fn new(batch: BatchSize, thread_name: &str) -> Self {
        Self { workers: None, window: None, batch, thread_name: thread_name.to_owned(), stack_size: None }
    }

    /// `item_bytes` is the memory of an item in flight, for the default window.
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

/// The setters of the workers' threads, for a builder whose field `settings` is [`Settings`]. Their texts are the same
/// for all builders but for the default name, which is `THREAD_NAME` then, and what else there is to say about
/// `workers`.
macro_rules! thread_setters {
    (thread_name: $name:literal $(, workers: $advice:literal)?) => {
        const THREAD_NAME: &str = $name;

        /// How many workers, each on a thread of its own: 1 to [`MAX_WORKERS`](crate::MAX_WORKERS).
        ///
        /// The default is [`available_parallelism`](std::thread::available_parallelism), which honours a container's
        /// processor quota (cgroup v1 and v2) and the process's affinity. More of them don't make CPU-bound work
        /// faster.
        $(#[doc = $advice])?
        pub fn workers(mut self, workers: usize) -> Self {
            self.settings.workers = Some(workers);
            self
        }

        #[doc = concat!(
            "Names the threads `name-0`, `name-1` and so on. Linux shows 15 characters. The default is `", $name, "`."
        )]
        /// While the workers start there are a few more threads of these names, and `name-start`. A name with a NUL
        /// byte is [`StartError::ThreadName`](crate::StartError::ThreadName).
        pub fn thread_name(mut self, name: impl Into<String>) -> Self {
            self.settings.thread_name = name.into();
            self
        }

        /// The stack of each worker thread, in bytes: at least 65,536, and at most `isize::MAX / 2`. The operating
        /// system may refuse much smaller ones, which is [`StartError::Thread`](crate::StartError::Thread).
        ///
        /// The default is that of the Rust standard library, 2 MiB, unless the environment variable `RUST_MIN_STACK`
        /// sets another. Work that recurses deeply, or keeps large arrays in local variables, needs more: a stack that
        /// overflows ends the whole process, which nothing can catch. The memory is reserved for each worker, and used
        /// as far as the work gets.
        pub fn stack_size(mut self, bytes: usize) -> Self {
            self.settings.stack_size = Some(bytes);
            self
        }
    };
}

pub(crate) use thread_setters;
