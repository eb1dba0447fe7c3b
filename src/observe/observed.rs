//! How a run calls its observers: one by one, each behind `catch`, and under no lock.

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::engine::batch_run::Portion;
use crate::error::ItemError;
#[cfg(feature = "nats")]
use crate::observe::TraceContext;
use crate::observe::{Begun, Context, Ended, Observer, RunInfo, RunKind, ThreadInfo};
use crate::protocol::Ends;
use crate::stats::Stats;
use crate::util::panic::{catch, discard};

/// The observers of a builder.
#[derive(Clone, Default)]
pub(crate) struct Observers(Vec<Arc<dyn Observer>>);

impl Observers {
    pub(crate) fn add(&mut self, observer: impl Observer) {
        self.0.push(Arc::new(observer));
    }

    /// Those of the set on which a run works see it as well.
    pub(crate) fn extend(&mut self, others: &Self) {
        self.0.extend(others.0.iter().cloned());
    }

    pub(crate) fn thread_started(&self, thread: &ThreadInfo) {
        self.each(|observer| observer.thread_started(thread));
    }

    pub(crate) fn thread_stopped(&self, thread: &ThreadInfo) {
        self.each(|observer| observer.thread_stopped(thread));
    }

    fn each(&self, call: impl Fn(&dyn Observer)) {
        // The panic hook has reported a panic, and the run goes on.
        self.0.iter().for_each(|observer| _ = catch(|| call(&**observer)));
    }
}

impl Drop for Observers {
    fn drop(&mut self) {
        self.0.drain(..).for_each(discard);
    }
}

impl fmt::Debug for Observers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} observers", self.0.len())
    }
}

/// A run that is observed.
pub(crate) struct Observed {
    info: RunInfo,
    observers: Observers,
    wants_items: bool,
    /// From the thread that started it; for a pipeline.
    context: Arc<Contexts>,
}

impl Observed {
    /// `None` if there are no observers.
    pub(crate) fn start(
        kind: RunKind,
        name: Option<Arc<str>>,
        limit: usize,
        workers: usize,
        observers: Observers,
    ) -> Option<Arc<Self>> {
        static IDS: AtomicU64 = AtomicU64::new(0);
        if observers.0.is_empty() {
            return None;
        }
        let info = RunInfo { id: IDS.fetch_add(1, Relaxed), kind, name, limit, workers };
        let wants_items = observers.0.iter().any(|observer| catch(|| observer.wants_items()).unwrap_or(false));
        let context = match kind {
            RunKind::Pipeline => Contexts::capture(&observers, &info),
            RunKind::Pool | RunKind::Closures => Arc::new(Contexts(Vec::new())),
        };
        observers.each(|observer| observer.run_started(&info));
        Some(Arc::new(Self { info, observers, wants_items, context }))
    }

    pub(crate) fn taken(&self, items: usize) {
        if items > 0 {
            self.observers.each(|observer| observer.taken(&self.info, items));
        }
    }

    pub(crate) fn source_failed(&self, items: usize) {
        if items > 0 {
            self.observers.each(|observer| observer.source_failed(&self.info, items));
        }
    }

    pub(crate) fn handed_over(&self, first: u64, items: usize) {
        if items > 0 {
            self.observers.each(|observer| observer.handed_over(&self.info, first, items));
        }
    }

    pub(crate) fn failed(&self, error: &ItemError) {
        self.observers.each(|observer| observer.failed(&self.info, error));
    }

    pub(crate) fn skipped(&self, ends: Ends) {
        let Ends { skipped: items, reason, .. } = ends;
        if items > 0 {
            self.observers.each(|observer| observer.skipped(&self.info, items, reason));
        }
    }

    pub(crate) fn limit_changed(&self, before: usize, limit: usize) {
        self.observers.each(|observer| observer.limit_changed(&self.info, before, limit));
    }

