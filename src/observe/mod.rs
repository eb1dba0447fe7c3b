//! What an application can see of its pipelines, pools and closures while they run: an [`Observer`].
//!
//! It is given to a builder ([`FanOut::observe`](crate::FanOut::observe), [`PoolBuilder::observe`](crate::PoolBuilder::observe)),
//! or to a set of threads ([`WorkersBuilder::observe`](crate::WorkersBuilder::observe)), which has it see all that runs on
//! the set. Without one, nothing is measured for it and nothing is called.
//!
//! Two observers are here: `Spans`, with the feature `tracing`, takes the caller's span along to the worker thread, and
//! its trace to nodes in other processes; `Instruments`, with the feature `metrics`, counts and measures for the recorder of
//! the crate `metrics`.
//!
//! ```
//! use std::sync::Arc;
//! use std::sync::atomic::{AtomicU64, Ordering};
//!
//! use actix_fan::observe::{Ended, Observer, RunInfo};
//! use actix_fan::pool;
//!
//! #[derive(Default)]
//! struct Slow(AtomicU64);
//!
//! impl Observer for Slow {
//!     fn ended(&self, run: &RunInfo, ended: &Ended) {
//!         if ended.ran.as_millis() > 100 {
//!             println!("{}: {} items took {:?}", run.name.as_deref().unwrap_or("?"), ended.items(), ended.ran);
//!             self.0.fetch_add(1, Ordering::Relaxed);
//!         }
//!     }
//! }
//!
//! # actix::System::new().block_on(async {
//! let slow = Arc::new(Slow::default());
//! let squares = pool().name("squares").observe(Arc::clone(&slow)).map(|n: u64| n * n)?;
//! assert_eq!(squares.submit(7).await?, 49);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use crate::error::ItemError;
use crate::stats::Stats;

#[cfg(feature = "metrics")]
mod instruments;
mod observed;
#[cfg(feature = "tracing")]
mod spans;
mod trace_context;

#[cfg(feature = "metrics")]
pub use instruments::Instruments;
pub(crate) use observed::{Observed, Observers, Portions, Submitted};
#[cfg(feature = "tracing")]
pub use spans::Spans;
pub use trace_context::TraceContext;

pub use crate::stats::SkipReason;

/// What an observer takes along from the caller's thread to the worker's: see [`Observer::context`].
pub type Context = Arc<dyn Any + Send + Sync>;

