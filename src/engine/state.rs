//! What the actors of one pipeline, or the workers of one pool, share: the protocol's state behind a lock, and what must be
//! seen without one.

use std::fmt;
use std::sync::{Arc, OnceLock, PoisonError};
use std::task::Context;
use std::time::{Duration, Instant};

use futures::task::AtomicWaker;
use tokio::sync::watch;

use crate::end::End;
use crate::engine::host::Host;
use crate::engine::reentrancy::unless_own;
use crate::error::PipelineError;
use crate::protocol::{Ending, Ends, Phase, Protocol};
use crate::stats::{Meter, Stats};
use crate::util::log;
use crate::util::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use crate::util::sync::{Mutex, MutexGuard};
use crate::util::waker::{CaughtWaker, caught};

/// Who takes items in, and is told when there may be credit, demand or an end.
pub(crate) enum Intake {
    /// Whoever pulls items out of a source, and registers to be woken.
    Source(AtomicWaker),
    /// The line of those who bring them.
    Line(Arc<dyn Submits>),
}

impl Intake {
    pub(crate) fn source() -> Self {
        Self::Source(AtomicWaker::new())
    }
}

/// The line in front of a pool, as seen by those who set credit free.
pub(crate) trait Submits: Send + Sync {
    /// The phase moved on: sends away whom it leaves no hope.
    fn advanced(&self, control: &Arc<Control>);

    /// Ends items, and gives their credit to those who wait for it, before anybody can see it free.
    fn settle(&self, ends: Ends, control: &Arc<Control>);

    /// How many have credit and have not begun, and how many wait for it, at the instant at which `look` is called.
    fn look(&self, look: &mut dyn FnMut(usize, usize));
}

pub(crate) struct Control {
    /// Taken once or twice a batch and held for a few nanoseconds. No code of users runs under it.
    protocol: Mutex<Protocol>,
    /// The protocol's phase again, for those who look at it before every item; written under the lock. `Relaxed`
    /// suffices to read it: it only ever grows, nothing else is published through it, and what must agree with it is
    /// decided under the lock.
    phase: AtomicU8,
    intake: Intake,
    /// Written by the one consumer of a pipeline, added to by those of a pool.
    emitted: AtomicU64,
    started: Instant,
    ended: OnceLock<Instant>,
    meters: Box<[Meter]>,
    /// Workers whose thread has not ended, and threads that drop results.
    alive: watch::Sender<usize>,
    /// The generator saw everything through, so the stream's end is the end of the pipeline.
    complete: AtomicBool,
    /// Set under the protocol's lock.
    error: OnceLock<PipelineError>,
    /// The runs whose results are this one's items, as far as they are known.
    upstream: Vec<Arc<Control>>,
    /// The stream was dropped, so no result will be taken any more.
    abandoned: AtomicBool,
    /// None where no actors are at work, as in a simulation.
    host: Option<Host>,
}

impl Control {
    pub(crate) fn new(mut protocol: Protocol, workers: usize, intake: Intake) -> Self {
        if matches!(intake, Intake::Line(_)) {
            protocol.answers_each();
        }
        Self {
            protocol: Mutex::new(protocol),
            phase: AtomicU8::new(Phase::Running as u8),
            intake,
            emitted: AtomicU64::new(0),
            started: Instant::now(),
            ended: OnceLock::new(),
            meters: (0..workers).map(|_| Meter::default()).collect(),
            alive: watch::Sender::new(workers),
            complete: AtomicBool::new(false),
            error: OnceLock::new(),
            upstream: Vec::new(),
            abandoned: AtomicBool::new(false),
            host: None,
        }
    }

    /// The same, with the System and the arbiter that it depends on.
    pub(crate) fn on(self, host: &Host) -> Self {
        Self { host: Some(host.clone()), ..self }
    }

    /// Its items are the results of the runs `upstream`.
    pub(crate) fn consuming(self, upstream: Vec<Arc<Control>>) -> Self {
        Self { upstream, ..self }
    }