    pub(crate) fn concurrency_changed(&self, before: usize, workers: usize) {
        self.observers.each(|observer| observer.concurrency_changed(&self.info, before, workers));
    }

    pub(crate) fn ended(&self, stats: &Stats) {
        self.observers.each(|observer| observer.run_ended(&self.info, stats));
    }

    /// What an item that is submitted takes along.
    pub(crate) fn submitted(self: &Arc<Self>) -> Submitted {
        Submitted { observed: Arc::clone(self), contexts: Contexts::capture(&self.observers, &self.info) }
    }

    /// A batch of a pipeline.
    pub(crate) fn batch(self: &Arc<Self>) -> Submitted {
        Submitted { observed: Arc::clone(self), contexts: Arc::clone(&self.context) }
    }
}

impl fmt::Debug for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Observed").field(&self.info).finish()
    }
}

/// What each observer took along, in their order.
struct Contexts(Vec<Option<Context>>);

impl Contexts {
    fn capture(observers: &Observers, info: &RunInfo) -> Arc<Self> {
        let context = |observer: &Arc<dyn Observer>| catch(|| observer.context(info)).unwrap_or(None);
        Arc::new(Self(observers.0.iter().map(context).collect()))
    }
}

impl Drop for Contexts {
    fn drop(&mut self) {
        self.0.drain(..).for_each(discard);
    }
}

/// What was queued, as its observers see it.
pub(crate) struct Submitted {
    observed: Arc<Observed>,
    contexts: Arc<Contexts>,
}

impl Submitted {
    /// `worker` begins it, at `now`. It was queued since `at`.
    pub(crate) fn begin(self, worker: usize, first: u64, items: usize, at: Instant, now: Instant) -> Stretch {
        let Self { observed, contexts } = self;
        let waited = now.saturating_duration_since(at);
        Stretch { observed, contexts, first, items, worker, waited, began: now }
    }
}

/// What crosses the border of the process.
#[cfg(feature = "nats")]
impl Observed {
    /// The trace that is to go on in other processes. Called on the thread that starts the run.
    pub(crate) fn inject(&self) -> Option<TraceContext> {
        self.observers.0.iter().find_map(|observer| catch(|| observer.inject(&self.info)).unwrap_or(None))
    }

    /// As [`submitted`](Self::submitted), for what came from another process, with the trace that it belongs to.
    pub(crate) fn submitted_of(self: &Arc<Self>, trace: Option<&TraceContext>) -> Submitted {
        let Some(trace) = trace else { return self.submitted() };
        let extract = |observer: &Arc<dyn Observer>| catch(|| observer.extract(&self.info, trace)).unwrap_or(None);
        let contexts = Arc::new(Contexts(self.observers.0.iter().map(extract).collect()));
        Submitted { observed: Arc::clone(self), contexts }
    }
}

#[cfg(all(feature = "nats", feature = "testing"))]
impl Observed {
    /// Runs a job on this thread, as a thread of a pool runs an item: for simulated nodes.
    pub(crate) fn run_here<T>(self: &Arc<Self>, trace: Option<&TraceContext>, work: impl FnOnce() -> T) -> Option<T> {
        self.taken(1);
        let now = Instant::now();
        let stretch = self.submitted_of(trace).begin(0, 0, 1, now, now);
        let (mut work, mut result) = (Some(work), None);
        stretch.enter(&mut || result = work.take().map(|work| work()));
        stretch.ended(Ends { completed: 1, ..Ends::default() });
        result
    }
}

#[cfg(feature = "nats")]
impl Submitted {
    /// It has run in another process, on the node of the number `node`, for `ran`.
    pub(crate) fn tell(self, node: usize, first: u64, ends: Ends, queued_at: Instant, ran: Duration) {
        let (now, items) = (Instant::now(), ends.completed + ends.failed);
        let began = now.checked_sub(ran).unwrap_or(now);
        let stretch = self.begin(node, first, items, queued_at, began);
        for (at, observer) in stretch.observed.observers.0.iter().enumerate() {
            _ = catch(|| observer.begun(&stretch.observed.info, &stretch.begun(at)));
        }
        stretch.ended(ends);
    }
}

