//! A run: one pipeline or one pool, from its start to its end. All its parts share a [`Run`]; its front door implements
//! [`Intake`].

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::engine::host::Host;
use crate::engine::metrics::Metrics;
use crate::engine::reentrancy::{self, SetId, unless_own};
use crate::engine::state::{Locked, State};
use crate::engine::tracker::Tracker;
use crate::error::{PipelineError, SettingError};
use crate::observe::Observed;
use crate::protocol::{Ending, Ends, Phase, Protocol};
use crate::stats::{Skips, Stats};
use crate::util::log;
use crate::util::sync::{Mutex, MutexGuard};

/// What every run has, whichever front door its items come from.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) state: State,
    pub(crate) tracker: Tracker,
    pub(crate) metrics: Metrics,
    /// `None` for a run without actors, as in a simulation.
    host: Option<Host>,
    /// What the application calls it.
    name: Option<Arc<str>>,
    observed: Option<Arc<Observed>>,
    /// Taken to change a setting that is kept in several places, so that all of them get the same one of two changes. No
    /// code of users runs under it; other locks are taken under it.
    changing: Mutex<()>,
}

impl Core {
    pub(crate) fn new(protocol: Protocol, workers: usize, host: Option<Host>) -> Self {
        Self {
            state: State::new(protocol),
            tracker: Tracker::new(usize::from(workers > 0)),
            metrics: Metrics::new(workers),
            host,
            name: None,
            observed: None,
            changing: Mutex::new(()),
        }
    }

    /// For a run whose workers are in other processes: here, its coordinator holds what is left to do.
    #[cfg(feature = "nats")]
    pub(crate) fn of_nodes(protocol: Protocol, host: Option<Host>) -> Self {
        Self { metrics: Metrics::of_nodes(protocol.workers()), ..Self::new(protocol, 1, host) }
    }

    pub(crate) fn named(self, name: Option<Arc<str>>, observed: Option<Arc<Observed>>) -> Self {
        Self { name, observed, ..self }
    }

    pub(crate) fn changing(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `None` if nothing observes it.
    #[inline]
    pub(crate) fn observed(&self) -> Option<&Arc<Observed>> {
        self.observed.as_ref()
    }
}

/// The admitting side of a run: the generator of a pipeline, the queue of a pool. It owns the run, and is told when
/// permits are released, batches are wanted, or the run ends.
pub(crate) trait Intake: Send + Sync {
    fn core(&self) -> &Core;

    /// The runs whose results are this one's items, as far as they are known.
    fn upstream(&self) -> &[Run] {
        &[]
    }

    /// The threads that serve the run, once it has joined them.
    fn set(&self) -> Option<SetId>;

    /// The phase has changed: rejects requests that can no longer be served, and wakes the tasks that wait.
    fn phase_changed(&self);

    /// A batch is neither queued nor running any more, or results were taken: so another batch may be wanted.
    fn batch_completed(&self);

    /// Ends items, and hands their permits to requests that wait for them before anything can see the permits free.
    fn release(&self, ends: Ends);

    /// Changes the window, and hands permits that are free by that to requests that wait for them, or wakes what asks the
    /// source. Returns the window before.
    fn set_window(&self, window: usize) -> usize;

    /// Changes how many threads work for the run at a time. Returns their number before.
    fn set_concurrency(&self, concurrency: usize) -> usize;

    /// Calls `look` with the number of items that have a permit and have not begun, and of those that wait for one, at
    /// an instant at which neither can change.
    fn look(&self, look: &mut dyn FnMut(usize, usize));

    /// Returns true if every batch has completed and none will be handed out: then the loss of a part is no error.
    fn is_complete(&self) -> bool;
}

/// A pipeline's or a pool's run. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Run(Arc<dyn Intake>);

impl Deref for Run {
    type Target = Core;

    fn deref(&self) -> &Core {
        self.0.core()
    }
}

impl Run {
    pub(crate) fn new(intake: Arc<impl Intake + 'static>) -> Self {
        Self(intake)
    }