/// Sees what happens to the items of pipelines and pools. Each of its functions does nothing by default.
///
/// It is called on the thread on which something happens: an arbiter, a caller's thread or a worker thread. Several
/// threads call it at a time. No lock of this crate is held then, and the caller goes on when it returns: so it is to be
/// quick. A panic in it is contained, and loses no item.
///
/// # What is counted
///
/// Every item that was [`taken`](Self::taken) is told once more: among the items of an [`ended`](Self::ended) if its
/// work ended, or as [`skipped`](Self::skipped). A *stretch* is what a worker thread begins and ends together: one
/// closure, one item of a pool, or the items of a batch of a pipeline, which are told item by item if
/// [`wants_items`](Self::wants_items). The batches of an adaptive size are divided among the workers, and a batch whose
/// results are not taken is suspended: then each part is a stretch of its own.
pub trait Observer: Send + Sync + 'static {
    /// A pipeline or pool has started, or a set of threads has its first closure.
    fn run_started(&self, run: &RunInfo) {
        let _ = run;
    }

    /// What is to be taken along to the worker thread: called on the thread that submits an item, runs a closure or
    /// starts a pipeline. The stretches of it get this in their [`Begun`] and [`Ended`].
    fn context(&self, run: &RunInfo) -> Option<Context> {
        let _ = run;
        None
    }

    /// What the batches of a pipeline take along to nodes in other processes (see `remote`): called on the thread that
    /// starts it, after [`context`](Self::context). Of several observers the first one that returns something counts.
    fn inject(&self, run: &RunInfo) -> Option<TraceContext> {
        let _ = run;
        None
    }

    /// As [`context`](Self::context), on a node, for a batch that came with what [`inject`](Self::inject) returned there:
    /// called on the thread of the connection. It is from outside, so it may be made up.
    fn extract(&self, run: &RunInfo, trace: &TraceContext) -> Option<Context> {
        let _ = trace;
        self.context(run)
    }

    /// So many good items were taken from the source, or got a permit of the pool.
    fn taken(&self, run: &RunInfo, items: usize) {
        let _ = (run, items);
    }

    /// A batch of a pipeline was handed over to the worker threads: `items` from the index `first` on.
    fn handed_over(&self, run: &RunInfo, first: u64, items: usize) {
        let _ = (run, first, items);
    }

    /// A worker thread begins a stretch. Called on it, before [`in_scope`](Self::in_scope).
    fn begun(&self, run: &RunInfo, begun: &Begun) {
        let _ = (run, begun);
    }

    /// Runs the work of a stretch, on the worker's thread, by calling `work`: before and after that it may enter and
    /// leave what is bound to the thread, as a span.
    ///
    /// If it does not call `work`, that is done when it returns; another call than the first does nothing.
    fn in_scope(&self, run: &RunInfo, begun: &Begun, work: &mut dyn FnMut()) {
        let _ = (run, begun);
        work();
    }

    /// So many items that the source yielded are errors, or failures of an earlier stage: they pass by the workers, and
    /// are not among those that were [`taken`](Self::taken) here. Called on the arbiter.
    fn source_failed(&self, run: &RunInfo, items: usize) {
        let _ = (run, items);
    }

    /// The work of an item panicked or returned an error. Called on the worker's thread, in the scope of its stretch.
    fn failed(&self, run: &RunInfo, error: &ItemError) {
        let _ = (run, error);
    }

    /// A stretch has ended. Called on the worker's thread.
    fn ended(&self, run: &RunInfo, ended: &Ended) {
        let _ = (run, ended);
    }

    /// So many items were skipped: their run was stopped or their caller left, and they have not begun, or their work
    /// returned [`Stopped`](crate::Stopped). Called when their permits are released.
    fn skipped(&self, run: &RunInfo, items: usize, reason: SkipReason) {
        let _ = (run, items, reason);
    }

    /// Its window was changed, from `before` to `limit`; [`RunInfo::limit`] is still the one that it started with. Called on
    /// the thread that changed it.
    fn limit_changed(&self, run: &RunInfo, before: usize, limit: usize) {
        let _ = (run, before, limit);
    }

    /// The number of threads that may work for it at a time was changed, from `before` to `workers`; [`RunInfo::workers`]
    /// is still the one that it started with. Called on the thread that changed it.
    fn concurrency_changed(&self, run: &RunInfo, before: usize, workers: usize) {
        let _ = (run, before, workers);
    }

    /// The last worker thread has left the pipeline or pool. Called on it, at the time at which those that wait for the
    /// end go on. Results may still wait for the consumer.
    fn run_ended(&self, run: &RunInfo, stats: &Stats) {
        let _ = (run, stats);
    }

    /// A thread of a set that is observed has started. Called on it.
    fn thread_started(&self, thread: &ThreadInfo) {
        let _ = thread;
    }

    /// A thread of a set that is observed ends. Called on it.
    fn thread_stopped(&self, thread: &ThreadInfo) {
        let _ = thread;
    }

    /// Returns true if each item of a pipeline is to be a stretch of its own. That costs some 100 ns per item. Asked
    /// once per run, when it starts.
    fn wants_items(&self) -> bool {
        false
    }
}

// Also what `Observer` has a default for: without it, an observer would not be asked or told.
#[deny(clippy::missing_trait_methods)]
impl<T: Observer + ?Sized> Observer for Arc<T> {
    fn run_started(&self, run: &RunInfo) {
        (**self).run_started(run);
    }

    fn context(&self, run: &RunInfo) -> Option<Context> {
        (**self).context(run)
    }

    fn inject(&self, run: &RunInfo) -> Option<TraceContext> {
        (**self).inject(run)
    }

    fn extract(&self, run: &RunInfo, trace: &TraceContext) -> Option<Context> {
        (**self).extract(run, trace)
    }

