//! A wrapper of any work that adds faults at chosen items.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::error::BoxError;
use crate::stop::{Stop, StopHandle};
use crate::testing::Gate;
use crate::work::turn::{Turn, Turns};
use crate::work::{Job, Work};

/// How long an item waits for a handle to stop.
const PATIENCE: Duration = Duration::from_secs(10);

/// Faults, each at the item of a given index, as in [`Job::index`]. [`over`](Self::over) adds them to the works of a
/// factory: at each item the fault comes first, and the work gets the item only if it has not failed.
///
/// ```
/// use actix_fan::testing::{Faults, Gate, assert_all_ended};
/// use actix_fan::{FanOutExt, Job, Stop, work_fn};
///
/// # actix::System::new().block_on(async {
/// let faults = Faults::new().panic_at(3).fail_at(5).stop_at(50, Stop::Drain);
/// let same = || work_fn(|n: u64, job: &mut Job<'_, u64>| Ok(job.emit(n)));
/// let mut results = (0u64..).fan_out().with(faults.over(same))?;
/// faults.arm(results.stop_handle());
/// let stats = results.finished().await?;
/// assert_all_ended(&stats);
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

/// The handle that [`stop_at`](Faults::stop_at) waits for.
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

    /// The item panics, with `fault at item INDEX` as its message. The panic hook isn't called, so nothing is printed.
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

    /// The pipeline or the pool is stopped just after the item has begun; then its work runs, and can see that. The
    /// item waits for the handle that [`arm`](Self::arm) sets, 10 seconds at most.
    pub fn stop_at(mut self, index: u64, stop: Stop) -> Self {
        self.stops.insert(index, stop);
        self
    }

    /// Every item passes the gate before its work begins. On real threads only.
    pub fn gated(mut self, gate: &Gate) -> Self {
        self.gate = Some(gate.clone());
        self
    }

    /// The factory panics when it is called for the `nth` time, from 0, counted over all workers.
    pub fn panic_at_build(mut self, nth: u64) -> Self {
        self.builds.insert(nth);
        self
    }

    /// Sets what [`stop_at`](Self::stop_at) stops.
    pub fn arm(&self, handle: StopHandle) {
        *self.armed.handle.lock().unwrap_or_else(PoisonError::into_inner) = Some(handle);
        self.armed.is_there.notify_all();
    }

    /// Returns a factory whose works have these faults, for [`FanOut::with`](crate::FanOut::with),
    /// [`PoolBuilder::with`](crate::PoolBuilder::with) or [`Simulation::run`](crate::testing::Simulation::run). After
    /// each call, [`arm`](Self::arm) must be called again.
    pub fn over<W, F>(&self, factory: F) -> impl Fn() -> Faulty<W> + Send + Sync + use<W, F>
    where
        F: Fn() -> W + Send + Sync,
    {
        *self.armed.handle.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.over_armed(factory)
    }

    /// [`over`](Self::over) that keeps the handle that was set.
    pub(crate) fn over_armed<W, F>(&self, factory: F) -> impl Fn() -> Faulty<W> + Send + Sync + use<W, F>
    where
        F: Fn() -> W + Send + Sync,
    {
        let faults = Arc::new(self.clone());
        let built = AtomicU64::new(0);
        move || {
            let nth = built.fetch_add(1, Relaxed);
            if faults.builds.contains(&nth) {
                panic_quietly(format!("fault at build {nth}"));
            }
            Faulty { faults: Arc::clone(&faults), work: factory() }
        }
    }

    fn panics_at(&self, index: u64) -> bool {
        self.panics.contains(&index) || self.panics_every.is_some_and(|nth| index.is_multiple_of(nth))
    }

    fn stop(&self, stop: Stop, index: u64) {
        let handle = self.armed.handle.lock().unwrap_or_else(PoisonError::into_inner);
        let handle = self.armed.is_there.wait_timeout_while(handle, PATIENCE, |handle| handle.is_none());
        let handle = handle.unwrap_or_else(PoisonError::into_inner).0.clone();
        match handle {
            Some(handle) => handle.apply(stop),
            None => panic!("item {index} is to stop everything, but nothing was armed: call Faults::arm"),
        }
    }

    /// The same faults for a simulation: without the handle that clones share. Panics if they have a gate.
    pub(crate) fn apart(self) -> Self {
        assert!(
            self.gate.is_none(),
            "a gate would block the simulation's only thread forever: don't use Faults::gated"
        );
        Self { armed: Arc::default(), ..self }
    }
}

/// A panic on purpose, which need not be printed.
fn panic_quietly(message: String) -> ! {
    resume_unwind(Box::new(message))
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

impl<W> Faulty<W> {
    /// What was planned for the item that begins.
    fn begin(&self, index: u64) -> Result<(), BoxError> {
        if let Some(stop) = self.faults.stops.get(&index) {
            self.faults.stop(*stop, index);
        }
        if let Some(gate) = &self.faults.gate {
            gate.pass();
        }
        if self.faults.panics_at(index) {
            panic_quietly(format!("fault at item {index}"));
        }
        if self.faults.fails.contains(&index) {
            return Err(format!("fault at item {index}").into());
        }
        Ok(())
    }
}

impl<I, W: Work<I>> Work<I> for Faulty<W> {
    type Output = W::Output;

    fn run(&mut self, input: I, job: &mut Job<'_, Self::Output>) -> Result<(), BoxError> {
        self.begin(job.index())?;
        self.work.run(input, job)
    }
}

/// In a simulation.
impl<I, W: Turns<I>> Turns<I> for Faulty<W> {
    type Output = W::Output;

    fn turn(&mut self, input: I, job: &mut Job<'_, Self::Output>) -> Result<Turn<I>, BoxError> {
        if !W::has_begun(&input) {
            self.begin(job.index())?;
        }
        self.work.turn(input, job)
    }

    fn has_begun(input: &I) -> bool {
        W::has_begun(input)
    }
}
