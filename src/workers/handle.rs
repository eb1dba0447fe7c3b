//! The handle of a set of worker threads.

use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use crate::engine::settings::Threads;
use crate::error::StartError;
use crate::observe::Observers;
use crate::pool::calls::CallPool;
use crate::pool::{RunError, RunFuture};
use crate::work::Job;
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
/// # Work that waits for other work
///
/// If all threads of a set waited for what runs on that set, none would be left to run it. So a thread of a set gets an
/// error where it would wait: [`SubmitError::OwnPool`](crate::SubmitError::OwnPool) for an item of a pool on the set,
/// [`PipelineError::OwnWorker`](crate::PipelineError::OwnWorker) for the next result or the end of a pipeline on it,
/// [`RunError::OwnWorkers`] for a closure. That is an error with any number of threads, so that it does not depend on the
/// load whether a program works. What work waits for belongs on other threads: on another set, or on threads of its own.
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
    /// The most closures that are queued or run; `None` stands for the default.
    run_window: Option<usize>,
    /// They see all that runs on the set.
    observers: Observers,
    /// Runs closures; made for the first one.
    calls: OnceLock<CallPool>,
}

impl Handle {
    fn calls(&self) -> &CallPool {
        if let Some(calls) = self.calls.get() {
            return calls;
        }
        // Outside of the `OnceLock`: a pool on a set that was refused a thread logs that, by code of users. Of two threads
        // that come here at a time, one drops what it made.
        let calls = CallPool::new(&self.set, self.run_window, &self.observers);
        self.calls.get_or_init(|| calls)
    }
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
    /// Pipelines and pools that share them now, and have not ended. The closures of [`Workers::run`] count as one more
    /// while any of them is queued or runs.
    pub runs: usize,
    /// The share of the threads' time since their start in which they served these, from 0 to 1. What they serve at
    /// the moment counts when it ends.
    pub busy: f64,
}

impl Workers {
    pub(super) fn new(set: Arc<Set>, run_window: Option<usize>, observers: Observers) -> Self {
        let (started, calls) = (Instant::now(), OnceLock::new());
        Self { handle: Arc::new(Handle { set, started, run_window, observers, calls }) }
    }

    pub(crate) fn observers(&self) -> &Observers {
        &self.handle.observers
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
        let Handle { set, started, calls, .. } = &*self.handle;
        let time = started.elapsed().as_secs_f64() * set.threads() as f64;
        let busy = (set.busy().as_secs_f64() / time).clamp(0.0, 1.0);
        let runs = match calls.get().and_then(CallPool::idle_run) {
            Some(idle) => set.runs_besides(idle),
            None => set.runs(),
        };
        WorkersStats { threads: set.threads(), runs, busy: if time > 0.0 { busy } else { 0.0 } }
    }

    /// Runs a closure on the threads of the set, and returns the future of its result: for any program that computes now
    /// and then, in the place of `web::block` or `spawn_blocking`.
    ///
    /// The closure is queued at once; await the future on any runtime, or none, or keep it: dropping it cancels the closure.
    /// All closures of a set share its threads with pipelines and pools as one run: see [Fairness](#fairness). A closure
    /// that sleeps or blocks keeps its thread from all of them.
    ///
    /// At most [`run_window`](crate::WorkersBuilder::run_window) closures are queued or run. Beyond it one waits for room, in
    /// the order of the calls; [`try_run`](Self::try_run) refuses it. A closure can't be interrupted:
    /// [`run_with`](Self::run_with) is for one that may run for long. Use a [pool](crate::pool()) for one kind of work with
    /// a limit, statistics and an end of its own.
    ///
    /// # Errors
    ///
    /// A [`RunError`]: the closure panicked, this is a thread of the same set, which would wait for itself, or the operating
    /// system refused a thread of the set.
    ///
    /// # Examples
    ///
    /// ```
    /// use actix_fan::Workers;
    /// use futures::executor::block_on;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let workers = Workers::global()?;
    /// let text = String::from("any closure");
    /// let length = workers.run(move || text.len());
    /// assert_eq!(block_on(length)?, 11);
    ///
    /// let failed = workers.run(|| "x".parse::<u32>().unwrap());
    /// let error = block_on(failed).unwrap_err();
    /// assert!(error.to_string().starts_with("the closure panicked: "));
    /// # Ok(())
    /// # }
    /// ```
    pub fn run<T, F>(&self, f: F) -> RunFuture<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.run_with(|_| f())
    }

    /// [`run`](Self::run) for a closure that may run for long: [`Job::is_stopped`] returns true once its future was dropped.
    /// What it returns then is dropped.
    ///
    /// ```
    /// use actix_fan::Workers;
    ///
    /// # fn step(n: u64) -> u64 { n + 1 }
    /// # actix::System::new().block_on(async {
    /// let workers = Workers::global()?;
    /// let steps = workers.run_with(|job| {
    ///     let mut n = 0;
    ///     while n < 1_000_000 && !job.is_stopped() {
    ///         n = step(n);
    ///     }
    ///     n
    /// });
    /// assert_eq!(steps.await?, 1_000_000);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn run_with<T, F>(&self, f: F) -> RunFuture<T>
    where
        F: FnOnce(&Job<'_, Infallible>) -> T + Send + 'static,
        T: Send + 'static,
    {
        self.handle.calls().run(f)
    }

    /// [`run`](Self::run), if there is room for one more closure now: for a server that would rather answer that it is busy.
    ///
    /// # Errors
    ///
    /// [`RunError::Full`] if there is none, and any other error for which the closure is refused; it is dropped then. The
    /// future has the other errors.
    pub fn try_run<T, F>(&self, f: F) -> Result<RunFuture<T>, RunError>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.handle.calls().try_run(|_| f())
    }

    /// [`run`](Self::run), which blocks this thread until the result is there: for threads that run no async tasks.
    ///
    /// # Errors
    ///
    /// Those of [`run`](Self::run).
    pub fn blocking_run<T, F>(&self, f: F) -> Result<T, RunError>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.run(f).wait()
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
pub(crate) fn private(threads: Threads, observers: &Observers) -> Result<Arc<Set>, StartError> {
    start(threads, Hooks { observers: observers.clone(), ..Hooks::default() }, true)
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
