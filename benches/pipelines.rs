//! What do many pipelines in one process cost?
//!
//!     cargo bench --bench pipelines                    # about a minute; Linux only
//!     cargo bench --bench pipelines -- 1,000           # the first question only
//!     cargo bench --bench pipelines -- "result, idle"  # the second one, on idle processors
//!
//! Two questions, each on idle processors and beside two threads of another process that never pause. Everything has
//! the default settings, so that the workers are those that an application gets without asking.
//!
//! - *1,000 pipelines* are opened one after another on one arbiter, which does what else is due between two of them.
//!   Then all are drained of the results of their 100 items of 20 us, by one task each. Printed are the number of
//!   threads of this process before, at most, and after the end of all; how long a start held the arbiter; the time of
//!   the whole; and how much resident memory came with them.
//! - *The first result* of a pipeline of one item that does nothing, from before its start, beside the round trip of
//!   the same item through a bare `SyncArbiter` that runs already. Both come after a pause in which their threads go to
//!   sleep. How long the start of these pipelines held the arbiter is printed too. `start` compares it with the start
//!   of a `SyncArbiter`, for numbers of workers.
//!
//! Times of a start and of a result are in microseconds.

mod support {
    pub(crate) mod args;
    pub(crate) mod busy_process;
    pub(crate) mod median;
    pub(crate) mod others;
    pub(crate) mod percentiles;
    pub(crate) mod proc_status;
    pub(crate) mod selection;
    pub(crate) mod spin;
    pub(crate) mod sync_arbiter;
    pub(crate) mod table;
    pub(crate) mod verdict;
}

use std::num::NonZeroUsize;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use actix::clock::sleep;
use actix::{Addr, System};
use actix_fan::{FanIn, FanOutExt};
use futures::StreamExt;
use futures::future::join_all;
use tokio::task::yield_now;

use support::args::measuring;
use support::busy_process::{BusyProcess, spin_if_busy_process};
use support::median::Summary;
use support::percentiles::Percentiles;
use support::proc_status::proc_status;
use support::selection::Selection;
use support::spin::{spin, steps_for};
use support::sync_arbiter::{Item, Worker};
use support::table::table;
use support::verdict::verdict;

/// For the first question.
const ROUNDS: usize = 3;
/// For the second one.
const STARTS: usize = 200;
const ITEMS: u64 = 100;
const GRAIN: Duration = Duration::from_micros(20);
const GOOD: &str = "nothing in this job fails";

fn main() {
    spin_if_busy_process();
    if proc_status(None, "Threads").is_none() {
        println!("skipped: this system has no /proc/self/status to read the number of threads from");
        return;
    }
    let selection = Selection::of_arguments();
    let (pipelines, starts) = if measuring() { (1_000, STARTS) } else { (4, 2) };
    let cores = available_parallelism().map_or(1, NonZeroUsize::get);
    for busy in [false, true] {
        let beside = if busy { "busy processors" } else { "idle processors" };
        let start_target = if busy { 300.0 } else { 100.0 };
        table(&selection, &format!("1,000 pipelines, {beside}"), || {
            let _busy = busy.then(|| BusyProcess::start(2));
            let steps = steps_for(GRAIN);
            let rounds: Vec<Many> = (0..selection.rounds(ROUNDS))
                .map(|_| System::new().block_on(open_and_drain(pipelines, steps)))
                .collect();
            Many::print(&rounds, cores as f64 + 3.0, start_target);
        });
        table(&selection, &format!("first result, {beside}"), || {
            let _busy = busy.then(|| BusyProcess::start(2));
            System::new().block_on(first_result(starts, start_target));
        });
    }
}

/// What one round of the first question showed.
struct Many {
    threads_before: f64,
    threads_most: f64,
    threads_after: f64,
    starts: Vec<f64>,
    opened: Duration,
    drained: Duration,
    more_kib: f64,
}