    /// A panic can't happen while the lock is held, short of a bug whose assertion fired; then the counts still help.
    pub(crate) fn protocol(&self) -> MutexGuard<'_, Protocol> {
        self.protocol.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[inline]
    pub(crate) fn is_running(&self) -> bool {
        self.phase.load(Relaxed) == Phase::Running as u8
    }

    #[inline]
    pub(crate) fn is_stopped(&self) -> bool {
        self.phase.load(Relaxed) == Phase::Stopped as u8
    }

    /// Moves on to `phase` and tells the intake, which waits for this among other things.
    pub(crate) fn advance(self: &Arc<Self>, phase: Phase) {
        if self.move_on(|protocol| protocol.advance(phase)) && phase == Phase::Stopped {
            self.stop_upstream();
        }
    }

    /// Stops the runs that this one consumes, here and now. Their streams will be dropped, which stops them too, but by a
    /// task on an arbiter that may be busy, or by a consumer that polls no more.
    pub(crate) fn stop_upstream(&self) {
        self.upstream.iter().for_each(|run| run.advance(Phase::Stopped));
    }

    /// The consumer left, having seen the end or not.
    pub(crate) fn abandoned(self: &Arc<Self>) {
        self.abandoned.store(true, Relaxed);
        self.move_on(Protocol::abandoned);
    }

    /// The source has no more. Where it is made of other runs, it ended as the worst of them did: a part that was cut
    /// short leaves this whole incomplete.
    pub(crate) fn source_ended(self: &Arc<Self>) {
        let mut ending = Ending::Complete;
        for run in &self.upstream {
            // Where its end wasn't seen, an adapter such as `take` had what it wanted of it, and ended by itself.
            let Some(seen) = run.protocol().seen() else { continue };
            if let Some(error) = run.error() {
                return self.fail(error.clone(), Phase::Draining);
            }
            ending = ending.max(seen);
        }
        self.move_on(|protocol| protocol.source_ended(ending));
    }

    /// The consumer saw the end of the stream.
    pub(crate) fn end_seen(&self) {
        self.protocol().end_seen();
        self.tell_waiting();
    }

    /// Ends the pipeline with an error, unless it has ended already or was stopped: then the error is of no consequence.
    pub(crate) fn fail(self: &Arc<Self>, error: PipelineError, phase: Phase) {
        // Once everything was seen through, what waits for the consumer can't be lost.
        if !self.is_complete() {
            self.fail_with(error, phase);
        }
    }

    /// Ends the pipeline with an error because this part of it ended too early: with its System, or alone.
    pub(crate) fn lose(self: &Arc<Self>, actor: &'static str) {
        // Parts end with every pipeline; whether the System runs is asked only where it matters.
        if self.is_complete() || self.is_stopped() {
            return;
        }
        // When a System ends, its arbiters close before they drop the actors on them.
        let error = match &self.host {
            Some(host) if host.is_running() => PipelineError::ActorLost { actor },
            _ => PipelineError::SystemStopped,
        };
        self.fail(error, Phase::Stopped);
    }

    /// Ends the pipeline, of which all work may have ended, because results can't be delivered.
    pub(crate) fn fail_to_deliver(self: &Arc<Self>, error: PipelineError) {
        self.fail_with(error, Phase::Stopped);
    }

    fn fail_with(self: &Arc<Self>, error: PipelineError, phase: Phase) {
        let failed = self.move_on(|protocol| {
            let moved = protocol.advance(phase);
            if moved {
                // A second error, after one that only drains, changes nothing.
                let _ = self.error.set(error.clone());
            }
            moved
        });
        if failed {
            log::warn!("{error}");
        }
        if phase == Phase::Stopped {
            self.stop_upstream();
        }
    }

