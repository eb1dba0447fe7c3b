//! What does it cost to hand one item over and await its result, compared with other pools?
//!
//!     cargo bench --bench submit                        # 7 rounds, about a minute
//!     cargo bench --bench submit -- 21                  # more of them
//!     cargo bench --bench submit -- "10 us" "64 sub"    # for those tables whose heading has these words
//!     cargo bench --bench submit -- "in flight"
//!
//! Submitters are tasks on one arbiter: each awaits a result before it submits its next item. With one submitter the
//! time is that of a round trip; with 64, the time per item in a pool that is never short of work. `64 in flight` is
//! one task that keeps as many submissions in `buffer_unordered`. The pools and threads of all contenders exist before
//! the clock starts. `latency` measures a submit while the processors are busy with other work.
//!
//! `share` is the part of the ideal throughput: that of two plain threads which take the next item from a counter, in
//! the same round, without any hand-over. `channels` is the upper bound of what a pool that sends items one by one can
//! reach: two plain threads on two bounded channels, and a submitter that blocks and keeps 64 items in them.
//!
//! `closures` are those of `Workers::run`, on a set of as many threads.
//!
//! Only this crate's pool and its closures have a bound and can be cancelled; a panic ends a thread of the bare `SyncArbiter` for good.
//!
//! The contenders alternate, A B C A B C, after one round to warm up. A ratio is taken within each round; printed are
//! the median, the least and the most.

mod support {
    pub(crate) mod args;
    pub(crate) mod ideal;
    pub(crate) mod median;
    pub(crate) mod others;
    pub(crate) mod selection;
    pub(crate) mod spin;
    pub(crate) mod sync_arbiter;
    pub(crate) mod table;
    pub(crate) mod verdict;
}

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use actix::{Addr, System, SystemRunner};
use actix_fan::{Pool, Workers, pool};
use crossbeam_channel::{Receiver, Sender, bounded};
use futures::future::join_all;
use futures::{StreamExt, stream};
use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

use support::args::measuring;
use support::ideal::ideal_sum;
use support::median::Summary;
use support::selection::Selection;
use support::spin::steps_for;
use support::sync_arbiter::{Item, Worker};
use support::table::table;
use support::verdict::verdict;

const ROUNDS: usize = 7;
const WORKERS: usize = 2;
const GRAINS: [u64; 3] = [1, 10, 100];
const GOOD: &str = "nothing in this job fails";

fn main() {
    let selection = Selection::of_arguments();
    let rounds = selection.rounds(ROUNDS);
    let length = if measuring() { Duration::from_millis(200) } else { Duration::from_millis(1) };
    let stage = Stage::new();
    for load in Load::ALL {
        for micros in GRAINS {
            let grain = Duration::from_micros(micros);
            let heading = format!("{micros} us, {}", load.name());
            table(&selection, &heading, || compare(&stage, grain, load, rounds, length));
        }
    }
}

fn compare(stage: &Stage, grain: Duration, load: Load, rounds: usize, length: Duration) {
    let steps = steps_for(grain);
    // A hand-over costs about this much, by any contender.
    let hand_over = Duration::from_micros(if load == Load::Tasks(1) { 15 } else { 5 });
    let items = (length.as_nanos() / (grain + hand_over).as_nanos()).max(load.in_flight().into()) as u64;
    let contenders = load.contenders();
    let mut expected = None;
    let mut time = |contender| {
        let (took, sum) = stage.run(contender, load, items, steps);
        assert_eq!(sum, *expected.get_or_insert(sum), "{contender:?}");
        took.as_secs_f64() * 1e6 / items as f64
    };
    let mut round = || contenders.iter().copied().map(&mut time).collect::<Vec<_>>();
    round();
    let rows: Vec<_> = (0..rounds).map(|_| round()).collect();
    for (column, contender) in contenders.iter().enumerate() {
        println!("  {:28} {:.2} us per item", contender.name(), Summary::of(rows.iter().map(|row| row[column])));
    }
    let (ideal, fan) = (0, 1);
    for (column, contender) in contenders.iter().enumerate().skip(fan + 1) {
        let ratio = Summary::of(rows.iter().map(|row| row[fan] / row[column]));
        println!("  {:28} {ratio:.3}", format!("{} / {}", contenders[fan].name(), contender.name()));
    }
    if load.in_flight() > 1 {
        for (column, contender) in contenders.iter().enumerate().skip(fan) {
            let share = Summary::of(rows.iter().map(|row| row[ideal] / row[column]));
            let target = load.target(grain).filter(|_| column == fan);
            let verdict = target.map_or_else(String::new, |target| verdict(share.median, target..));
            println!("  {:28} {share:.3}  {verdict}", format!("share, {}", contender.name()));
        }
    }
}