/// What a worker thread begins and ends together, as its observers see it.
#[derive(Clone)]
pub(crate) struct Stretch {
    observed: Arc<Observed>,
    contexts: Arc<Contexts>,
    first: u64,
    items: usize,
    worker: usize,
    waited: Duration,
    began: Instant,
}

/// The portions in which the items of a stretch run.
pub(crate) struct Portions<'a> {
    stretch: &'a Stretch,
    ends: Ends,
}

impl Stretch {
    /// Runs `work`, which runs the items in portions, in the scope of the observers.
    pub(crate) fn run(self, work: impl FnOnce(&mut Portions<'_>)) {
        let mut portions = Portions { stretch: &self, ends: Ends::default() };
        if portions.are_items() {
            return work(&mut portions);
        }
        let mut work = Some(work);
        self.enter(&mut || {
            if let Some(work) = work.take() {
                work(&mut portions);
            }
        });
        self.ended(portions.ends);
    }

    fn enter(&self, work: &mut dyn FnMut()) {
        for (at, observer) in self.observed.observers.0.iter().enumerate() {
            _ = catch(|| observer.begun(&self.observed.info, &self.begun(at)));
        }
        self.enter_from(0, work);
    }

    /// Runs `work` in the scope of the observers from the number `at` on.
    fn enter_from(&self, at: usize, work: &mut dyn FnMut()) {
        let Some(observer) = self.observed.observers.0.get(at) else { return work() };
        let mut has_run = false;
        _ = catch(|| {
            observer.in_scope(&self.observed.info, &self.begun(at), &mut || {
                if !mem::replace(&mut has_run, true) {
                    self.enter_from(at + 1, work);
                }
            });
        });
        // The items are run whatever the observer does.
        if !has_run {
            self.enter_from(at + 1, work);
        }
    }

    fn begun(&self, at: usize) -> Begun {
        let Self { first, items, worker, waited, .. } = *self;
        Begun { first, items, worker, waited, context: self.context(at) }
    }

    fn ended(&self, ends: Ends) {
        let Self { first, worker, waited, .. } = *self;
        let Ends { completed, failed, skipped: stopped, .. } = ends;
        let ran = self.began.elapsed();
        for (at, observer) in self.observed.observers.0.iter().enumerate() {
            let ended = Ended { first, completed, failed, stopped, worker, waited, ran, context: self.context(at) };
            _ = catch(|| observer.ended(&self.observed.info, &ended));
        }
    }

    fn context(&self, at: usize) -> Option<Context> {
        self.contexts.0.get(at).cloned().flatten()
    }
}

impl Portions<'_> {
    /// True if each item is a stretch of its own: then a portion has one item.
    pub(crate) fn are_items(&self) -> bool {
        self.stretch.observed.wants_items
    }

    /// Runs a portion by `run`.
    pub(crate) fn run<I, O: 'static>(
        &mut self,
        portion: &mut Portion<I, O>,
        run: impl FnOnce(&mut Portion<I, O>) -> bool,
    ) -> bool {
        let mut goes_on = false;
        let mut run = Some(run);
        let mut run_it = |portion: &mut Portion<I, O>| {
            if let Some(run) = run.take() {
                goes_on = run(portion);
                portion.failures().for_each(|error| self.stretch.observed.failed(error));
            }
        };
        if self.stretch.observed.wants_items {
            let item = Stretch { first: portion.first(), items: 1, began: Instant::now(), ..self.stretch.clone() };
            item.enter(&mut || run_it(portion));
            item.ended(portion.ends());
        } else {
            run_it(portion);
            let Ends { completed, failed, skipped, .. } = portion.ends();
            self.ends.completed += completed;
            self.ends.failed += failed;
            self.ends.skipped += skipped;
        }
        goes_on
    }
}