    /// Moves on to another phase, if `step` does. Returns true if it did.
    fn move_on(self: &Arc<Self>, step: impl FnOnce(&mut Protocol) -> bool) -> bool {
        let (moved, phase) = {
            let mut protocol = self.protocol();
            let moved = step(&mut protocol);
            let phase = protocol.phase();
            if moved {
                self.phase.store(phase as u8, SeqCst);
            }
            (moved, phase)
        };
        if moved {
            match phase {
                Phase::Running => {}
                Phase::Draining => log::info!("fan-out draining: no more items are taken"),
                Phase::Stopped => log::info!("fan-out stopped: what has not begun is skipped"),
            }
            match &self.intake {
                Intake::Source(waker) => waker.wake(),
                Intake::Line(line) => line.advanced(self),
            }
            self.tell_waiting();
        }
        moved
    }

    /// Has those who wait for the end look again.
    fn tell_waiting(&self) {
        self.alive.send_modify(|_| ());
    }

    /// A batch is neither queued nor running any more.
    pub(crate) fn finish(self: &Arc<Self>, measured: Option<(usize, Duration)>) {
        let finished = {
            let mut protocol = self.protocol();
            protocol.finish(measured);
            protocol.is_finished()
        };
        if finished {
            self.tell_waiting();
        }
        // A line waits for credit alone.
        if let Intake::Source(waker) = &self.intake {
            waker.wake();
        }
    }

    /// The items of a batch have ended.
    pub(crate) fn settle(self: &Arc<Self>, ends: Ends) {
        match &self.intake {
            Intake::Source(waker) => {
                self.protocol().settle(ends);
                waker.wake();
            }
            Intake::Line(line) => line.settle(ends, self),
        }
    }

    pub(crate) fn error(&self) -> Option<&PipelineError> {
        self.error.get()
    }

    /// How the run ended; `None` while it goes on.
    pub(crate) fn end(&self) -> Option<End> {
        self.end_of(&self.protocol())
    }

    fn end_of(&self, protocol: &Protocol) -> Option<End> {
        let ending = protocol.end()?;
        Some(match (self.error.get(), ending) {
            (Some(error), _) => End::Failed(error.clone()),
            (None, Ending::Complete) => End::Complete,
            (None, Ending::Drained) => End::Drained,
            (None, Ending::Stopped) => End::Stopped,
        })
    }

    /// The generator has seen every batch finish and hands out no more.
    pub(crate) fn complete(&self) {
        self.complete.store(true, SeqCst);
    }

    /// Everything was seen through, so no end of anything else is an error any more.
    pub(crate) fn is_complete(&self) -> bool {
        match self.intake {
            Intake::Source(_) => self.complete.load(SeqCst),
            Intake::Line(_) => self.protocol().is_finished(),
        }
    }

