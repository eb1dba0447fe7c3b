//! The settings that the builders of pipelines and pools share, and their checks.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;
#[cfg(feature = "nats")]
use std::time::Duration;

use crate::engine::host::Host;
use crate::engine::run::Core;
use crate::error::StartError;
use crate::limits::{MAX_STACK, MAX_WORKERS, MIN_STACK};
use crate::observe::{Observed, Observers, RunKind};
#[cfg(feature = "nats")]
use crate::protocol::Distance;
use crate::protocol::{BatchSize, Protocol, default_window};

/// The threads of a set.
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
    pub(crate) concurrency: Option<usize>,
    pub(crate) window: Option<usize>,
    pub(crate) batch: BatchSize,
    default_name: &'static str,
    pub(crate) thread_name: Option<String>,
    pub(crate) stack_size: Option<usize>,
    pub(crate) name: Option<Arc<str>>,
    pub(crate) observers: Observers,
}

/// Settings that are in range, with the defaults filled in.
pub(crate) struct Checked {
    pub(crate) window: usize,
    /// As far as the window allows.
    pub(crate) batch: BatchSize,
    /// As it was asked for.
    pub(crate) asked_batch: BatchSize,
    /// How many threads may work for the run at a time.
    pub(crate) concurrency: usize,
    /// Those of its own, if it has any; otherwise only their number counts.
    pub(crate) threads: Threads,
    pub(crate) name: Option<Arc<str>>,
    /// `None` before [`observe`](Self::observe).
    pub(crate) observed: Option<Arc<Observed>>,
    /// The work that a batch should hold, if the workers are in other processes.
    #[cfg(feature = "nats")]
    pub(crate) remote: Option<Duration>,
}

impl Checked {
    /// The core of a run with these settings, which starts now. `item_bytes` is the memory of an item in flight.
    pub(crate) fn core(&self, item_bytes: usize, host: Option<&Host>) -> Core {
        let protocol = Protocol::new(self.concurrency, self.window, self.batch, item_bytes);
        let protocol = protocol.with_batches_of(self.asked_batch);
        #[cfg(feature = "nats")]
        if let Some(target) = self.remote {
            let core = Core::of_nodes(protocol.at(Distance::nodes(target)), host.cloned());
            return core.named(self.name.clone(), self.observed.clone());
        }
        Core::new(protocol, self.threads.workers, host.cloned()).named(self.name.clone(), self.observed.clone())
    }

    /// The run starts now: tells the observers of its builder and those of the set on which it works.
    pub(crate) fn observe(&mut self, kind: RunKind, mut observers: Observers, of_set: Option<&Observers>) {
        of_set.into_iter().for_each(|of_set| observers.extend(of_set));
        self.observed = Observed::start(kind, self.name.clone(), self.window, self.concurrency, observers);
    }
}

impl Settings {
    pub(crate) fn new(batch: BatchSize, default_name: &'static str) -> Self {
        Self {
            workers: None,
            concurrency: None,
            window: None,
            batch,
            default_name,
            thread_name: None,
            stack_size: None,
            name: None,
            observers: Observers::default(),
        }
    }

    /// Returns true if something was set that asks for threads of its own.
    pub(crate) fn has_own_threads(&self) -> bool {
        self.workers.is_some() || self.thread_name.is_some() || self.stack_size.is_some()
    }

    /// What asked for threads of its own counts no more.
    pub(crate) fn forget_own_threads(&mut self) {
        (self.workers, self.thread_name, self.stack_size) = (None, None, None);
    }

    /// `item_bytes` is the memory of an item in flight, for the default window. `shared` is the number of threads of
    /// the set, where the run has none of its own.
    pub(crate) fn check(&self, item_bytes: usize, shared: Option<usize>) -> Result<Checked, StartError> {
        let threads = match shared {
            Some(workers) => Threads { workers, name: String::new(), stack_size: None },
            None => self.check_threads()?,
        };
        let workers = match self.concurrency {
            Some(0) => return Err(StartError::Concurrency),
            Some(concurrency) => concurrency.min(threads.workers),
            None => threads.workers,
        };
        let window = self.window.unwrap_or_else(|| default_window(item_bytes, workers));
        if window == 0 {
            return Err(StartError::Window);
        }
        if let BatchSize::Fixed(batch) = self.batch
            && !(1..=window).contains(&batch)
        {
            return Err(StartError::Batch { batch, window });
        }
        // Not an error: it would depend on the number of cores whether a program starts.
        let batch = self.batch.within(window, workers);
        Ok(Checked {
            window,
            batch,
            asked_batch: self.batch,
            concurrency: workers,
            threads,
            name: self.name.clone(),
            observed: None,
            #[cfg(feature = "nats")]
            remote: None,
        })
    }