/// How items are submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Load {
    /// By so many tasks, each of which awaits its result.
    Tasks(u32),
    /// By one task that has so many in flight.
    InFlight(u32),
}

impl Load {
    const ALL: [Self; 3] = [Self::Tasks(1), Self::Tasks(64), Self::InFlight(64)];

    fn name(self) -> String {
        match self {
            Self::Tasks(1) => "1 submitter".to_owned(),
            Self::Tasks(tasks) => format!("{tasks} submitters"),
            Self::InFlight(items) => format!("{items} in flight from one task"),
        }
    }

    fn in_flight(self) -> u32 {
        match self {
            Self::Tasks(items) | Self::InFlight(items) => items,
        }
    }

    fn contenders(self) -> &'static [Contender] {
        match self {
            Self::Tasks(_) => &Contender::ALL[..6],
            Self::InFlight(_) => &Contender::ALL,
        }
    }

    /// The least share of this crate.
    fn target(self, grain: Duration) -> Option<f64> {
        match (self, grain.as_micros()) {
            (Self::InFlight(_), 10) => Some(0.85),
            (Self::InFlight(_), 100) => Some(0.97),
            _ => None,
        }
    }
}

/// A way to run an item on another thread and await its result.
#[derive(Clone, Copy, Debug)]
enum Contender {
    /// As many plain threads, without a hand-over.
    Ideal,
    /// This crate.
    Fan,
    /// This crate, each item in a closure of its own.
    Closures,
    /// tokio's threads for blocking code; `web::block` uses the same.
    SpawnBlocking,
    /// A message to a `SyncArbiter`, and its answer.
    BareSyncArbiter,
    /// A job in rayon's pool that sends its result back.
    Rayon,
    /// Plain threads on channels, and a submitter that blocks.
    Channels,
}

impl Contender {
    const ALL: [Self; 7] = [
        Self::Ideal,
        Self::Fan,
        Self::Closures,
        Self::SpawnBlocking,
        Self::BareSyncArbiter,
        Self::Rayon,
        Self::Channels,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Ideal => "two threads",
            Self::Fan => "actix-fan",
            Self::Closures => "actix-fan, closures",
            Self::SpawnBlocking => "spawn_blocking",
            Self::BareSyncArbiter => "bare SyncArbiter",
            Self::Rayon => "rayon + oneshot",
            Self::Channels => "channels",
        }
    }
}

/// What an application starts once.
struct Stage {
    fan: Pool<Item, u64>,
    workers: Workers,
    sync: Addr<Worker>,
    rayon: Arc<ThreadPool>,
    channels: Channels,
    // Dropped last: it serves the others.
    system: SystemRunner,
}

impl Stage {
    fn new() -> Self {
        let system = System::new();
        let rayon = ThreadPoolBuilder::new().num_threads(WORKERS).build().expect("two threads can be spawned");
        Self {
            fan: pool().workers(WORKERS).map(Item::run).expect("this thread belongs to a System"),
            workers: Workers::builder().threads(WORKERS).build().expect("a thread can be spawned"),
            sync: Worker::start(WORKERS),
            rayon: Arc::new(rayon),
            channels: Channels::new(),
            system,
        }
    }