    /// A reference that doesn't keep the run alive.
    pub(crate) fn downgrade(&self) -> WeakRun {
        WeakRun(Arc::downgrade(&self.0))
    }

    /// Identifies this run among those that exist.
    pub(crate) fn id(&self) -> reentrancy::RunId {
        reentrancy::RunId::of(&self.0)
    }

    /// Returns true if this thread belongs to the set that serves the run: it must not wait for it, since all threads of
    /// the set may come to do so.
    pub(crate) fn is_served_here(&self) -> bool {
        reentrancy::is_own(self.id()) || self.0.set().is_some_and(reentrancy::belongs_to)
    }

    /// Moves on to `phase`, if that is a later one.
    pub(crate) fn advance(&self, phase: Phase) {
        let changed = self.state.change_phase(|protocol| protocol.advance(phase));
        self.tell(changed);
        if changed == Some(Phase::Stopped) {
            self.stop_upstream();
        }
    }

    /// Stops the runs that this one consumes, before it returns. Their streams will be dropped, which stops them too,
    /// but later: by a task on an arbiter that may be busy, or by a consumer that may poll no more.
    pub(crate) fn stop_upstream(&self) {
        self.0.upstream().iter().for_each(|run| run.advance(Phase::Stopped));
    }

    /// The consumer left, having seen the end or not.
    pub(crate) fn abandon(&self) {
        self.state.abandon();
        self.tell(self.state.change_phase(Protocol::consumer_left));
    }

    /// No more items come. Where they are the results of other runs, this one ended as the worst of them did: a part
    /// that was cut short leaves the whole incomplete.
    pub(crate) fn source_ended(&self) {
        let mut ending = Ending::Complete;
        for run in self.0.upstream() {
            // Where its end wasn't seen, an adapter such as `take` had what it wanted of it, and ended by itself.
            let Some(seen) = run.state.protocol().ending_seen() else { continue };
            if let Some(error) = run.state.error() {
                return self.fail(error.clone(), Phase::Draining);
            }
            ending = ending.max(seen);
        }
        self.tell(self.state.change_phase(|protocol| protocol.source_ended(ending)));
    }

    /// The consumer saw the end of the stream.
    pub(crate) fn end_seen(&self) {
        self.state.protocol().end_seen();
        self.tracker.notify();
    }

    /// Ends the run with an error, unless it has ended already or was stopped: then the error is of no consequence.
    pub(crate) fn fail(&self, error: PipelineError, phase: Phase) {
        // Once every batch has completed, the results that wait for the consumer can't be lost.
        if !self.0.is_complete() {
            self.fail_with(error, phase);
        }
    }

    /// Ends the run with an error because its part `actor` was dropped too early: with its System, or alone.
    pub(crate) fn lose(&self, actor: &'static str) {
        // Every run drops its parts in the end. Only a loss needs to know whether the System runs, which takes a
        // message.
        if self.0.is_complete() || self.state.is_stopped() {
            return;
        }
        // When a System ends, its arbiters close before they drop the actors on them.
        let error = match &self.host {
            Some(host) if host.is_running() => PipelineError::ActorLost { actor },
            _ => PipelineError::SystemStopped,
        };
        self.fail(error, Phase::Stopped);
    }

    /// Ends the run with an error because results can't be delivered, even if all work has ended.
    pub(crate) fn fail_to_deliver(&self, error: PipelineError) {
        self.fail_with(error, Phase::Stopped);
    }

    fn fail_with(&self, error: PipelineError, phase: Phase) {
        let changed = self.state.fail(&error, phase);
        self.tell(changed);
        if changed.is_some() {
            log::warn!("{error}");
        }
        if phase == Phase::Stopped {
            self.stop_upstream();
        }
    }

    /// Logs a change of the phase, and wakes everything that waits for it.
    fn tell(&self, changed: Option<Phase>) {
        match changed {
            None => return,
            Some(Phase::Running) => {}
            Some(Phase::Draining) => log::info!("fan-out draining: no more items are taken"),
            Some(Phase::Stopped) => log::info!("fan-out stopped: what has not begun is skipped"),
        }
        self.0.phase_changed();
        self.tracker.notify();
    }

