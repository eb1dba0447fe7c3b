//! Numbers about a running or finished pipeline or pool.

use std::time::Duration;

use actix::Message;

use crate::end::End;
use crate::protocol::Ledger;

/// Where every item is, and what the workers did, at one instant.
///
/// `taken = completed + failed + skipped + in_flight` holds in every `Stats`: see [`accounted`](Self::accounted). Items
/// move by the batch that they travel in: they leave `in_flight` when the consumer has taken the last result of their
/// batch.
///
/// With the feature `serde` it is `Serialize`: an object with these fields under their names, but `mean_service_seconds`
/// and `elapsed_seconds` for the two durations, which are numbers of seconds.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Items taken from the source, or taken in by a pool: those that got credit.
    pub taken: u64,
    /// Items whose work returned. Their results may still have been dropped with the stream: see `emitted`.
    pub completed: u64,
    /// Items whose work panicked or returned an error, or that came as a failure from the source.
    pub failed: u64,
    /// Items whose work never began, or gave up ([`Stopped`](crate::Stopped)), because the pipeline or the pool was
    /// stopped, or because whoever submitted the item waits no more.
    pub skipped: u64,
    /// Items queued, running, or finished and not yet taken by the consumer. Never more than the window. A submitted item
    /// leaves when its work has ended; one fed into a [`PoolSink`](crate::PoolSink) when its result is taken, be that
    /// after [`Pool::drain`](crate::Pool::drain).
    pub in_flight: usize,
    /// Items in flight that no worker has begun, in a pool. A pipeline hands items out by the batch and counts them in
    /// `in_flight` alone: there it is 0.
    pub queued: usize,
    /// Submits that wait for credit, in a pool: not taken yet, and not part of the sum above. In a pipeline the source
    /// waits instead: 0.
    pub waiting: usize,
    /// Results that the consumer or those who submitted got, failures not counted. Exact from the stream itself; seen from
    /// elsewhere, as by a [`StopHandle`](crate::StopHandle), it may be 256 behind.
    pub emitted: u64,
    /// Items that the next batch would take.
    pub batch_size: usize,
    /// What an item keeps a worker busy for: the mean of the last 500 or so. `None` before the first one was measured.
    pub mean_service: Option<Duration>,
    /// How the pipeline or the pool ended; `None` while it goes on. See [`End`], also for what counts as the end.
    pub end: Option<End>,
    /// Since the start; stands still once the last worker is gone.
    pub elapsed: Duration,
    /// One entry a worker.
    pub workers: Vec<WorkerStats>,
}

impl Stats {
    /// The items that are accounted for: `completed + failed + skipped + in_flight`. It equals [`taken`](Self::taken)
    /// at every instant, which a test or a monitor may check.
    pub fn accounted(&self) -> u64 {
        let Self { taken, completed, failed, skipped, in_flight, .. } = *self;
        Ledger { taken, completed, failed, skipped, in_flight }.accounted()
    }
}

/// What one worker did.
///
/// `Serialize`, with the feature `serde`: `{"busy_seconds":0.75,"items":10,"batches":2,"rebuilt":0}`.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct WorkerStats {
    /// Time spent in batches, up to now if one is running.
    pub busy: Duration,
    /// Items begun.
    pub items: u64,
    /// Batches begun.
    pub batches: u64,
    /// How often its work was rebuilt after a panic.
    pub rebuilt: u64,
}

/// Asks a [`Generator`](crate::Generator) or an [`Aggregator`](crate::Aggregator) for the [`Stats`] of its pipeline.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot;

impl Message for Snapshot {
    type Result = Stats;
}
