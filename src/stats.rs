//! Numbers about a running or finished pipeline or pool.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actix::Message;

use crate::end::End;
use crate::protocol::Ledger;

/// The number of items in each state, and what the workers did, at one instant.
///
/// `taken = completed + failed + skipped + in_flight` holds in every `Stats`: see [`accounted`](Self::accounted). Items
/// are counted by the batch: those of a batch leave `in_flight` when the consumer has taken the last result of that
/// batch.
///
/// With the feature `serde` it is `Serialize`: an object with these fields under their names, except the two durations,
/// which are numbers of seconds under the names `mean_service_seconds` and `elapsed_seconds`.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Stats {
    /// As it was named: [`FanOut::name`](crate::FanOut::name), [`PoolBuilder::name`](crate::PoolBuilder::name).
    pub name: Option<Arc<str>>,
    /// Items taken from the source, or admitted by a pool: those that got a permit.
    pub taken: u64,
    /// Items whose work returned. Their results may have been dropped with the stream: see `emitted`.
    pub completed: u64,
    /// Items whose work panicked or returned an error, and errors that the source yielded.
    pub failed: u64,
    /// Items that were cancelled, since the pipeline or the pool was stopped, or since the caller that submitted the
    /// item dropped its future: their work never began, or returned [`Stopped`](crate::Stopped).
    pub skipped: u64,
    /// Why those were skipped. The sum of its fields equals `skipped` at every instant.
    pub skips: Skips,
    /// Items that are queued, running, or completed and not yet taken by the consumer. Never more than the window, if that
    /// was not lowered just before. An
    /// item that was submitted to a pool is in flight until its work has ended; an item sent into a
    /// [`PoolSink`](crate::PoolSink) until its result is taken, even after [`Pool::finished`](crate::Pool::finished).
    pub in_flight: usize,
    /// Items in flight whose work has ended, and whose results were not all taken: they wait for the consumer, or, in
    /// order, for the results of items before them. The others in flight are queued or running. Counted by the batch, when
    /// a worker has ended it or sends some of its results ahead. Of a pool, those whose results wait in a
    /// [`PoolStream`](crate::PoolStream).
    pub finished: usize,
    /// The most items in flight: the window of the pipeline or the pool. `None` for a [merged stream](crate::fan_in),
    /// which has none. Right after it was [lowered](crate::FanIn::set_window), more may be in flight.
    pub limit: Option<usize>,
    /// How many threads may work for it at a time. `None` for a [merged stream](crate::fan_in), which has none.
    pub concurrency: Option<usize>,
    /// Items in flight of a pool that no worker has begun. Always 0 for a pipeline, which hands items out by the batch
    /// and counts them in `in_flight` only.
    pub queued: usize,
    /// Submissions to a pool that wait for a permit: not taken yet, and not part of the sum above. Always 0 for a
    /// pipeline, which does not ask its source for an item before it has a permit.
    pub waiting: usize,
    /// Results that the consumer, or the callers that submitted, have received, without failures. Exact from the stream
    /// itself; from elsewhere, such as a [`StopHandle`](crate::StopHandle), it may be up to 256 too low.
    pub emitted: u64,
    /// The number of items that the next batch will have.
    pub batch_size: usize,
    /// How long an item occupies a worker: the mean over about the last 500 items. `None` before the first measurement.
    pub mean_service: Option<Duration>,
    /// How long items were queued until a worker took them, over the run so far. In a pool, since the item was submitted,
    /// also while it waited for a permit. In a pipeline, since its batch was handed over until a worker took that, or the
    /// part of it with the item: so the time while others of the batch run is not in it. Of the items whose work has begun.
    /// `None` before the first one, for a [merged stream](crate::fan_in), and in a simulation.
    pub queue_wait: Option<Percentiles>,
    /// How long the work on items ran, over the run so far. In a pool that is measured for each item. So it is in a
    /// pipeline for items that are expected to take more than about four microseconds; of a batch of quicker ones, and of one
    /// whose size was set, each item counts with their mean. One that takes some milliseconds among quick ones is told
    /// apart, exact to one or two milliseconds. Each turn of a lazy iterator counts as an item. `None` before the first
    /// one, and for a [merged stream](crate::fan_in).
    pub run_time: Option<Percentiles>,
    /// How the pipeline or the pool ended; `None` while it runs. [`End`] says what counts as the end.
    pub end: Option<End>,
    /// What limits the throughput, over the run so far. `None` for a [merged stream](crate::fan_in), and in a
    /// simulation.
    pub verdict: Option<Verdict>,
    /// The time from the start until now, or until the last worker thread ended.
    pub elapsed: Duration,
    /// One entry per worker. Empty where the workers are in other processes.
    pub workers: Vec<WorkerStats>,
    /// One entry per node from which outcomes came, where the workers are in other processes: see `remote`. At most 4,096,
    /// those that were heard of last.
    pub nodes: Vec<NodeStats>,
}

