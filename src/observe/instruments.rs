//! Counters, gauges and histograms of the crate `metrics`.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use metrics::{Counter, Gauge, Histogram, Label, Unit, counter, describe_counter, describe_gauge, describe_histogram};
use metrics::{gauge, histogram};

use crate::observe::{Begun, Ended, Observer, RunInfo, RunKind, SkipReason, ThreadInfo};
use crate::stats::Stats;

/// Counts and measures, for the recorder of the crate `metrics`.
///
/// Install the recorder first. Names, units and shape are after OpenTelemetry's conventions for thread pools; an exporter
/// for Prometheus writes `_` for each dot.
///
/// | name | what | unit | labels |
/// |---|---|---|---|
/// | `fan_out.work_item.count` | counter: items that have ended | `{work_item}` | `name`, `kind`, `outcome`: `completed`, `failed`, `skipped` |
/// | `fan_out.queue.length` | gauge: items that were taken and have not ended: queued or running | `{work_item}` | `name`, `kind` |
/// | `fan_out.queue.limit` | gauge: the window | `{work_item}` | `name`, `kind` |
/// | `fan_out.queue.duration` | histogram: how long an item was queued | `s` | `name`, `kind` |
/// | `fan_out.work_item.duration` | histogram: how long its work ran; for the items of a batch, their mean | `s` | `name`, `kind` |
/// | `fan_out.thread.busy` | gauge: worker threads that run it | `{thread}` | `name`, `kind` |
/// | `fan_out.thread.limit` | gauge: worker threads that may run it at a time | `{thread}` | `name`, `kind` |
/// | `fan_out.thread.count` | gauge: threads of a set that is observed | `{thread}` | `set` |
///
/// `kind` is `pipeline`, `pool` or `closures`. `name` is empty without a name. Runs with the same labels are added up. What a
/// source yields as an error is counted as `failed`.
#[derive(Default)]
pub struct Instruments {
    of_runs: RwLock<HashMap<Labels, Arc<OfRun>>>,
}

/// The name and the kind of a run.
type Labels = (Option<Arc<str>>, RunKind);

/// What the runs with the same labels have.
struct OfRun {
    completed: Counter,
    failed: Counter,
    skipped: Counter,
    length: Gauge,
    limit: Gauge,
    queued: Histogram,
    ran: Histogram,
    busy: Gauge,
    threads: Gauge,
}

const COUNT: &str = "fan_out.work_item.count";
const LENGTH: &str = "fan_out.queue.length";
const LIMIT: &str = "fan_out.queue.limit";
const QUEUED: &str = "fan_out.queue.duration";
const RAN: &str = "fan_out.work_item.duration";
const BUSY: &str = "fan_out.thread.busy";
const THREADS: &str = "fan_out.thread.limit";
const COUNT_OF_THREADS: &str = "fan_out.thread.count";

impl Instruments {
    /// Describes them to the recorder.
    pub fn new() -> Self {
        describe_counter!(COUNT, Unit::Count, "Items that have ended");
        describe_gauge!(LENGTH, Unit::Count, "Items that were taken and have not ended");
        describe_gauge!(LIMIT, Unit::Count, "The most items in flight");
        describe_histogram!(QUEUED, Unit::Seconds, "How long an item was queued");
        describe_histogram!(RAN, Unit::Seconds, "How long the work of an item ran");
        describe_gauge!(BUSY, Unit::Count, "Worker threads that run items");
        describe_gauge!(THREADS, Unit::Count, "Worker threads that may run items at a time");
        describe_gauge!(COUNT_OF_THREADS, Unit::Count, "Threads of a set");
        Self::default()
    }

    fn of(&self, run: &RunInfo) -> Arc<OfRun> {
        let key = (run.name.clone(), run.kind);
        if let Some(of_run) = self.of_runs.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Arc::clone(of_run);
        }
        // Outside of the lock: a recorder is code of the application. Of two threads that come here, one drops its own,
        // which are the same ones for the recorder.
        let of_run = Arc::new(OfRun::new(run));
        let mut of_runs = self.of_runs.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(of_runs.entry(key).or_insert(of_run))
    }
}

impl OfRun {
    fn new(run: &RunInfo) -> Self {
        let labels = || {
            let name = run.name.as_deref().unwrap_or_default().to_owned();
            vec![Label::new("name", name), Label::new("kind", run.kind.as_str())]
        };
        let count = |outcome| {
            let mut labels = labels();
            labels.push(Label::new("outcome", outcome));
            counter!(COUNT, labels)
        };
        Self {
            completed: count("completed"),
            failed: count("failed"),
            skipped: count("skipped"),
            length: gauge!(LENGTH, labels()),
            limit: gauge!(LIMIT, labels()),
            queued: histogram!(QUEUED, labels()),
            ran: histogram!(RAN, labels()),
            busy: gauge!(BUSY, labels()),
            threads: gauge!(THREADS, labels()),
        }
    }
}

impl Observer for Instruments {
    fn run_started(&self, run: &RunInfo) {
        let of_run = self.of(run);
        of_run.limit.increment(run.limit as f64);
        of_run.threads.increment(run.workers as f64);
    }

    fn taken(&self, run: &RunInfo, items: usize) {
        self.of(run).length.increment(items as f64);
    }

    fn begun(&self, run: &RunInfo, _: &Begun) {
        self.of(run).busy.increment(1.0);
    }

    fn ended(&self, run: &RunInfo, ended: &Ended) {
        let of_run = self.of(run);
        of_run.busy.decrement(1.0);
        of_run.completed.increment(ended.completed as u64);
        of_run.failed.increment(ended.failed as u64);
        let items = ended.items();
        of_run.length.decrement(items as f64);
        if items > 0 {
            of_run.queued.record_many(ended.waited.as_secs_f64(), items);
            of_run.ran.record_many(ended.ran.as_secs_f64() / items as f64, items);
        }
    }

    fn skipped(&self, run: &RunInfo, items: usize, _: SkipReason) {
        let of_run = self.of(run);
        of_run.skipped.increment(items as u64);
        of_run.length.decrement(items as f64);
    }

    fn source_failed(&self, run: &RunInfo, items: usize) {
        self.of(run).failed.increment(items as u64);
    }

    fn limit_changed(&self, run: &RunInfo, before: usize, limit: usize) {
        self.of(run).limit.increment(limit as f64 - before as f64);
    }

    fn concurrency_changed(&self, run: &RunInfo, before: usize, workers: usize) {
        self.of(run).threads.increment(workers as f64 - before as f64);
    }

    fn run_ended(&self, run: &RunInfo, stats: &Stats) {
        let of_run = self.of(run);
        // As they are now: they may have been changed.
        of_run.limit.decrement(stats.limit.unwrap_or(run.limit) as f64);
        of_run.threads.decrement(stats.concurrency.unwrap_or(run.workers) as f64);
    }

    fn thread_started(&self, thread: &ThreadInfo) {
        gauge!(COUNT_OF_THREADS, "set" => thread.set.to_string()).increment(1.0);
    }

    fn thread_stopped(&self, thread: &ThreadInfo) {
        gauge!(COUNT_OF_THREADS, "set" => thread.set.to_string()).decrement(1.0);
    }
}

impl fmt::Debug for Instruments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instruments").finish_non_exhaustive()
    }
}