    /// Returns true if no result will be taken any more. `Relaxed` suffices: results that are sent nevertheless are dropped
    /// where they arrive.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.abandoned.load(Relaxed)
    }

    /// Has the task of `cx` woken when there may be credit, demand or an end. To be called before these are looked at:
    /// then no change can slip between the look and the wait.
    pub(crate) fn register(&self, waker: &mut CaughtWaker, cx: &Context<'_>) {
        if let Intake::Source(own) = &self.intake {
            waker.register(own, cx);
        }
    }

    pub(crate) fn meter(&self, worker: usize) -> &Meter {
        &self.meters[worker]
    }

    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    #[inline]
    pub(crate) fn set_emitted(&self, emitted: u64) {
        self.emitted.store(emitted, Relaxed);
    }

    pub(crate) fn add_emitted(&self) {
        self.emitted.fetch_add(1, Relaxed);
    }

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
                in_flight: ledger.in_flight,
                queued,
                waiting,
                batch_size: protocol.batch_size(),
                mean_service: protocol.mean_service(),
                end: self.end_of(protocol),
                ..Stats::default()
            };
        });
        // The rest is not the locks', which others wait for.
        stats.emitted = self.emitted.load(Relaxed);
        stats.elapsed = *self.ended.get().unwrap_or(&now) - self.started;
        stats.workers = self.meters.iter().map(|meter| meter.read(self.started, now)).collect();
        stats
    }

    /// How long an item submitted now waits until it begins.
    pub(crate) fn expected_wait(&self) -> Option<Duration> {
        let mut wait = None;
        self.look(&mut |protocol, queued, waiting| wait = protocol.expected_wait(queued, waiting));
        wait
    }

    /// Looks at the protocol and at how many items are queued and how many wait, all at one instant.
    fn look(&self, look: &mut dyn FnMut(&Protocol, usize, usize)) {
        let mut look = |queued, waiting| look(&self.protocol(), queued, waiting);
        match &self.intake {
            Intake::Source(_) => look(0, 0),
            Intake::Line(line) => line.look(&mut look),
        }
    }

    /// One more thread holds something of the user's.
    pub(crate) fn enter(control: &Arc<Self>) -> Presence {
        control.alive.send_modify(|alive| *alive += 1);
        Presence(Arc::clone(control))
    }

    /// Stops the clock.
    pub(crate) fn stop_clock(&self) {
        self.ended.get_or_init(Instant::now);
    }

    /// A worker's thread is done with everything of the user's.
    fn worker_gone(&self) {
        let mut last = false;
        self.alive.send_modify(|alive| {
            *alive -= 1;
            // A thread that came after the end doesn't end it again.
            last = *alive == 0 && self.ended.get().is_none();
            if last {
                // Before those who wait for the last worker read the time.
                self.stop_clock();
            }
        });
        if last {
            let Stats { taken, completed, failed, skipped, in_flight, elapsed, .. } = self.stats();
            log::info!(
                "fan-out ended after {elapsed:.3?}: {taken} items taken, {completed} completed, {failed} failed, \
                 {skipped} skipped, {in_flight} waiting for the consumer"
            );
        }
    }

    /// Waits until every worker's thread is done with everything of the user's, those upstream included.
    pub(crate) async fn workers_gone(&self) -> Result<(), PipelineError> {
        for run in self.with_upstream() {
            run.wait_for(|_| true).await?;
        }
        Ok(())
    }

    /// Waits for the workers, and for batches that are lost on their way, as in the mailbox of an actor whose System
    /// stops.
    pub(crate) async fn over(&self) -> Result<(), PipelineError> {
        self.wait_for(Protocol::is_finished).await
    }

    /// Waits for the end, for the workers, and for those upstream, whose streams are dropped by then unless they are only
    /// borrowed; such a one that goes on isn't waited for. Then it returns the final numbers, or why there is no such end.
    pub(crate) async fn ended(&self) -> Result<Stats, PipelineError> {
        self.wait_for(|protocol| protocol.is_finished() && protocol.end().is_some()).await?;
        for run in self.with_upstream().skip(1).filter(|run| !run.is_running()) {
            run.over().await?;
        }
        match self.error() {
            Some(error) => Err(error.clone()),
            None => Ok(self.stats()),
        }
    }

    /// This run and those upstream, however far away, the nearest first.
    fn with_upstream(&self) -> impl Iterator<Item = &Self> {
        let mut next = vec![self];
        std::iter::from_fn(move || {
            let run = next.pop()?;
            next.extend(run.upstream.iter().map(|run| &**run));
            Some(run)
        })
    }

    /// Waits for the workers and for `condition`. On one of the workers' threads that is an error.
    async fn wait_for(&self, condition: impl Fn(&Protocol) -> bool) -> Result<(), PipelineError> {
        let mut alive = self.alive.subscribe();
        let met = alive.wait_for(|alive| *alive == 0 && condition(&self.protocol()));
        // The sender lives in `self`, so the channel can't close while this waits.
        unless_own(self, caught(met)).await.map(drop)
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").field("protocol", &self.protocol).field("error", &self.error).finish_non_exhaustive()
    }
}

/// Held by a worker actor, of which each thread of the pool has exactly one, and dropped after the user's `Work`; and by a
/// thread that drops results.
#[derive(Debug)]
pub(crate) struct Presence(pub(crate) Arc<Control>);

impl Drop for Presence {
    fn drop(&mut self) {
        self.0.worker_gone();
    }
}