impl Stats {
    /// The sum `completed + failed + skipped + in_flight`. It equals [`taken`](Self::taken) at every instant; tests and
    /// monitors can check that.
    pub fn accounted(&self) -> u64 {
        let Self { taken, completed, failed, skipped, in_flight, .. } = *self;
        Ledger { taken, completed, failed, skipped, in_flight, ..Ledger::default() }.accounted()
    }
}

/// What limits the throughput of a pipeline or a pool: more of it makes it faster.
///
/// Its `Display` is `worker-bound`, `source-bound` or `consumer-bound`. `Serialize`, with the feature `serde`:
/// `"worker"`, `"source"` or `"consumer"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Bottleneck {
    /// The workers: there is as much to do as they can.
    Worker,
    /// The source, or the callers that submit to a pool: a worker waits for items.
    Source,
    /// The consumer: a worker waits until results are taken.
    Consumer,
}

/// What limits the throughput, over the run so far, and for how much of the time.
///
/// At each instant of a run, one of the three limits it:
///
/// - the **workers**, while as many batches are queued or running as may run at a time, so that each worker has something
///   to do. Also while fewer are, if no more items will come, or if none may come since the results of others are held
///   back, in order, by one that runs;
/// - the **source**, while a worker is idle and the source was asked for items, for which there are permits, and has none.
///   In a pool: while a worker is idle and there are permits;
/// - the **consumer**, while a worker is idle and no more items are wanted, since results wait to be taken: they have no
///   room, or the consumer keeps the arbiter which would have taken more items in.
///
/// The times are summed up, from the start until the last result was taken. The largest one is the verdict, and its
/// share is that time divided by the sum of the three. Counts change by the batch, and so does the answer: a batch that
/// runs keeps one worker busy, and an item waits if its batch does. Where the workers' threads are shared with other
/// pipelines, a batch that waits for those counts as one that runs.
///
/// The difference between two snapshots tells about the time between them.
///
/// Its `Display` is `worker-bound 97 %`. `Serialize`, with the feature `serde`:
/// `{"bottleneck":"worker","share":0.97,"worker_seconds":9.7,"source_seconds":0.2,"consumer_seconds":0.1}`.
///
/// ```
/// use actix_fan::FanOutExt;
/// use futures::StreamExt;
///
/// # actix::System::new().block_on(async {
/// let mut squares = (0..1000u64).fan_out().map(|n| n * n)?;
/// squares.next().await;
/// if let Some(verdict) = squares.stats().verdict {
///     println!("{verdict}"); // such as `source-bound 97 %`: more workers would not help
/// }
/// # Ok::<(), actix_fan::StartError>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Verdict {
    /// The one with the largest time.
    pub bottleneck: Bottleneck,
    /// Its part of the sum of the three times, above 0 and at most 1.
    pub share: f64,
    /// How long the workers limited the throughput.
    pub worker: Duration,
    /// How long the source did.
    pub source: Duration,
    /// How long the consumer did.
    pub consumer: Duration,
}

impl Verdict {
    /// `None` if there was no time at all.
    pub(crate) fn of(worker: Duration, source: Duration, consumer: Duration) -> Option<Self> {
        let times = [(source, Bottleneck::Source), (consumer, Bottleneck::Consumer), (worker, Bottleneck::Worker)];
        // The last of equal ones.
        let (most, bottleneck) = times.into_iter().max_by_key(|(time, _)| *time)?;
        if most.is_zero() {
            return None;
        }
        let share = most.as_secs_f64() / (worker + source + consumer).as_secs_f64();
        Some(Self { bottleneck, share, worker, source, consumer })
    }
}

impl Bottleneck {
    /// `worker`, `source` or `consumer`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::Source => "source",
            Self::Consumer => "consumer",
        }
    }
}

impl fmt::Display for Bottleneck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}-bound", self.as_str()))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Rounded down: 100 % is all of the time.
        write!(f, "{} {:.0} %", self.bottleneck, (100.0 * self.share).floor())
    }
}

