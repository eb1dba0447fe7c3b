//! How soon is an item that is submitted to an idle pool done, while other work keeps the processors busy?
//!
//!     cargo bench --bench latency                 # 7 rounds, about half a minute
//!     cargo bench --bench latency -- 21 another   # more of them, of the tables with this word in their heading
//!
//! The items do nothing and come 1 ms apart, so the time is that of the hand-over there and back: in microseconds, of
//! all rounds together. The processors are idle; or two threads of another process never pause; or a pipeline in this
//! process, with the default settings and its consumer on the same arbiter, has endless items of 20 us. *On the same
//! threads*: the pool is served by the two threads that serve the pipeline, whose items take 20 us or 5 ms. A submit may
//! then wait for one item, and for the time that the pipeline is served at a stretch, which is 2 ms.
//!
//! The contenders alternate.

mod support {
    pub(crate) mod args;
    pub(crate) mod busy_process;
    pub(crate) mod others;
    pub(crate) mod percentiles;
    pub(crate) mod selection;
    pub(crate) mod spin;
    pub(crate) mod sync_arbiter;
    pub(crate) mod table;
    pub(crate) mod verdict;
}

use std::time::{Duration, Instant};

use actix::clock::sleep;
use actix::{Addr, System};
use actix_fan::{FanOutExt, Pool, Workers, pool};
use futures::StreamExt;
use tokio::task::spawn_blocking;

use support::args::measuring;
use support::busy_process::{BusyProcess, spin_if_busy_process};
use support::percentiles::Percentiles;
use support::selection::Selection;
use support::spin::{spin, steps_for};
use support::sync_arbiter::{Item, Worker};
use support::table::table;
use support::verdict::verdict;

const ROUNDS: usize = 7;
const WORKERS: usize = 2;
const GOOD: &str = "nothing in this job fails";

/// What keeps the processors busy.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Busy {
    Idle,
    OtherProcess,
    Pipeline,
    /// A pipeline with items of so many microseconds, on the pool's own threads.
    SameThreads(u64),
}

impl Busy {
    const ALL: [Self; 5] =
        [Self::Idle, Self::OtherProcess, Self::Pipeline, Self::SameThreads(20), Self::SameThreads(5_000)];

    fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle processors",
            Self::OtherProcess => "two busy threads of another process",
            Self::Pipeline => "a pipeline in the same process",
            Self::SameThreads(20) => "a pipeline on the same threads, items of 20 us",
            Self::SameThreads(_) => "a pipeline on the same threads, items of 5 ms",
        }
    }
}

fn main() {
    spin_if_busy_process();
    let selection = Selection::of_arguments();
    let rounds = selection.rounds(ROUNDS);
    let items = if measuring() { 300 } else { 3 };
    for busy in Busy::ALL {
        table(&selection, busy.name(), || System::new().block_on(compare(busy, rounds, items)));
    }
}

async fn compare(busy: Busy, rounds: usize, items: usize) {
    let workers = Workers::builder().threads(WORKERS).build().expect("two threads can be spawned");
    let shares = matches!(busy, Busy::SameThreads(_));
    let builder = if shares { pool().on(&workers) } else { pool().workers(WORKERS) };
    let pools =
        Pools { fan: builder.map(Item::run).expect("this thread belongs to a System"), sync: Worker::start(WORKERS) };
    let _other = (busy == Busy::OtherProcess).then(|| BusyProcess::start(WORKERS));
    let item_micros = match busy {
        Busy::Pipeline => Some(20),
        Busy::SameThreads(micros) => Some(micros),
        Busy::Idle | Busy::OtherProcess => None,
    };
    let pipeline = item_micros.map(|micros| {
        let steps = steps_for(Duration::from_micros(micros));
        let builder = (0u64..).fan_out();
        let builder = if shares { builder.on(&workers) } else { builder };
        let results = builder.map(move |n| spin(n, steps)).expect("this thread belongs to a System");
        let stop = results.stop_handle();
        actix::spawn(results.for_each(async |_| ()));
        stop
    });
    if measuring() {
        sleep(Duration::from_millis(300)).await;
    }
    let mut micros = Contender::ALL.map(|_| Vec::with_capacity(rounds * items));
    for _ in 0..rounds {
        for (contender, micros) in Contender::ALL.into_iter().zip(&mut micros) {
            for _ in 0..items {
                sleep(Duration::from_millis(1)).await;
                micros.push(pools.round_trip(contender).await.as_secs_f64() * 1e6);
            }
        }
    }
    if let Some(stop) = pipeline {
        stop.stop();
        stop.finished().await.expect(GOOD);
    }
    let [fan, blocking, sync] = micros.map(Percentiles::of);
    for (contender, micros) in Contender::ALL.into_iter().zip([fan, blocking, sync]) {
        println!("  {:20} {micros}", contender.name());
    }
    if let Busy::SameThreads(micros) = busy {
        let most = micros as f64 + 2_000.0;
        println!("  actix-fan, p99: {:.0}  {}", fan.p99, verdict(fan.p99, ..=most));
        return;
    }
    for (part, ratio, target) in [("p50", fan.p50 / blocking.p50, 2.0), ("p99", fan.p99 / blocking.p99, 1.0)] {
        println!("  actix-fan / spawn_blocking, {part}: {ratio:.2}  {}", verdict(ratio, ..=target));
    }
}

#[derive(Clone, Copy)]
enum Contender {
    /// This crate's pool.
    Fan,
    SpawnBlocking,
    BareSyncArbiter,
}

impl Contender {
    const ALL: [Self; 3] = [Self::Fan, Self::SpawnBlocking, Self::BareSyncArbiter];

    fn name(self) -> &'static str {
        match self {
            Self::Fan => "actix-fan",
            Self::SpawnBlocking => "spawn_blocking",
            Self::BareSyncArbiter => "bare SyncArbiter",
        }
    }
}

struct Pools {
    fan: Pool<Item, u64>,
    sync: Addr<Worker>,
}

impl Pools {
    async fn round_trip(&self, contender: Contender) -> Duration {
        let item = Item { value: 1, steps: 0 };
        let began = Instant::now();
        let result = match contender {
            Contender::Fan => self.fan.submit(item).await.expect(GOOD),
            Contender::SpawnBlocking => spawn_blocking(move || item.run()).await.expect(GOOD),
            Contender::BareSyncArbiter => self.sync.send(item).await.expect(GOOD),
        };
        let took = began.elapsed();
        assert_eq!(result, item.run());
        took
    }
}
