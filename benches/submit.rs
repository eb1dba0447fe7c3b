//! What does it cost to hand one item over and await its result, compared with other pools?
//!
//!     cargo bench --bench submit                        # 7 rounds, about a minute
//!     cargo bench --bench submit -- 21                  # more of them
//!     cargo bench --bench submit -- "10 us" "64 sub"    # for those tables whose heading has these words
//!     cargo bench --bench submit -- busy                # the latency while another process keeps the processors busy
//!
//! Submitters are tasks on one arbiter: each awaits a result before it submits its next item. With one submitter the
//! time is that of a round trip; with 64, the time per item in a pool that is never short of work, where the lower
//! bound is half the item's time, by 2 workers. The pools and threads of all contenders exist before the clock starts.
//!
//! Only this crate's pool has a bound and can be cancelled; a panic ends a thread of the bare `SyncArbiter` for good.
//!
//! The contenders alternate, A B C A B C, after one round to warm up. A ratio is taken within each round; printed are
//! the median, the least and the most.

mod support {
    pub(crate) mod args;
    pub(crate) mod busy_process;
    pub(crate) mod median;
    pub(crate) mod spin;
    pub(crate) mod sync_arbiter;
}

use std::env;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Addr, System, SystemRunner};
use actix_fan::{Pool, pool};
use futures::future::join_all;
use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

use support::args::measuring;
use support::busy_process::{BusyProcess, spin_if_busy_process};
use support::median::Summary;
use support::spin::steps_for;
use support::sync_arbiter::{Item, Worker};

const ROUNDS: usize = 7;
const WORKERS: usize = 2;
const SUBMITTERS: [u64; 2] = [1, 64];
const GRAINS: [u64; 3] = [1, 10, 100];
const GOOD: &str = "nothing in this job fails";

fn main() {
    spin_if_busy_process();
    let given: Vec<String> = env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let rounds = given.iter().find_map(|word| word.parse().ok()).unwrap_or(ROUNDS).max(1);
    let words: Vec<&String> = given.iter().filter(|word| word.parse::<usize>().is_err()).collect();
    let (rounds, length) =
        if measuring() { (rounds, Duration::from_millis(200)) } else { (1, Duration::from_millis(1)) };
    let stage = Stage::new();
    if words.iter().any(|word| *word == "busy") || !measuring() {
        busy(&stage, rounds, if measuring() { 300 } else { 3 });
    }
    for submitters in SUBMITTERS {
        for micros in GRAINS {
            let heading = format!("{micros} us, {submitters} submitter{}", if submitters == 1 { "" } else { "s" });
            if words.iter().all(|word| heading.contains(*word)) {
                println!("{heading}");
                compare(&stage, Duration::from_micros(micros), submitters, rounds, length);
            }
        }
    }
}

/// The latency of an item that does nothing, 1 ms after the one before, while `WORKERS` threads of another process
/// spin.
fn busy(stage: &Stage, rounds: usize, items: u64) {
    println!("busy: no-op items, 1 ms apart, beside {WORKERS} busy threads of another process");
    let _busy = BusyProcess::start(WORKERS);
    let contenders = [Contender::Fan, Contender::SpawnBlocking];
    let mut latencies = contenders.map(|_| Vec::new());
    for _ in 0..rounds {
        for (contender, latencies) in contenders.into_iter().zip(&mut latencies) {
            for _ in 0..items {
                stage.system.block_on(async { actix::clock::sleep(Duration::from_millis(1)).await });
                latencies.push(stage.run(contender, 1, 1, 0).0.as_secs_f64() * 1e6);
            }
        }
    }
    for (contender, mut latencies) in contenders.into_iter().zip(latencies) {
        latencies.sort_by(f64::total_cmp);
        let at = |part: f64| latencies[((latencies.len() - 1) as f64 * part) as usize];
        println!("  {:28} p50 {:.0} us, p99 {:.0} us", contender.name(), at(0.5), at(0.99));
    }
    println!();
}

