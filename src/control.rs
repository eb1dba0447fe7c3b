//! What the actors of one pipeline share: the protocol's state behind a lock, and what must be seen without one.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
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
    /// The protocol's phase again, for those who look at it before every item. `Relaxed` suffices to read it: it only
    /// ever grows, nothing else is published through it, and what must agree with it is decided under the lock.
    phase: AtomicU8,
    /// The generator, when it waits for credit, for demand or for the end.
    pump: AtomicWaker,
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
            pump: AtomicWaker::new(),
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
        let before = self.phase.fetch_max(phase as u8, SeqCst);
        if before < phase as u8 {
            self.protocol().advance(phase);
            self.pump.wake();
            match phase {
                Phase::Running => {}
                Phase::Draining => log::info!("fan-out draining: no more items are taken"),
                Phase::Stopped => log::info!("fan-out stopped: what has not begun is skipped"),
            }
        }
    }

    /// Ends the pipeline with an error. The first error stays.
    pub(crate) fn fail(&self, error: PipelineError, phase: Phase) {
        if self.error.set(error.clone()).is_ok() {
            log::warn!("{error}");
        }
        self.advance(phase);
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

    pub(crate) fn pump(&self) -> &AtomicWaker {
        &self.pump
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

    pub(crate) async fn workers_gone(&self) {
        let mut alive = self.alive.subscribe();
        // The sender lives in `self`, so the channel can't close while this waits.
        let _ = alive.wait_for(|alive| *alive == 0).await;
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

/// The credit and the accounting of a batch, carried in it: whatever becomes of the batch, dropping its ticket ends its
/// items, returns their credit and wakes the generator.
#[derive(Debug)]
pub(crate) struct Ticket {
    control: Arc<Control>,
    items: usize,
    completed: usize,
    failed: usize,
    measured: Option<(usize, Duration)>,
    outstanding: bool,
}

impl Ticket {
    /// Hands `items` out; also returns the index of the first.
    pub(crate) fn hand_out(control: &Arc<Control>, items: usize) -> (u64, Self) {
        let first = control.protocol().hand_out(items);
        (first, Self::new(control, items))
    }

    fn new(control: &Arc<Control>, items: usize) -> Self {
        Self { control: Arc::clone(control), items, completed: 0, failed: 0, measured: None, outstanding: true }
    }

    /// Cuts the last `items` off into a ticket of their own, for a batch that will be queued again.
    pub(crate) fn split_off(&mut self, items: usize) -> Self {
        debug_assert!(self.outstanding && self.completed + self.failed + items <= self.items);
        self.items -= items;
        self.control.protocol().split();
        Self::new(&self.control, items)
    }

    /// Tells how the items ended; the rest were skipped. `ran` of them kept the worker busy for `busy`.
    pub(crate) fn record(&mut self, completed: usize, failed: usize, ran: usize, busy: Duration) {
        debug_assert!(completed + failed <= self.items);
        (self.completed, self.failed, self.measured) = (completed, failed, Some((ran, busy)));
    }

    /// All of them completed.
    pub(crate) fn record_completed(&mut self) {
        self.completed = self.items;
    }

    pub(crate) fn items(&self) -> usize {
        self.items
    }

    /// The batch is neither queued nor running any more; its credit stays with it.
    pub(crate) fn finish(&mut self) {
        if std::mem::take(&mut self.outstanding) {
            self.control.protocol().finish(self.measured);
            self.control.pump.wake();
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let (completed, failed) = (self.completed, self.failed);
        let ends = Ends { completed, failed, skipped: self.items - completed - failed };
        {
            let mut protocol = self.control.protocol();
            if self.outstanding {
                protocol.finish(self.measured);
            }
            protocol.settle(ends);
        }
        self.control.pump.wake();
    }
}