/// How long something took, for all items of a run so far.
///
/// Half of the items took `p50` or less, 90 % took `p90` or less, and 99 % took `p99` or less. These are exact to 3 %, and
/// up to 4.9 hours; `max` is exact. They are read without a lock: from a run that goes on, an item that is recorded meanwhile
/// may be in or not. A run keeps 5 KiB for each of its two.
///
/// Its `Display` is `p50 1.2ms, p99 3.4ms, max 5.6ms`. `Serialize`, with the feature `serde`:
/// `{"items":1000,"p50_seconds":0.0012,"p90_seconds":0.0023,"p99_seconds":0.0034,"max_seconds":0.0056}`.
///
/// ```
/// # actix::System::new().block_on(async {
/// let squares = actix_fan::pool().map(|n: u64| n * n)?;
/// squares.submit(7).await?;
/// if let Some(wait) = squares.stats().queue_wait {
///     println!("queued: {wait}");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Percentiles {
    /// How many items there were.
    pub items: u64,
    /// The median.
    pub p50: Duration,
    /// What 90 % of the items did not exceed.
    pub p90: Duration,
    /// What 99 % of the items did not exceed.
    pub p99: Duration,
    /// The longest time.
    pub max: Duration,
}

impl fmt::Display for Percentiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { p50, p99, max, .. } = self;
        write!(f, "p50 {p50:.1?}, p99 {p99:.1?}, max {max:.1?}")
    }
}

/// How many items were skipped for which reason.
///
/// `Serialize`, with the feature `serde`: `{"stopped":2,"caller_gone":1}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Skips {
    /// The pipeline or the pool was stopped, or ended with an error.
    pub stopped: u64,
    /// The caller dropped the future of its submission, or the stream of its channel, and the pool went on. Always 0 for
    /// a pipeline.
    pub caller_gone: u64,
}

/// Why an item was skipped.
// An item learns only that it is cancelled; which of the two it was is seen when its batch ends (`engine/batch_run.rs`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SkipReason {
    /// The pipeline or pool was stopped, or ended with an error.
    #[default]
    Stopped,
    /// The caller does not wait for the result any more, and the pool goes on.
    CallerGone,
}

/// The item that a worker runs.
///
/// `Serialize`, with the feature `serde`: `{"index":17,"running_seconds":0.25}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CurrentItem {
    /// The index of the item, from 0 in the order in which items were taken from the source or got their permit.
    pub index: u64,
    /// For how long it has run. Exact to two or three milliseconds; exact where it is the only item of its batch, as in a
    /// pool.
    pub running: Duration,
}

/// What one worker did.
///
/// `Serialize`, with the feature `serde`: `{"busy_seconds":0.75,"items":10,"batches":2,"rebuilt":0,"current":null}`.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct WorkerStats {
    /// The time spent in batches, including the running one.
    pub busy: Duration,
    /// The number of items begun.
    pub items: u64,
    /// The number of batches begun.
    pub batches: u64,
    /// How many times its work was rebuilt after a panic.
    pub rebuilt: u64,
    /// The item that it runs, if any. Between two items of a batch, it is the one that ended last.
    pub current: Option<CurrentItem>,
}

/// What one node in another process did for this run.
///
/// `Serialize`, with the feature `serde`: `{"name":"node-x1","items":10,"batches":2,"busy_seconds":0.75,"slots":8,"in_flight":7,
/// "draining":false,"silent_seconds":0.1}`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NodeStats {
    /// What it is called, with a part that is new at each start of it.
    pub name: Arc<str>,
    /// Items whose outcomes came from it.
    pub items: u64,
    /// Batches whose outcomes came from it.
    pub batches: u64,
    /// The time that these ran, on all of its threads.
    pub busy: Duration,
    /// How many batches it has at a time. This and the next two are what it said with the last of them, or when it left.
    pub slots: usize,
    /// How many it had, of all runs, with the one whose outcomes it sent.
    pub in_flight: usize,
    /// True if it took no more. If `in_flight` is 0 as well, it has left.
    pub draining: bool,
    /// The time since the last of them came, or since it left.
    pub silent: Duration,
}

/// The message that asks a [`Generator`](crate::Generator) or an [`Aggregator`](crate::Aggregator) for the [`Stats`] of
/// its pipeline.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot;

impl Message for Snapshot {
    type Result = Stats;
}
