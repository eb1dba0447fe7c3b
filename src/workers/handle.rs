//! The handle of a set of worker threads.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::engine::settings::Threads;
use crate::error::StartError;
use crate::workers::builder::WorkersBuilder;
use crate::workers::set::Set;
use crate::workers::start::{Hooks, start};

static GLOBAL: Mutex<Option<Workers>> = Mutex::new(None);

/// A set of worker threads that any number of pipelines and pools share. Cheap to clone.
///
/// A pipeline uses the [global](Self::global) set unless it is started [`on`](crate::FanOut::on) another one or with
/// [`workers`](crate::FanOut::workers) of its own. A pool has threads of its own unless it is started
/// [`on`](crate::PoolBuilder::on) a set.
///
/// # Fairness
///
/// A thread serves the run that has had the least of the threads' time so far. So pipelines and pools on one set get
/// equal time, whatever their items cost, and one that comes later begins with the next thread that is free. A running
/// item is never interrupted: with items of a second on all threads, another run waits for up to a second. Work that
/// sleeps or blocks keeps its thread from all the others: give it a set of its own.
///
/// # End
///
/// The threads end once the last clone was dropped and the last of their pipelines and pools has ended. A System that
/// stops ends the pipelines and pools that were started under it, and not the set. When `main` returns the process ends
/// with the threads in it, also in the middle of an item.
///
/// # Examples
///
/// ```
/// use actix_fan::{FanOutExt, Workers, pool};
/// use futures::StreamExt;
///
/// # actix::System::new().block_on(async {
/// let workers = Workers::builder().threads(2).thread_name("shared").build()?;
/// let squares = (1..=10u64).fan_out().on(&workers).map(|n| n * n)?;
/// let cubes = pool().on(&workers).map(|n: u64| n * n * n)?;
/// assert_eq!((squares.count().await, cubes.submit(3).await?), (10, 27));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct Workers {
    handle: Arc<Handle>,
}

struct Handle {
    set: Arc<Set>,
    started: Instant,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.set.close();
    }
}

/// The threads of a set, and what they do: [`Workers::stats`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct WorkersStats {
    /// Threads of the set.
    pub threads: usize,
    /// Pipelines and pools that share them now, and have not ended.
    pub runs: usize,
    /// The share of the threads' time since their start in which they served these, from 0 to 1. What they serve at
    /// the moment counts when it ends.
    pub busy: f64,
}

impl Workers {
    pub(super) fn new(set: Arc<Set>) -> Self {
        Self { handle: Arc::new(Handle { set, started: Instant::now() }) }
    }

    /// Starts to build a set of threads.
    pub fn builder() -> WorkersBuilder {
        WorkersBuilder::new()
    }

    /// The set of this process, with a thread per core that the process may use. It is started on first use, unless
    /// [`WorkersBuilder::build_global`] has set another one before.
    ///
    /// # Errors
    ///
    /// [`StartError::Thread`] if the operating system refuses the thread that starts the others. It is tried again on
    /// the next call.
    pub fn global() -> Result<Self, StartError> {
        if let Some(workers) = &*global() {
            return Ok(workers.clone());
        }
        match Self::start_global(|| Self::builder().build()) {
            Err(StartError::GlobalWorkers) => Self::global(),
            started => started,
        }
    }

    pub(super) fn start_global(build: impl FnOnce() -> Result<Self, StartError>) -> Result<Self, StartError> {
        let mut global = global();
        if global.is_some() {
            return Err(StartError::GlobalWorkers);
        }
        let workers = build()?;
        *global = Some(workers.clone());
        Ok(workers)
    }

    /// The numbers of the set at this instant.
    pub fn stats(&self) -> WorkersStats {
        let Handle { set, started, .. } = &*self.handle;
        let time = started.elapsed().as_secs_f64() * set.threads() as f64;
        let busy = (set.busy().as_secs_f64() / time).clamp(0.0, 1.0);
        WorkersStats { threads: set.threads(), runs: set.runs(), busy: if time > 0.0 { busy } else { 0.0 } }
    }

    pub(crate) fn set(&self) -> &Arc<Set> {
        &self.handle.set
    }
}

fn global() -> MutexGuard<'static, Option<Workers>> {
    GLOBAL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A set for one run alone, which ends with that.
///
/// # Errors
///
/// [`StartError::Thread`] if the operating system refuses so many threads. Then none was started.
pub(crate) fn private(threads: Threads) -> Result<Arc<Set>, StartError> {
    start(threads, Hooks::default(), true)
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