    /// How long `contender` took, and the sum of the results.
    fn run(&self, contender: Contender, load: Load, items: u64, steps: u64) -> (Duration, u64) {
        let item = move |value| Item { value, steps };
        let source = (0..items).map(item);
        match contender {
            Contender::Ideal => {
                let began = Instant::now();
                let sum = ideal_sum(WORKERS, items, |n| item(n).run());
                (began.elapsed(), sum)
            }
            Contender::Fan => {
                let fan = self.fan.clone();
                self.drive(load, source, async move |item| fan.submit(item).await.expect(GOOD))
            }
            Contender::Closures => {
                let workers = self.workers.clone();
                self.drive(load, source, async move |item: Item| workers.run(move || item.run()).await.expect(GOOD))
            }
            Contender::SpawnBlocking => {
                self.drive(load, source, async |item: Item| spawn_blocking(move || item.run()).await.expect(GOOD))
            }
            Contender::BareSyncArbiter => {
                let sync = self.sync.clone();
                self.drive(load, source, async move |item| sync.send(item).await.expect(GOOD))
            }
            Contender::Rayon => {
                let rayon = Arc::clone(&self.rayon);
                self.drive(load, source, async move |item: Item| {
                    let (reply, answer) = oneshot::channel();
                    rayon.spawn(move || reply.send(item.run()).expect(GOOD));
                    answer.await.expect(GOOD)
                })
            }
            Contender::Channels => self.channels.run(load.in_flight(), source),
        }
    }

    fn drive(
        &self,
        load: Load,
        items: impl Iterator<Item = Item> + Clone + 'static,
        ask: impl AsyncFn(Item) -> u64 + Clone + 'static,
    ) -> (Duration, u64) {
        self.system.block_on(async {
            let began = Instant::now();
            let sum = match load {
                Load::Tasks(tasks) => {
                    let tasks = (0..tasks as usize).map(|first| {
                        let (items, ask) = (items.clone().skip(first).step_by(tasks as usize), ask.clone());
                        actix::spawn(async move {
                            let mut sum = 0u64;
                            for item in items {
                                sum = sum.wrapping_add(ask(item).await);
                            }
                            sum
                        })
                    });
                    join_all(tasks).await.into_iter().map(|sum| sum.expect(GOOD)).fold(0, u64::wrapping_add)
                }
                Load::InFlight(most) => {
                    let results = stream::iter(items.map(|item| ask(item))).buffer_unordered(most as usize);
                    results.fold(0u64, async |sum, result| sum.wrapping_add(result)).await
                }
            };
            (began.elapsed(), sum)
        })
    }
}

/// Threads that end when this is dropped.
struct Channels {
    inputs: Sender<Item>,
    results: Receiver<u64>,
}

impl Channels {
    fn new() -> Self {
        let (inputs, queue) = bounded::<Item>(1024);
        let (outputs, results) = bounded(1024);
        for _ in 0..WORKERS {
            let (queue, outputs) = (queue.clone(), outputs.clone());
            thread::spawn(move || queue.into_iter().map(Item::run).try_for_each(|result| outputs.send(result)));
        }
        Self { inputs, results }
    }

    fn run(&self, in_flight: u32, mut items: impl Iterator<Item = Item>) -> (Duration, u64) {
        let began = Instant::now();
        let mut sum = 0u64;
        let mut running = 0;
        loop {
            while running < in_flight
                && let Some(item) = items.next()
            {
                self.inputs.send(item).expect(GOOD);
                running += 1;
            }
            if running == 0 {
                return (began.elapsed(), sum);
            }
            sum = sum.wrapping_add(self.results.recv().expect(GOOD));
            running -= 1;
        }
    }
}
