//! The state of a run: the protocol behind its lock, and what is read without the lock.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{OnceLock, PoisonError};
use std::time::Instant;

use crate::end::End;
use crate::error::PipelineError;
use crate::protocol::{BoundTimes, Ending, Phase, Protocol};
use crate::stats::Verdict;
use crate::util::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed, Ordering::SeqCst};
use crate::util::sync::{Mutex, MutexGuard};

/// Knows no actors, wakers or threads. [`Run`](crate::engine::run::Run) and the front doors change it, and then wake
/// the tasks that wait for the change.
pub(crate) struct State {
    /// Taken once or twice per batch and held for a few nanoseconds. No code of users runs under it.
    protocol: Mutex<Timed>,
    started: Instant,
    /// A copy of the protocol's phase, for workers that read it before every item; written under the lock. `Relaxed`
    /// suffices to read it: it only ever grows, nothing else is published through it, and what must agree with it is
    /// decided under the lock.
    phase: AtomicU8,
    /// Set under the protocol's lock.
    error: OnceLock<PipelineError>,
    /// The stream was dropped, so no result will be taken any more.
    abandoned: AtomicBool,
}

impl State {
    pub(crate) fn new(protocol: Protocol) -> Self {
        Self {
            protocol: Mutex::new(Timed { protocol, times: BoundTimes::default() }),
            started: Instant::now(),
            phase: AtomicU8::new(Phase::Running as u8),
            error: OnceLock::new(),
            abandoned: AtomicBool::new(false),
        }
    }

    /// Locks the protocol. Only a bug, whose assertion fired, can poison the lock; the counts are still useful then.
    pub(crate) fn protocol(&self) -> Locked<'_> {
        let timed = self.protocol.lock().unwrap_or_else(PoisonError::into_inner);
        Locked { timed, started: self.started }
    }

    /// Returns true if items are still taken in.
    #[inline]
    pub(crate) fn is_running(&self) -> bool {
        self.phase.load(Relaxed) == Phase::Running as u8
    }

    /// Returns true if items that have not begun are skipped.
    #[inline]
    pub(crate) fn is_stopped(&self) -> bool {
        self.phase.load(Relaxed) == Phase::Stopped as u8
    }

    /// Runs `step`, which returns true if it changed the phase. Returns the new phase if it did.
    pub(crate) fn change_phase(&self, step: impl FnOnce(&mut Protocol) -> bool) -> Option<Phase> {
        let mut protocol = self.protocol();
        let phase = step(&mut protocol).then(|| protocol.phase())?;
        // Before the lock is released: the next thread that takes it finds the copy up to date.
        self.phase.store(phase as u8, SeqCst);
        Some(phase)
    }

    /// Moves on to `phase` because of `error`. Returns the phase if that was a change: otherwise the run had ended, was
    /// stopped, or drains because of an earlier error, and this one is of no consequence.
    pub(crate) fn fail(&self, error: &PipelineError, phase: Phase) -> Option<Phase> {
        self.change_phase(|protocol| {
            let changed = protocol.advance(phase);
            if changed {
                // Fails if an earlier error only drained: a second one changes the phase, but the first one is
                // reported.
                let _ = self.error.set(error.clone());
            }
            changed
        })
    }

    /// Why the run ended without being asked to.
    pub(crate) fn error(&self) -> Option<&PipelineError> {
        self.error.get()
    }

    /// How the run ended; `None` while it goes on.
    pub(crate) fn end(&self) -> Option<End> {
        self.end_of(&self.protocol())
    }

    /// [`end`](Self::end), for a caller that holds the lock.
    pub(crate) fn end_of(&self, protocol: &Protocol) -> Option<End> {
        let ending = protocol.end()?;
        Some(match (self.error(), ending) {
            (Some(error), _) => End::Failed(error.clone()),
            (None, Ending::Complete) => End::Complete,
            (None, Ending::Drained) => End::Drained,
            (None, Ending::Stopped) => End::Stopped,
        })
    }

    /// Records that no result will be taken any more.
    pub(crate) fn abandon(&self) {
        self.abandoned.store(true, Relaxed);
    }

    /// Returns true if no result will be taken any more. `Relaxed` suffices: results that are sent nevertheless are
    /// dropped where they arrive.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.abandoned.load(Relaxed)
    }
}

/// The protocol, and how long what has limited the throughput.
#[derive(Debug)]
struct Timed {
    protocol: Protocol,
    times: BoundTimes,
}

/// The protocol while it is locked. What limits the throughput is looked at in the end, so that no change is missed.
pub(crate) struct Locked<'a> {
    timed: MutexGuard<'a, Timed>,
    started: Instant,
}

impl Locked<'_> {
    /// What has limited the throughput, up to now.
    pub(crate) fn verdict(&self) -> Option<Verdict> {
        self.timed.times.verdict(self.started.elapsed())
    }
}

impl Deref for Locked<'_> {
    type Target = Protocol;

    #[inline]
    fn deref(&self) -> &Protocol {
        &self.timed.protocol
    }
}

impl DerefMut for Locked<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Protocol {
        &mut self.timed.protocol
    }
}

impl Drop for Locked<'_> {
    #[inline]
    fn drop(&mut self) {
        let Timed { protocol, times } = &mut *self.timed;
        let bottleneck = protocol.bottleneck();
        if !times.is(bottleneck) {
            times.change(bottleneck, self.started.elapsed());
        }
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("protocol", &self.protocol).field("error", &self.error).finish_non_exhaustive()
    }
}
