//! What the actors of one pipeline share: the protocol's state behind a lock, and what must be seen without one.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use futures::task::AtomicWaker;
use tokio::sync::watch;

use crate::error::PipelineError;
use crate::protocol::{Ends, Phase, Protocol};
use crate::stats::{Meter, Stats};

#[derive(Debug)]
pub(crate) struct Control {
    /// Taken once or twice a batch and held for a few nanoseconds. No code of users runs under it.
    protocol: Mutex<Protocol>,
    /// The protocol's phase again, for those who look at it before every item; written under the lock. `Relaxed`
    /// suffices to read it: it only ever grows, nothing else is published through it, and what must agree with it is
    /// decided under the lock.
    phase: AtomicU8,
    /// The generator, when it waits for credit, for demand or for the end.
    waker: AtomicWaker,
    /// Written by the consumer alone.
    emitted: AtomicU64,
    started: Instant,
    ended: OnceLock<Instant>,
    meters: Box<[Meter]>,
    /// Workers whose thread has not ended.
    alive: watch::Sender<usize>,
    /// The generator saw everything through, so the stream's end is the end of the pipeline.
    complete: AtomicBool,
    error: OnceLock<PipelineError>,
}

impl Control {
    pub(crate) fn new(protocol: Protocol, workers: usize) -> Self {
        Self {
            protocol: Mutex::new(protocol),
            phase: AtomicU8::new(Phase::Running as u8),
            waker: AtomicWaker::new(),
            emitted: AtomicU64::new(0),
            started: Instant::now(),
            ended: OnceLock::new(),
            meters: (0..workers).map(|_| Meter::default()).collect(),
            alive: watch::Sender::new(workers),
            complete: AtomicBool::new(false),
            error: OnceLock::new(),
        }
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

    /// Moves on to `phase` and wakes the generator, which waits for this among other things.
    pub(crate) fn advance(&self, phase: Phase) {
        self.advance_with(phase, || ());
    }

    /// Ends the pipeline with an error, unless it has ended already or was stopped: then the error is of no consequence.
    pub(crate) fn fail(&self, error: PipelineError, phase: Phase) {
        // A second error, after one that only drains, changes nothing.
        if !self.is_complete() && self.advance_with(phase, || drop(self.error.set(error.clone()))) {
            log::warn!("{error}");
        }
    }

    /// Moves on to `phase`, if that is a move; `and` happens before anybody can see it. Whether it was.
    fn advance_with(&self, phase: Phase, and: impl FnOnce()) -> bool {
        let moved = {
            let mut protocol = self.protocol();
            let moved = protocol.advance(phase);
            if moved {
                and();
                self.phase.store(phase as u8, SeqCst);
            }
            moved
        };
        if moved {
            match phase {
                Phase::Running => {}
                Phase::Draining => log::info!("fan-out draining: no more items are taken"),
                Phase::Stopped => log::info!("fan-out stopped: what has not begun is skipped"),
            }
            self.waker.wake();
        }
        moved
    }

    /// A batch is neither queued nor running any more.
    pub(crate) fn finish(&self, measured: Option<(usize, Duration)>) {
        let finished = {
            let mut protocol = self.protocol();
            protocol.finish(measured);
            protocol.is_finished()
        };
        if finished {
            // Those who wait for the workers wait for this too.
            self.alive.send_modify(|_| ());
        }
        self.waker.wake();
    }

    /// The items of a batch have ended.
    pub(crate) fn settle(&self, ends: Ends) {
        self.protocol().settle(ends);
        self.waker.wake();
    }

    pub(crate) fn error(&self) -> Option<&PipelineError> {
        self.error.get()
    }

    /// The generator has seen every batch finish and hands out no more.
    pub(crate) fn complete(&self) {
        self.complete.store(true, SeqCst);
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.complete.load(SeqCst)
    }

    /// Has `waker` woken when there may be credit, demand or an end. To be called before these are looked at: then no
    /// change can slip between the look and the wait.
    pub(crate) fn register(&self, waker: &Waker) {
        self.waker.register(waker);
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

    pub(crate) fn stats(&self) -> Stats {
        let now = Instant::now();
        let (ledger, batch_size) = {
            let protocol = self.protocol();
            (protocol.ledger(), protocol.batch_size())
        };
        Stats {
            taken: ledger.taken,
            completed: ledger.completed,
            failed: ledger.failed,
            skipped: ledger.skipped,
            in_flight: ledger.in_flight,
            emitted: self.emitted.load(Relaxed),
            batch_size,
            elapsed: *self.ended.get().unwrap_or(&now) - self.started,
            workers: self.meters.iter().map(|meter| meter.read(self.started, now)).collect(),
        }
    }

    /// Stops the clock.
    pub(crate) fn end(&self) {
        self.ended.get_or_init(Instant::now);
    }

    /// A worker's thread is done with everything of the user's.
    fn worker_gone(&self) {
        let mut last = false;
        self.alive.send_modify(|alive| {
            *alive -= 1;
            last = *alive == 0;
            if last {
                // Before those who wait for the last worker read the time.
                self.end();
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

    /// Waits until every worker's thread is done with everything of the user's.
    pub(crate) async fn workers_gone(&self) {
        let mut alive = self.alive.subscribe();
        // The sender lives in `self`, so the channel can't close while this waits.
        let _ = alive.wait_for(|alive| *alive == 0).await;
    }

    /// Waits for the workers, and for batches that are lost on their way, as in the mailbox of an actor whose System
    /// stops.
    pub(crate) async fn over(&self) {
        let mut alive = self.alive.subscribe();
        let _ = alive.wait_for(|alive| *alive == 0 && self.protocol().is_finished()).await;
    }
}

/// Held by a worker actor, of which each thread of the pool has exactly one; dropped after the user's `Work`.
#[derive(Debug)]
pub(crate) struct Presence(pub(crate) Arc<Control>);

impl Drop for Presence {
    fn drop(&mut self) {
        self.0.worker_gone();
    }
}
