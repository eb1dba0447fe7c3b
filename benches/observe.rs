//! What do observers cost?
//!
//!     cargo bench --bench observe --features tracing,metrics            # about a minute
//!     cargo bench --bench observe --features tracing,metrics -- 15 pool
//!
//! A pipeline, and a pool with 64 submits in flight from one task, on 2 worker threads: without an observer, and with
//! each of some. The contenders alternate; a ratio is that to the time without an observer in the same round. The
//! recorder is the debugging one of `metrics-util`, which keeps every value; the subscriber is a bare registry.

mod support {
    pub(crate) mod args;
    pub(crate) mod median;
    pub(crate) mod others;
    pub(crate) mod selection;
    pub(crate) mod spin;
    pub(crate) mod table;
    pub(crate) mod verdict;
}

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::System;
use actix_fan::observe::{Instruments, Observer, Spans};
use actix_fan::{FanOutExt, pool};
use futures::{StreamExt, stream};
use metrics_util::debugging::DebuggingRecorder;
use tracing_subscriber::registry;

use support::args::measuring;
use support::median::Summary;
use support::selection::Selection;
use support::spin::{spin, steps_for};
use support::table::table;
use support::verdict::verdict;

const WORKERS: usize = 2;
const IN_FLIGHT: usize = 64;
const STARTS: &str = "this thread belongs to a System";

struct Nothing;

impl Observer for Nothing {}

/// An observer, and whether there is a subscriber for spans.
struct Contender {
    name: &'static str,
    observer: fn() -> Option<Arc<dyn Observer>>,
    subscribes: bool,
    /// The most that it may take of the time without an observer, with items of 1 us and longer.
    target: Option<f64>,
}

const CONTENDERS: [Contender; 6] = [
    Contender { name: "no observer", observer: || None, subscribes: false, target: None },
    Contender { name: "one that does nothing", observer: || Some(Arc::new(Nothing)), subscribes: false, target: None },
    Contender {
        name: "Instruments",
        observer: || Some(Arc::new(Instruments::new())),
        subscribes: false,
        target: Some(1.05),
    },
    Contender {
        name: "Spans, no subscriber",
        observer: || Some(Arc::new(Spans::new())),
        subscribes: false,
        target: None,
    },
    Contender { name: "Spans", observer: || Some(Arc::new(Spans::new())), subscribes: true, target: None },
    Contender {
        name: "Spans per item",
        observer: || Some(Arc::new(Spans::per_item())),
        subscribes: true,
        target: None,
    },
];

/// How long the items take with this observer.
type Time<'a> = dyn Fn(Option<Arc<dyn Observer>>) -> Duration + 'a;

fn main() {
    let selection = Selection::of_arguments();
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    recorder.install().expect("the first recorder of this process");
    let system = System::new();
    let length = if measuring() { Duration::from_millis(150) } else { Duration::from_micros(100) };
    for (name, nanos) in [("100 ns", 100), ("1 us", 1_000), ("10 us", 10_000)] {
        let steps = if measuring() { steps_for(Duration::from_nanos(nanos)) } else { 1 };
        let items = length.as_nanos() as u64 / nanos;
        let kinds: [(&str, &Time<'_>); 2] = [
            ("pipeline", &|observer| system.block_on(pipeline(items, steps, observer))),
            ("pool", &|observer| system.block_on(submits(items, steps, observer))),
        ];
        for (kind, time) in kinds {
            table(&selection, &format!("{kind}, items of {name}"), || {
                let is_target = nanos >= 1_000 && kind == "pipeline";
                compare(selection.rounds(9), items, is_target, time);
                // The recorder keeps what it was told.
                drop(snapshotter.snapshot());
            });
        }
    }
}

fn compare(rounds: usize, items: u64, is_target: bool, time: &Time<'_>) {
    let measure = |contender: &Contender| {
        let observer = (contender.observer)();
        let took = if contender.subscribes {
            tracing::subscriber::with_default(registry(), || time(observer))
        } else {
            time(observer)
        };
        took.as_nanos() as f64 / items as f64
    };
    CONTENDERS.iter().for_each(|contender| _ = measure(contender));
    let mut nanos = CONTENDERS.each_ref().map(|_| Vec::new());
    for _ in 0..rounds {
        for (column, contender) in nanos.iter_mut().zip(&CONTENDERS) {
            column.push(measure(contender));
        }
    }
    println!("  {:<30} {:>9.1} ns per item", CONTENDERS[0].name, Summary::of(nanos[0].iter().copied()));
    for (column, contender) in nanos.iter().zip(&CONTENDERS).skip(1) {
        let ratio = Summary::of(column.iter().zip(&nanos[0]).map(|(with, without)| with / without));
        let judged = match contender.target {
            Some(target) if is_target => verdict(ratio.median, ..=target),
            _ => String::new(),
        };
        println!("  {:<30} {ratio:>9.3}  {judged}", contender.name);
    }
}

async fn pipeline(items: u64, steps: u64, observer: Option<Arc<dyn Observer>>) -> Duration {
    let began = Instant::now();
    let mut builder = (0..items).fan_out().workers(WORKERS);
    if let Some(observer) = observer {
        builder = builder.observe(observer);
    }
    let results = builder.map(move |n| spin(n, steps)).expect(STARTS);
    assert_eq!(results.count().await as u64, items);
    began.elapsed()
}

async fn submits(items: u64, steps: u64, observer: Option<Arc<dyn Observer>>) -> Duration {
    let began = Instant::now();
    let mut builder = pool().workers(WORKERS);
    if let Some(observer) = observer {
        builder = builder.observe(observer);
    }
    let pool = builder.map(move |n| spin(n, steps)).expect(STARTS);
    let answers = stream::iter(0..items).map(|n| pool.submit(n)).buffer_unordered(IN_FLIGHT);
    assert_eq!(answers.filter(|answer| futures::future::ready(answer.is_ok())).count().await as u64, items);
    began.elapsed()
}
