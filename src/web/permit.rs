//! A permit for one stream, and what all of them share: limit, phase, counts and the pipelines that are open.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use tokio::sync::watch;

use crate::engine::intake::Run;
use crate::protocol;
use crate::util::waker::caught;

pub(super) struct Shared {
    limit: usize,
    /// How many permits are out.
    taken: watch::Sender<usize>,
    phase: watch::Sender<Phase>,
    open: Mutex<Open>,
    refused: AtomicU64,
    stalled: AtomicU64,
}

/// The pipelines of the streams that are open. No code of users runs under its lock.
#[derive(Default)]
struct Open {
    last: u64,
    runs: HashMap<u64, Vec<Run>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Open,
    /// Nothing new.
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

    /// A permit, unless all are out.
    pub(super) fn permit(self: &Arc<Self>) -> Option<Permit> {
        let free = |taken: &mut usize| {
            let free = *taken < self.limit;
            *taken += usize::from(free);
            free
        };
        let free = self.taken.send_if_modified(free);
        free.then(|| Permit { phases: self.phase.subscribe(), shared: Arc::clone(self), registered: None })
    }

    pub(super) fn refused(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    /// Moves on to `phase`, if that is further, and has all runs do the same.
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

    /// Waits until no permit is out.
    pub(super) async fn ended(&self) {
        let mut taken = self.taken.subscribe();
        // The sender lives in `self`, so the channel can't close while this waits.
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
    fn of_runs(self) -> Option<protocol::Phase> {
        match self {
            Self::Open | Self::Closed => None,
            Self::Draining => Some(protocol::Phase::Draining),
            Self::Stopped => Some(protocol::Phase::Stopped),
        }
    }
}

/// Numbers about the streams of an application: [`Streams::stats`](super::Streams::stats). It is `Serialize`: an object with these fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamsStats {
    /// Permits that are out: streams that are open, and those whose threads have not all left their last item.
    pub open: usize,
    /// Most permits at a time.
    pub limit: usize,
    /// How many times a permit was refused, because all were out or at the end.
    pub refused: u64,
    /// How many streams were ended because their clients took nothing for too long.
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
#[must_use = "give it to the answer: dropped, it bounds nothing"]
pub struct Permit {
    shared: Arc<Shared>,
    phases: watch::Receiver<Phase>,
    registered: Option<u64>,
}

impl Permit {
    /// The stream that it is for is made of these. They end with the others from now on.
    pub(super) fn register(&mut self, runs: &[Run]) {
        let id = {
            let mut open = self.shared.open();
            open.last += 1;
            let id = open.last;
            open.runs.insert(id, runs.to_vec());
            id
        };
        self.registered = Some(id);
        // Looked at afterwards: whoever moves it on later finds the runs.
        if let Some(phase) = self.phases.borrow().of_runs() {
            runs.iter().for_each(|run| run.advance(phase));
        }
        // What was decided before this was given to its stream is news to its guard.
        self.phases.mark_changed();
    }

    /// The phase, when it moves on.
    pub(super) async fn ending(&mut self) -> Phase {
        // The sender lives in `self`.
        let _ = self.phases.changed().await;
        *self.phases.borrow_and_update()
    }

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
