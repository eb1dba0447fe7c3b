//! What is measured of a run: how long its workers were busy, and how many results were taken.

use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

#[cfg(feature = "nats")]
use crate::backend::wire::NodeState;
use crate::engine::times::Times;
use crate::stats::{CurrentItem, NodeStats, Stats, WorkerStats};
use crate::util::clock::{self, CLOCK};

/// The counters of a run on which no decision depends. Those on which one does are in the protocol.
#[derive(Debug)]
pub(crate) struct Metrics {
    started: Instant,
    workers: Box<[WorkerMetrics]>,
    /// How many batches nodes in other processes may have, if these do the work.
    slots: usize,
    /// What nodes in other processes did.
    nodes: Mutex<Vec<NodeMetrics>>,
    /// Results taken. The one consumer of a pipeline stores its count, those of a pool add to it.
    emitted: AtomicU64,
    /// How long items were queued, and how long they ran.
    waits: Times,
    runs: Times,
}

impl Metrics {
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            started: Instant::now(),
            workers: (0..workers).map(|_| WorkerMetrics::default()).collect(),
            slots: 0,
            nodes: Mutex::default(),
            emitted: AtomicU64::new(0),
            waits: Times::default(),
            runs: Times::default(),
        }
    }

    /// Of a run with so many slots on nodes in other processes.
    #[cfg(feature = "nats")]
    pub(crate) fn of_nodes(slots: usize) -> Self {
        Self { slots, ..Self::new(0) }
    }

    /// The number of its workers, or of its slots on nodes; 0 for a merged stream.
    pub(crate) fn workers(&self) -> usize {
        self.workers.len().max(self.slots)
    }

    /// Records that a batch of `items` has ended on the node of this name, where it ran for `busy`, and what the node tells
    /// of itself. Returns the node's number.
    #[cfg(feature = "nats")]
    pub(crate) fn node_ended(&self, name: &str, state: NodeState, items: u32, busy: Duration) -> usize {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        let at = nodes.iter().position(|node| &*node.name == name).unwrap_or_else(|| {
            if nodes.len() == MAX_NODES {
                // The one that was silent for longest has ended, or the names are made up.
                let oldest = (0..nodes.len()).min_by_key(|&at| nodes[at].heard).expect("there are some");
                nodes.remove(oldest);
            }
            nodes.push(NodeMetrics {
                name: name.into(),
                items: 0,
                batches: 0,
                busy: Duration::ZERO,
                slots: 0,
                in_flight: 0,
                is_draining: false,
                heard: self.started,
            });
            nodes.len() - 1
        });
        let node = &mut nodes[at];
        node.items += u64::from(items);
        node.batches += 1;
        node.busy += busy;
        node.tells(state);
        at
    }

    /// Records what the node of this name tells of itself, without a batch.
    #[cfg(feature = "nats")]
    pub(crate) fn node_told(&self, name: &str, state: NodeState) {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(node) = nodes.iter_mut().find(|node| &*node.name == name) {
            node.tells(state);
        }
    }

    /// When the run started.
    #[cfg(feature = "testing")]
    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// Records that `worker` began a batch.
    pub(crate) fn batch_began(&self, worker: usize, now: Instant) {
        self.workers[worker].batch_began(now - self.started);
    }

    /// Records that the batch has ended, after `busy`, in which `items` began.
    pub(crate) fn batch_ended(&self, worker: usize, busy: Duration, items: usize) {
        self.workers[worker].batch_ended(busy, items);
    }

    /// Records that `items` were queued for so long each.
    pub(crate) fn waited(&self, time: Duration, items: usize) {
        self.waits.record(time, items);
    }

    /// Records that `items` ran for so long each.
    pub(crate) fn ran(&self, time: Duration, items: usize) {
        self.runs.record(time, items);
    }

    /// Of `worker`, to record which item it runs.
    pub(crate) fn progress(&self, worker: usize) -> &Progress {
        &self.workers[worker].progress
    }

    /// Records that `worker` lost its `Work` to a panic.
    pub(crate) fn rebuilt(&self, worker: usize) {
        add(&self.workers[worker].rebuilt, 1);
    }

    #[inline]
    pub(crate) fn set_emitted(&self, emitted: u64) {
        self.emitted.store(emitted, Relaxed);
    }

    pub(crate) fn add_emitted(&self) {
        self.emitted.fetch_add(1, Relaxed);
    }

    /// Fills in what is measured here: `now`, or when the run had `ended`.
    pub(crate) fn read(&self, stats: &mut Stats, now: Instant, ended: Option<Instant>) {
        stats.emitted = self.emitted.load(Relaxed);
        stats.elapsed = ended.unwrap_or(now) - self.started;
        (stats.queue_wait, stats.run_time) = (self.waits.read(), self.runs.read());
        stats.nodes =
            self.nodes.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|node| node.read(now)).collect();
        if self.workers() == 0 {
            // A merged stream, of which no worker could be waited for.
            stats.verdict = None;
        }
        stats.workers = self.workers.iter().map(|worker| worker.read(now, now - self.started)).collect();
    }
}