    /// A batch is neither queued nor running any more. `ends`: the number of its items, if they end only now.
    pub(crate) fn complete_batch(&self, measured: Option<(usize, Duration)>, ends: Option<usize>) {
        let finished = {
            let mut protocol = self.state.protocol();
            if let Some(items) = ends {
                protocol.end_batch(items);
            }
            protocol.complete_ended(measured);
            protocol.is_finished()
        };
        if finished {
            self.tracker.notify();
        }
        self.0.batch_completed();
    }

    /// Results were taken of which there were too many.
    pub(crate) fn results_taken(&self) {
        self.0.batch_completed();
    }

    /// The items of a batch have ended.
    pub(crate) fn release(&self, ends: Ends) {
        self.0.release(ends);
        if let Some(observed) = self.observed() {
            observed.skipped(ends);
        }
    }

    /// Changes the window.
    pub(crate) fn set_window(&self, window: usize) -> Result<(), SettingError> {
        if window == 0 {
            return Err(SettingError::Window);
        }
        self.workers()?;
        let batch = self.state.protocol().fixed_batch();
        if let Some(batch) = batch.filter(|batch| *batch > window) {
            return Err(SettingError::Batch { batch, window });
        }
        let before = self.0.set_window(window);
        if let Some(observed) = self.observed_until_its_end() {
            observed.limit_changed(before, window);
        }
        Ok(())
    }

    /// Changes how many threads work for the run at a time.
    pub(crate) fn set_concurrency(&self, threads: usize) -> Result<(), SettingError> {
        if threads == 0 {
            return Err(SettingError::Concurrency);
        }
        let threads = threads.min(self.workers()?);
        let before = self.0.set_concurrency(threads);
        if let Some(observed) = self.observed_until_its_end() {
            observed.concurrency_changed(before, threads);
        }
        Ok(())
    }

    /// Its observers, unless they were told its end.
    fn observed_until_its_end(&self) -> Option<&Arc<Observed>> {
        self.observed().filter(|_| self.tracker.ended().is_none())
    }

    /// The number of its threads. A merged stream has none.
    fn workers(&self) -> Result<usize, SettingError> {
        Some(self.metrics.workers()).filter(|workers| *workers > 0).ok_or(SettingError::Merged)
    }

    /// The numbers at this instant.
    pub(crate) fn stats(&self) -> Stats {
        let now = Instant::now();
        let mut stats = Stats::default();
        self.look(&mut |protocol, queued, waiting| {
            let ledger = protocol.ledger();
            stats = Stats {
                taken: ledger.taken,
                completed: ledger.completed,
                failed: ledger.failed,
                skipped: ledger.skipped,
                skips: Skips { stopped: ledger.skipped - ledger.caller_gone, caller_gone: ledger.caller_gone },
                in_flight: ledger.in_flight,
                finished: ledger.finished,
                limit: protocol.limit(),
                concurrency: self.workers().is_ok().then(|| protocol.workers()),
                queued,
                waiting,
                batch_size: protocol.batch_size(),
                mean_service: protocol.mean_service(),
                end: self.state.end_of(protocol),
                name: self.name.clone(),
                verdict: protocol.verdict(),
                ..Stats::default()
            };
        });
        // After the locks are released, since workers wait for them.
        self.metrics.read(&mut stats, now, self.tracker.ended());
        stats
    }

    /// How long an item submitted now waits until it begins.
    pub(crate) fn expected_wait(&self) -> Option<Duration> {
        let mut wait = None;
        self.look(&mut |protocol, queued, waiting| wait = protocol.expected_wait(queued, waiting));
        wait
    }