    /// The threads of a set of its own.
    pub(crate) fn check_threads(&self) -> Result<Threads, StartError> {
        let workers = self.workers.unwrap_or_else(default_workers);
        if !(1..=MAX_WORKERS).contains(&workers) {
            return Err(StartError::Workers(workers));
        }
        let name = self.thread_name.clone().unwrap_or_else(|| self.default_name.to_owned());
        if name.contains('\0') {
            return Err(StartError::ThreadName(name));
        }
        if let Some(bytes) = self.stack_size
            && !(MIN_STACK..=MAX_STACK).contains(&bytes)
        {
            return Err(StartError::StackSize(bytes));
        }
        Ok(Threads { workers, name, stack_size: self.stack_size })
    }
}

/// One worker per core that the process may use.
fn default_workers() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get).min(MAX_WORKERS)
}

/// The setters of threads, for a builder whose field `settings` is [`Settings`]. Their texts are the same for all
/// builders but for the default name, which is `THREAD_NAME` then. `threads` is for the builder of a set, `workers` for
/// that of a run, which then has threads of its own.
macro_rules! thread_setters {
    (threads, thread_name: $name:literal) => {
        /// How many threads: 1 to [`MAX_WORKERS`](crate::MAX_WORKERS).
        ///
        /// The default is [`available_parallelism`](std::thread::available_parallelism), which honours a container's
        /// processor quota (cgroup v1 and v2) and the process's affinity. More of them don't make CPU-bound work
        /// faster.
        pub fn threads(mut self, threads: usize) -> Self {
            self.settings.workers = Some(threads);
            self
        }

        $crate::engine::settings::thread_setters!(common, $name);
    };
    (workers, thread_name: $name:literal, default: $default:literal) => {
        /// Works on so many threads of its own: 1 to [`MAX_WORKERS`](crate::MAX_WORKERS). They end with it.
        ///
        #[doc = $default]
        /// Threads of its own are for work that sleeps or blocks, which on shared threads would hold up all others, and
        /// for what must have processor time beside them: the operating system then divides it, by a few milliseconds
        /// at a time. Work that waits for another pipeline or pool needs them as well: on the threads of the same set such
        /// a wait is an error.
        ///
        /// Of this and [`on`](Self::on) the last one called counts; [`thread_name`](Self::thread_name) and
        /// [`stack_size`](Self::stack_size) ask for threads of its own as well, one per core unless this says how many.
        pub fn workers(mut self, workers: usize) -> Self {
            self.on = None;
            self.settings.workers = Some(workers);
            self
        }

        /// Works on the threads of `workers`, which others may share: see [`Workers`](crate::Workers). Work that runs on a
        /// set must not wait for what else runs there: such a wait is an error ([`SubmitError::OwnPool`](crate::SubmitError::OwnPool),
        /// [`PipelineError::OwnWorker`](crate::PipelineError::OwnWorker)), since all of its threads could come to wait.
        pub fn on(mut self, workers: &crate::Workers) -> Self {
            self.settings.forget_own_threads();
            self.on = Some(workers.clone());
            self
        }

        /// What it is called in [`Stats`](crate::Stats) and by [observers](crate::observe).
        pub fn name(mut self, name: impl Into<std::sync::Arc<str>>) -> Self {
            self.settings.name = Some(name.into());
            self
        }

        /// At most so many threads work for it at a time, at least 1. The default is all threads that it may use. It can be
        /// changed later, by `set_concurrency`.
        pub fn concurrency(mut self, threads: usize) -> Self {
            self.settings.concurrency = Some(threads);
            self
        }

        $crate::engine::settings::thread_setters!(common, $name);
    };
    (common, $name:literal) => {
        const THREAD_NAME: &str = $name;

        /// Has an [`Observer`](crate::observe::Observer) see what happens. May be called several times, once for each.
        ///
        /// An [`Arc`](std::sync::Arc) of an observer is one as well: for one that several builders have, or whose numbers
        /// are read.
        pub fn observe(mut self, observer: impl crate::observe::Observer) -> Self {
            self.settings.observers.add(observer);
            self
        }

        #[doc = concat!(
            "Names the threads `name-0`, `name-1` and so on. Linux shows 15 characters. The default is `", $name, "`."
        )]
        /// While they start there are a few more threads of these names, and `name-start`. A name with a NUL byte is
        /// [`StartError::ThreadName`](crate::StartError::ThreadName).
        pub fn thread_name(mut self, name: impl Into<String>) -> Self {
            self.settings.thread_name = Some(name.into());
            self
        }

        /// The stack of each thread, in bytes: at least 65,536, and at most `isize::MAX / 2`. The operating system may
        /// refuse much smaller ones, which is [`StartError::Thread`](crate::StartError::Thread).
        ///
        /// The default is that of the Rust standard library, 2 MiB, unless the environment variable `RUST_MIN_STACK`
        /// sets another. Work that recurses deeply, or keeps large arrays in local variables, needs more: a stack that
        /// overflows ends the whole process, which nothing can catch. The memory is reserved for each thread, and used
        /// as far as the work gets.
        pub fn stack_size(mut self, bytes: usize) -> Self {
            self.settings.stack_size = Some(bytes);
            self
        }
    };
}

pub(crate) use thread_setters;