fn compare(stage: &Stage, grain: Duration, submitters: u64, rounds: usize, length: Duration) {
    let steps = steps_for(grain);
    // A hand-over costs about this much, by any contender.
    let hand_over = Duration::from_micros(if submitters == 1 { 15 } else { 5 });
    let items = (length.as_nanos() / (grain + hand_over).as_nanos()).max(submitters.into()) as u64;
    let mut expected = None;
    let mut time = |contender| {
        let (took, sum) = stage.run(contender, items, submitters, steps);
        assert_eq!(sum, *expected.get_or_insert(sum), "{contender:?}");
        took.as_secs_f64() * 1e6 / items as f64
    };
    let mut round = || Contender::ALL.map(&mut time);
    round();
    let rows: Vec<_> = (0..rounds).map(|_| round()).collect();
    for (column, contender) in Contender::ALL.into_iter().enumerate() {
        println!("  {:28} {:.2} us per item", contender.name(), Summary::of(rows.iter().map(|row| row[column])));
    }
    for (column, contender) in Contender::ALL.into_iter().enumerate().skip(1) {
        let ratio = Summary::of(rows.iter().map(|row| row[0] / row[column]));
        println!("  {:28} {ratio:.3}", format!("{} / {}", Contender::ALL[0].name(), contender.name()));
    }
    println!();
}

/// A way to run an item on another thread and await its result.
#[derive(Clone, Copy, Debug)]
enum Contender {
    /// This crate.
    Fan,
    /// tokio's threads for blocking code; `web::block` uses the same.
    SpawnBlocking,
    /// A message to a `SyncArbiter`, and its answer.
    BareSyncArbiter,
    /// A job in rayon's pool that sends its result back.
    Rayon,
}

impl Contender {
    const ALL: [Self; 4] = [Self::Fan, Self::SpawnBlocking, Self::BareSyncArbiter, Self::Rayon];

    fn name(self) -> &'static str {
        match self {
            Self::Fan => "actix-fan",
            Self::SpawnBlocking => "spawn_blocking",
            Self::BareSyncArbiter => "bare SyncArbiter",
            Self::Rayon => "rayon + oneshot",
        }
    }
}

/// What an application starts once.
struct Stage {
    fan: Pool<Item, u64>,
    sync: Addr<Worker>,
    rayon: Arc<ThreadPool>,
    // Dropped last: it serves the others.
    system: SystemRunner,
}

impl Stage {
    fn new() -> Self {
        let system = System::new();
        let rayon = ThreadPoolBuilder::new().num_threads(WORKERS).build().expect("two threads can be spawned");
        Self {
            fan: pool().workers(WORKERS).map(Item::run).expect("this thread belongs to a System"),
            sync: Worker::start(WORKERS),
            rayon: Arc::new(rayon),
            system,
        }
    }

    /// How long `contender` took, and the sum of the results.
    fn run(&self, contender: Contender, items: u64, submitters: u64, steps: u64) -> (Duration, u64) {
        match contender {
            Contender::Fan => {
                let fan = self.fan.clone();
                self.drive(items, submitters, steps, async move |item| fan.submit(item).await.expect(GOOD))
            }
            Contender::SpawnBlocking => self.drive(items, submitters, steps, async |item: Item| {
                spawn_blocking(move || item.run()).await.expect(GOOD)
            }),
            Contender::BareSyncArbiter => {
                let sync = self.sync.clone();
                self.drive(items, submitters, steps, async move |item| sync.send(item).await.expect(GOOD))
            }
            Contender::Rayon => {
                let rayon = Arc::clone(&self.rayon);
                self.drive(items, submitters, steps, async move |item: Item| {
                    let (reply, answer) = oneshot::channel();
                    rayon.spawn(move || reply.send(item.run()).expect(GOOD));
                    answer.await.expect(GOOD)
                })
            }
        }
    }

    fn drive(
        &self,
        items: u64,
        submitters: u64,
        steps: u64,
        ask: impl AsyncFn(Item) -> u64 + Clone + 'static,
    ) -> (Duration, u64) {
        self.system.block_on(async {
            let began = Instant::now();
            let tasks = (0..submitters).map(|first| {
                let ask = ask.clone();
                actix::spawn(async move {
                    let mut sum = 0u64;
                    for n in (first..items).step_by(submitters as usize) {
                        sum = sum.wrapping_add(ask(Item { value: n, steps }).await);
                    }
                    sum
                })
            });
            let sums = join_all(tasks).await.into_iter().map(|sum| sum.expect(GOOD));
            let sum = sums.fold(0, u64::wrapping_add);
            (began.elapsed(), sum)
        })
    }
}