    /// Looks at the protocol and at how many items are queued and how many wait, all at one instant.
    fn look(&self, look: &mut dyn FnMut(&Locked<'_>, usize, usize)) {
        self.0.look(&mut |queued, waiting| look(&self.state.protocol(), queued, waiting));
    }

    /// Waits until every worker thread has dropped all values of the user's, in the runs upstream as well.
    pub(crate) async fn workers_stopped(&self) -> Result<(), PipelineError> {
        for run in self.with_upstream() {
            run.wait_for(true, |_| true).await?;
        }
        Ok(())
    }

    /// Waits for the workers, and until every batch has completed: also those that are dropped on their way, as in the
    /// mailbox of an actor whose System stops.
    pub(crate) async fn wait(&self) -> Result<(), PipelineError> {
        self.wait_for(false, Protocol::is_finished).await
    }

    /// Waits for the end and for the workers, also those of the runs upstream. Their streams are dropped by then,
    /// unless they are only borrowed; a run that is borrowed and goes on isn't waited for. Returns the final numbers,
    /// or the error that ended the run.
    pub(crate) async fn finished(&self) -> Result<Stats, PipelineError> {
        self.wait_for(false, |protocol| protocol.is_finished() && protocol.end().is_some()).await?;
        for run in self.with_upstream().skip(1).filter(|run| !run.state.is_running()) {
            run.wait().await?;
        }
        match self.state.error() {
            Some(error) => Err(error.clone()),
            None => Ok(self.stats()),
        }
    }

    /// This run and those upstream, however far away, the nearest first.
    fn with_upstream(&self) -> impl Iterator<Item = &Self> {
        let mut next = vec![self];
        std::iter::from_fn(move || {
            let run = next.pop()?;
            next.extend(run.0.upstream());
            Some(run)
        })
    }

    /// Waits for the workers and for `condition`, and for the actors unless these `may_live`. On a thread that serves the
    /// run that is an error.
    async fn wait_for(&self, may_live: bool, condition: impl Fn(&Protocol) -> bool) -> Result<(), PipelineError> {
        unless_own(self, self.tracker.wait_until(may_live, || condition(&self.state.protocol()))).await
    }
}

/// A run that may be gone.
pub(crate) struct WeakRun(Weak<dyn Intake>);

impl WeakRun {
    pub(crate) fn upgrade(&self) -> Option<Run> {
        self.0.upgrade().map(Run)
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Run").field(&self.state).finish()
    }
}

/// Counts a thread as one that holds values of the user's, until it is dropped. Each worker has one and drops it after
/// its `Work`; so has a thread that drops results. The first is the run's own, which lets the workers come and go.
#[derive(Debug)]
pub(crate) struct WorkerGuard {
    run: Run,
}

impl WorkerGuard {
    /// The run's own, which the tracker has counted from the start. It is dropped when the run lets no more workers come.
    pub(crate) fn of_run(run: &Run) -> Self {
        Self { run: run.clone() }
    }

    /// Of a thread that holds something of the user's.
    pub(crate) fn of_another_thread(run: &Run) -> Self {
        run.tracker.enter();
        Self { run: run.clone() }
    }

    pub(crate) fn run(&self) -> &Run {
        &self.run
    }
}

impl Drop for WorkerGuard {
    fn drop(&mut self) {
        if self.run.tracker.leave() {
            let stats = self.run.stats();
            if let Some(observed) = self.run.observed() {
                observed.ended(&stats);
            }
            let Stats { taken, completed, failed, skipped, in_flight, elapsed, .. } = stats;
            log::info!(
                "fan-out ended after {elapsed:.3?}: {taken} items taken, {completed} completed, {failed} failed, \
                 {skipped} skipped, {in_flight} waiting for the consumer"
            );
        }
    }
}

/// Counts an actor as one that may hold values of the user's, until it is dropped.
pub(crate) struct PartGuard(Run);

impl PartGuard {
    pub(crate) fn of(run: &Run) -> Self {
        run.tracker.enter_part();
        Self(run.clone())
    }
}

impl Drop for PartGuard {
    fn drop(&mut self) {
        self.0.tracker.leave_part();
    }
}
