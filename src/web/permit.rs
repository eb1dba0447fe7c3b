//! A permit for one stream, and what all permits share: limit, phase, counts and the pipelines of open streams.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use tokio::sync::watch;

use crate::engine::run::Run;
use crate::protocol;
use crate::util::waker::caught;

/// The state of a [`Streams`](super::Streams).
pub(super) struct Shared {
    limit: usize,
    /// The number of permits that are taken.
    taken: watch::Sender<usize>,
    phase: watch::Sender<Phase>,
    open: Mutex<Open>,
    refused: AtomicU64,
    stalled: AtomicU64,
}

/// The pipelines of the open streams, by the number of their permit. No user code runs under its lock.
#[derive(Default)]
struct Open {
    last: u64,
    runs: HashMap<u64, Vec<Run>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Open,
    /// No new streams.
    Closed,
    Draining,
    Stopped,
}

impl Shared {
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit,
            taken: watch::Sender::new(0),
            phase: watch::Sender::new(Phase::Open),
            open: Mutex::default(),
            refused: AtomicU64::new(0),
            stalled: AtomicU64::new(0),
        })
    }

    pub(super) fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Takes a permit; `None` if all are taken.
    pub(super) fn permit(self: &Arc<Self>) -> Option<Permit> {
        let free = |taken: &mut usize| {
            let free = *taken < self.limit;
            *taken += usize::from(free);
            free
        };
        let free = self.taken.send_if_modified(free);
        free.then(|| Permit { phases: self.phase.subscribe(), shared: Arc::clone(self), registered: None })
    }

    /// Counts a refusal.
    pub(super) fn refused(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    /// Advances to `phase`, unless it is there or beyond already, and drains or stops all runs accordingly.
    pub(super) fn advance(&self, phase: Phase) {
        let moved = self.phase.send_if_modified(|now| {
            let onward = phase > *now;
            *now = phase.max(*now);
            onward
        });
        if let Some(of_runs) = phase.of_runs().filter(|_| moved) {
            let runs: Vec<_> = self.open().runs.values().flatten().cloned().collect();
            runs.iter().for_each(|run| run.advance(of_runs));
        }
    }

    /// Waits until all permits are released.
    pub(super) async fn finished(&self) {
        let mut taken = self.taken.subscribe();
        // No error: the sender lives in `self`, so the channel is open.
        let _ = caught(taken.wait_for(|taken| *taken == 0)).await;
    }

    pub(super) fn stats(&self) -> StreamsStats {
        StreamsStats {
            open: *self.taken.borrow(),
            limit: self.limit,
            refused: self.refused.load(Relaxed),
            stalled: self.stalled.load(Relaxed),
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Phase {
    /// The phase of the runs, if this phase drains or stops them.
    fn of_runs(self) -> Option<protocol::Phase> {
        match self {
            Self::Open | Self::Closed => None,
            Self::Draining => Some(protocol::Phase::Draining),
            Self::Stopped => Some(protocol::Phase::Stopped),
        }
    }
}

/// The numbers of an application's streams: see [`Streams::stats`](super::Streams::stats). It is `Serialize`, as an
/// object with these fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamsStats {
    /// Permits that are taken: those of open streams, and of ended ones whose worker threads still run an item.
    pub open: usize,
    /// The largest number of permits at a time.
    pub limit: usize,
    /// How many times a permit was refused, because all were taken or the streams were closed.
    pub refused: u64,
    /// How many streams were cut off because their clients read nothing for too long.
    pub stalled: u64,
}

impl Serialize for StreamsStats {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { open, limit, refused, stalled } = self;
        let mut stats = serializer.serialize_struct("StreamsStats", 4)?;
        stats.serialize_field("open", open)?;
        stats.serialize_field("limit", limit)?;
        stats.serialize_field("refused", refused)?;
        stats.serialize_field("stalled", stalled)?;
        stats.end()
    }
}

/// The right to one stream of [`Streams`](super::Streams): see [`Streams::permit`](super::Streams::permit).
#[must_use = "attach it to the answer: a dropped permit is released"]
pub struct Permit {
    shared: Arc<Shared>,
    phases: watch::Receiver<Phase>,
    /// Its number, once it was given to a stream.
    registered: Option<u64>,
}

impl Permit {
    /// Registers the pipelines of the permit's stream: from now on they are drained and stopped with those of the
    /// others.
    pub(super) fn register(&mut self, runs: &[Run]) {
        let id = {
            let mut open = self.shared.open();
            open.last += 1;
            let id = open.last;
            open.runs.insert(id, runs.to_vec());
            id
        };
        self.registered = Some(id);
        // Read after the insertion: an `advance` that this misses finds the runs in the map.
        if let Some(phase) = self.phases.borrow().of_runs() {
            runs.iter().for_each(|run| run.advance(phase));
        }
        // The guard must see a phase that was reached before the permit was given to its stream.
        self.phases.mark_changed();
    }

    /// Waits until the phase advances, and returns it.
    pub(super) async fn ending(&mut self) -> Phase {
        // No error: the sender lives in `self`.
        let _ = self.phases.changed().await;
        *self.phases.borrow_and_update()
    }

    /// Counts a stream that was cut off because its client read nothing.
    pub(super) fn stalled(&self) {
        self.shared.stalled.fetch_add(1, Relaxed);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(id) = self.registered {
            self.shared.open().runs.remove(&id);
        }
        self.shared.taken.send_modify(|taken| *taken -= 1);
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").finish_non_exhaustive()
    }
}