impl Many {
    fn print(rounds: &[Self], threads_target: f64, start_target: f64) {
        let summary = |value: fn(&Self) -> f64| Summary::of(rounds.iter().map(value));
        let threads = summary(|round| round.threads_most);
        println!("  {:34} {:.0}", "threads before", summary(|round| round.threads_before));
        println!("  {:34} {threads:.0}  {}", "threads at most", verdict(threads.median, ..=threads_target));
        println!("  {:34} {:.0}", "threads after the end", summary(|round| round.threads_after));
        let starts = Percentiles::of(rounds.iter().flat_map(|round| round.starts.iter().copied()));
        println!("  {:34} {starts}  {}", "a start holds the arbiter, us", verdict(starts.p50, ..=start_target));
        println!("  {:34} {:.1}", "opened after, ms", summary(|round| round.opened.as_secs_f64() * 1e3));
        println!("  {:34} {:.1}", "all drained after, ms", summary(|round| round.drained.as_secs_f64() * 1e3));
        println!("  {:34} {:.0}", "resident memory, KiB more", summary(|round| round.more_kib));
    }
}

async fn open_and_drain(pipelines: usize, steps: u64) -> Many {
    let status = |name| proc_status(None, name).unwrap_or_default() as f64;
    let (threads_before, kib_before) = (status("Threads"), status("VmRSS"));
    let mut threads_most = threads_before;
    let mut starts = Vec::with_capacity(pipelines);
    let mut open = Vec::with_capacity(pipelines);
    let began = Instant::now();
    for _ in 0..pipelines {
        let start = Instant::now();
        let results = (0..ITEMS).fan_out().map(move |n| spin(n, steps)).expect("this thread belongs to a System");
        starts.push(start.elapsed().as_secs_f64() * 1e6);
        open.push(results);
        yield_now().await;
        threads_most = threads_most.max(status("Threads"));
    }
    let opened = began.elapsed();
    let more_kib = status("VmRSS") - kib_before;
    let drain = |mut results: FanIn<u64>| async move {
        let taken = results.by_ref().map(|result| result.expect(GOOD)).count().await;
        assert_eq!(taken as u64, ITEMS);
        results.finished().await.expect(GOOD);
        // Those that are left after the end of some.
        status("Threads")
    };
    for threads in join_all(open.into_iter().map(|results| actix::spawn(drain(results)))).await {
        threads_most = threads_most.max(threads.expect(GOOD));
    }
    let drained = began.elapsed();
    // Threads that have ended for this process end for the kernel a moment later.
    sleep(Duration::from_millis(50)).await;
    let threads_after = status("Threads");
    Many { threads_before, threads_most, threads_after, starts, opened, drained, more_kib }
}

async fn first_result(starts: usize, start_target: f64) {
    let sync = Worker::start(available_parallelism().map_or(1, NonZeroUsize::get));
    let (mut held, mut ready, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..starts {
        let (start, first) = one_pipeline().await;
        held.push(start.as_secs_f64() * 1e6);
        ready.push(first.as_secs_f64() * 1e6);
        bare.push(round_trip(&sync).await.as_secs_f64() * 1e6);
    }
    let ratio = Summary::of(ready.iter().zip(&bare).map(|(ready, bare)| ready / bare));
    let held = Percentiles::of(held);
    println!("  {:34} {held}  {}", "the start holds the arbiter, us", verdict(held.p50, ..=start_target));
    println!("  {:34} {}", "first result of a pipeline, us", Percentiles::of(ready));
    println!("  {:34} {}", "round trip of a SyncArbiter, us", Percentiles::of(bare));
    println!("  {:34} {ratio:.2}  {}", "ratio of the two", verdict(ratio.median, ..=2.0));
}

/// How long the start held this thread, and how long it was until the first result.
async fn one_pipeline() -> (Duration, Duration) {
    pause().await;
    let began = Instant::now();
    let mut results = [()].fan_out().map(|()| ()).expect("this thread belongs to a System");
    let started = began.elapsed();
    results.next().await.expect("there is one").expect(GOOD);
    let first = began.elapsed();
    results.finished().await.expect(GOOD);
    (started, first)
}

async fn round_trip(sync: &Addr<Worker>) -> Duration {
    pause().await;
    let began = Instant::now();
    sync.send(Item { value: 1, steps: 0 }).await.expect(GOOD);
    began.elapsed()
}

/// Threads that have ended do so for the kernel as well, and those that wait go to sleep.
async fn pause() {
    sleep(Duration::from_millis(10)).await;
}