/// The most nodes of which is told what they did.
#[cfg(feature = "nats")]
const MAX_NODES: usize = 4096;

/// What one node did.
#[derive(Debug)]
struct NodeMetrics {
    name: Arc<str>,
    items: u64,
    batches: u64,
    busy: Duration,
    slots: u32,
    in_flight: u32,
    is_draining: bool,
    heard: Instant,
}

impl NodeMetrics {
    #[cfg(feature = "nats")]
    fn tells(&mut self, NodeState { slots, in_flight, is_draining }: NodeState) {
        // What is sent at a time comes in any order, and a node that drains has fewer and fewer.
        let most = if self.is_draining { self.in_flight } else { u32::MAX };
        (self.slots, self.in_flight) = (slots, in_flight.min(most));
        self.is_draining |= is_draining;
        self.heard = Instant::now();
    }

    fn read(&self, now: Instant) -> NodeStats {
        let Self { items, batches, busy, heard, is_draining, .. } = *self;
        let (slots, in_flight, name) = (self.slots as usize, self.in_flight as usize, Arc::clone(&self.name));
        let silent = now.saturating_duration_since(heard);
        NodeStats { name, items, batches, busy, slots, in_flight, draining: is_draining, silent }
    }
}

/// A worker's own counters. Only its thread writes them, so a load and a store suffice to add. A reader may see some
/// counters with a batch and others without it; no invariant depends on them.
///
/// Aligned to its own cache lines: it is written for each item, which must not slow other workers down.
#[derive(Debug, Default)]
#[repr(align(128))]
struct WorkerMetrics {
    busy: AtomicU64,
    items: AtomicU64,
    batches: AtomicU64,
    rebuilt: AtomicU64,
    /// Nanoseconds from the run's start to that of the running batch, plus 1; 0 when idle.
    since: AtomicU64,
    progress: Progress,
}

/// The item that a worker runs. It costs two stores per item.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Its index plus 1; 0 while no batch runs.
    item: AtomicU64,
    /// When it began, by the coarse clock, which stands still while no batch of several items runs.
    since: AtomicU64,
}

impl Progress {
    #[inline]
    pub(crate) fn item_began(&self, index: u64) {
        self.since.store(CLOCK.coarse(), Relaxed);
        // Afterwards: a reader that finds this item finds a time that is not before it, and no item seems to run for as
        // long as the one before it did.
        self.item.store(index + 1, Release);
    }

    fn clear(&self) {
        self.item.store(0, Relaxed);
    }

    /// `batch`: how long the batch has run, which is no shorter.
    fn read(&self, now: Instant, batch: Duration) -> Option<CurrentItem> {
        let index = self.item.load(Acquire).checked_sub(1)?;
        let item = Duration::from_nanos(clock::nanos(now).saturating_sub(self.since.load(Relaxed)));
        Some(CurrentItem { index, running: item.min(batch) })
    }
}

impl WorkerMetrics {
    fn batch_began(&self, since_start: Duration) {
        self.since.store(nanos(since_start) + 1, Relaxed);
    }

    fn batch_ended(&self, busy: Duration, items: usize) {
        self.progress.clear();
        add(&self.busy, nanos(busy));
        add(&self.items, items as u64);
        add(&self.batches, 1);
        self.since.store(0, Relaxed);
    }

    fn read(&self, now: Instant, since_start: Duration) -> WorkerStats {
        let running = match self.since.load(Relaxed) {
            0 => 0,
            since => nanos(since_start).saturating_sub(since - 1),
        };
        WorkerStats {
            busy: Duration::from_nanos(self.busy.load(Relaxed) + running),
            items: self.items.load(Relaxed),
            batches: self.batches.load(Relaxed),
            rebuilt: self.rebuilt.load(Relaxed),
            current: self.progress.read(now, Duration::from_nanos(running)),
        }
    }
}

fn add(counter: &AtomicU64, more: u64) {
    counter.store(counter.load(Relaxed) + more, Relaxed);
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