    fn taken(&self, run: &RunInfo, items: usize) {
        (**self).taken(run, items);
    }

    fn handed_over(&self, run: &RunInfo, first: u64, items: usize) {
        (**self).handed_over(run, first, items);
    }

    fn begun(&self, run: &RunInfo, begun: &Begun) {
        (**self).begun(run, begun);
    }

    fn in_scope(&self, run: &RunInfo, begun: &Begun, work: &mut dyn FnMut()) {
        (**self).in_scope(run, begun, work);
    }

    fn source_failed(&self, run: &RunInfo, items: usize) {
        (**self).source_failed(run, items);
    }

    fn failed(&self, run: &RunInfo, error: &ItemError) {
        (**self).failed(run, error);
    }

    fn ended(&self, run: &RunInfo, ended: &Ended) {
        (**self).ended(run, ended);
    }

    fn skipped(&self, run: &RunInfo, items: usize, reason: SkipReason) {
        (**self).skipped(run, items, reason);
    }

    fn limit_changed(&self, run: &RunInfo, before: usize, limit: usize) {
        (**self).limit_changed(run, before, limit);
    }

    fn concurrency_changed(&self, run: &RunInfo, before: usize, workers: usize) {
        (**self).concurrency_changed(run, before, workers);
    }

    fn run_ended(&self, run: &RunInfo, stats: &Stats) {
        (**self).run_ended(run, stats);
    }

    fn thread_started(&self, thread: &ThreadInfo) {
        (**self).thread_started(thread);
    }

    fn thread_stopped(&self, thread: &ThreadInfo) {
        (**self).thread_stopped(thread);
    }

    fn wants_items(&self) -> bool {
        (**self).wants_items()
    }
}

/// A pipeline, a pool, or the closures of a set of threads, as an [`Observer`] sees it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RunInfo {
    /// A number that no other run of this process has.
    pub id: u64,
    /// What it is.
    pub kind: RunKind,
    /// As it was named: [`FanOut::name`](crate::FanOut::name), [`PoolBuilder::name`](crate::PoolBuilder::name).
    pub name: Option<Arc<str>>,
    /// The most items in flight: its window at the start.
    pub limit: usize,
    /// How many worker threads may serve it at a time, at the start.
    pub workers: usize,
}

/// What a [`RunInfo`] is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RunKind {
    /// A pipeline.
    Pipeline,
    /// A pool.
    Pool,
    /// The closures of [`Workers::run`](crate::Workers::run).
    Closures,
}

impl RunKind {
    /// `pipeline`, `pool` or `closures`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pipeline => "pipeline",
            Self::Pool => "pool",
            Self::Closures => "closures",
        }
    }
}

/// A stretch that a worker thread begins.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Begun {
    /// The index of its first item.
    pub first: u64,
    /// Its items, if none of them is taken by another worker, suspended or skipped.
    pub items: usize,
    /// The number of the thread in its set.
    pub worker: usize,
    /// How long it was queued: since it was submitted, also while it waited for a permit, or since its batch was handed
    /// over.
    pub waited: Duration,
    /// What this observer took along.
    pub context: Option<Context>,
}

/// A stretch that has ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Ended {
    /// The index of its first item.
    pub first: u64,
    /// Items whose work returned.
    pub completed: usize,
    /// Items whose work panicked or returned an error.
    pub failed: usize,
    /// Items whose work returned [`Stopped`](crate::Stopped): they are told as skipped as well.
    pub stopped: usize,
    /// The number of the thread in its set.
    pub worker: usize,
    /// As in [`Begun`].
    pub waited: Duration,
    /// How long it ran, with what sends its results on. For a stretch of several items that is the time of all.
    pub ran: Duration,
    /// What this observer took along.
    pub context: Option<Context>,
}

impl Ended {
    /// The items that have ended in it: `completed + failed`.
    pub fn items(&self) -> usize {
        self.completed + self.failed
    }
}

/// A worker thread of a set that is observed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ThreadInfo {
    /// The name of the set's threads, without the number.
    pub set: Arc<str>,
    /// The number of the thread in its set.
    pub worker: usize,
}
