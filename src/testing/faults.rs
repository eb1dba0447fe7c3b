//! Faults at chosen items, put over any work.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crate::error::BoxError;
use crate::stop::{Stop, StopHandle};
use crate::testing::Gate;
use crate::work::{Job, Work};

/// What goes wrong, and at which items: by their index, as [`Job::index`] has it. Put over a factory with
/// [`over`](Self::over), it comes before the work at each item; the work itself sees only the items without a fault.
///
/// ```
/// use actix_fan::testing::{Faults, Gate, assert_conserved};
/// use actix_fan::{FanOutExt, Job, Stop, work_fn};
///
/// # actix::System::new().block_on(async {
/// let faults = Faults::new().panic_at(3).fail_at(5).stop_at(50, Stop::Drain);
/// let same = || work_fn(|n: u64, job: &mut Job<'_, u64>| Ok(job.emit(n)));
/// let mut results = (0u64..).fan_out().with(faults.over(same))?;
/// faults.arm(results.stop_handle());
/// let stats = results.finished().await?;
/// assert_conserved(&stats);
/// assert_eq!(stats.failed, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Default)]
#[must_use = "faults do nothing until they are put over a factory"]
pub struct Faults {
    panics: BTreeSet<u64>,
    panics_every: Option<u64>,
    fails: BTreeSet<u64>,
    stops: BTreeMap<u64, Stop>,
    gate: Option<Gate>,
    builds: BTreeSet<u64>,
    armed: Arc<Armed>,
}

/// The handle that items at which everything stops wait for.
#[derive(Default)]
struct Armed {
    handle: Mutex<Option<StopHandle>>,
    is_there: Condvar,
}

impl Faults {
    /// No faults.
    pub fn new() -> Self {
        Self::default()
    }

    /// The item panics, with `fault at item INDEX` as its message.
    pub fn panic_at(mut self, index: u64) -> Self {
        self.panics.insert(index);
        self
    }

    /// Every `nth` item panics, from the first on: those whose index is a multiple of it.
    ///
    /// # Panics
    ///
    /// If `nth` is 0.
    pub fn panic_every(mut self, nth: u64) -> Self {
        assert!(nth > 0, "every 0th item can't panic: nth must be at least 1");
        self.panics_every = Some(nth);
        self
    }

    /// The work returns an error for the item: `fault at item INDEX`.
    pub fn fail_at(mut self, index: u64) -> Self {
        self.fails.insert(index);
        self
    }

    /// The pipeline or the pool is stopped when the item has just begun; then its work runs, and can see it. The item waits
    /// until there is something to stop: [`arm`](Self::arm).
    pub fn stop_at(mut self, index: u64, stop: Stop) -> Self {
        self.stops.insert(index, stop);
        self
    }

    /// Every item passes the gate before its work begins.
    pub fn gated(mut self, gate: &Gate) -> Self {
        self.gate = Some(gate.clone());
        self
    }

    /// The factory panics when it is called for the `nth` time, from 0, counted over all workers.
    pub fn panic_at_build(mut self, nth: u64) -> Self {
        self.builds.insert(nth);
        self
    }

    /// Says what [`stop_at`](Self::stop_at) stops.
    pub fn arm(&self, handle: StopHandle) {
        *self.armed.handle.lock().unwrap_or_else(PoisonError::into_inner) = Some(handle);
        self.armed.is_there.notify_all();
    }

    /// A factory whose works have these faults, to be handed to [`FanOut::with`](crate::FanOut::with),
    /// [`PoolBuilder::with`](crate::PoolBuilder::with) or [`Simulation::run`](crate::testing::Simulation::run).
    pub fn over<W, F>(&self, factory: F) -> impl Fn() -> Faulty<W> + Send + Sync + use<W, F>
    where
        F: Fn() -> W + Send + Sync,
    {
        let faults = Arc::new(self.clone());
        let built = AtomicU64::new(0);
        move || {
            let nth = built.fetch_add(1, Relaxed);
            assert!(!faults.builds.contains(&nth), "fault at build {nth}");
            Faulty { faults: Arc::clone(&faults), work: factory() }
        }
    }

    fn panics_at(&self, index: u64) -> bool {
        self.panics.contains(&index) || self.panics_every.is_some_and(|nth| index.is_multiple_of(nth))
    }

    fn stop(&self, stop: Stop) {
        let handle = self.armed.handle.lock().unwrap_or_else(PoisonError::into_inner);
        let handle = self.armed.is_there.wait_while(handle, |handle| handle.is_none());
        let handle = handle.unwrap_or_else(PoisonError::into_inner).clone();
        match (handle, stop) {
            (Some(handle), Stop::Now) => handle.now(),
            (Some(handle), Stop::Drain) => handle.drain(),
            (None, _) => unreachable!("it was waited for"),
        }
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults")
            .field("panics", &self.panics)
            .field("panics_every", &self.panics_every)
            .field("fails", &self.fails)
            .field("stops", &self.stops)
            .field("gate", &self.gate.is_some())
            .field("builds", &self.builds)
            .finish_non_exhaustive()
    }
}

/// A work with faults, made by [`Faults::over`].
#[derive(Debug)]
pub struct Faulty<W> {
    faults: Arc<Faults>,
    work: W,
}

impl<I, W: Work<I>> Work<I> for Faulty<W> {
    type Output = W::Output;

    fn run(&mut self, input: I, job: &mut Job<'_, Self::Output>) -> Result<(), BoxError> {
        let index = job.index();
        if let Some(stop) = self.faults.stops.get(&index) {
            self.faults.stop(*stop);
        }
        if let Some(gate) = &self.faults.gate {
            gate.pass();
        }
        assert!(!self.faults.panics_at(index), "fault at item {index}");
        if self.faults.fails.contains(&index) {
            return Err(format!("fault at item {index}").into());
        }
        self.work.run(input, job)
    }
}
