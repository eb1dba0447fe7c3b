//! Does a slow item hold up others, is little work spread over all workers, and do pipelines share their threads?
//!
//!     cargo bench --bench sharing                 # everything, about two minutes
//!     cargo bench --bench sharing -- burst        # those whose heading has this word
//!     cargo bench --bench sharing -- 15 mix       # and more rounds
//!
//! - *One of 20*: 10,000 items of 20 us teach the pipeline how short items are. Then 20 come at once, of which one
//!   takes 3 s of processor time: when are the other 19 delivered? In milliseconds; the slow one is the first, or the
//!   11th.
//! - *No-ops, then sleepers*: 200,000 items that do nothing, and then 40 that sleep for 250 ms, on 4 workers: the time
//!   of all, in seconds. The ideal is 2.5. They sleep since 4 of them would need as many processors.
//! - *Burst*: 80 items of 20 us, come to a pipeline that knows them and whose workers have nothing to do: the time
//!   until all are delivered, in milliseconds, beside one thread alone, rayon's `par_iter` and submits to a pool. Ideal
//!   is half of one thread's.
//! - *Mixes*: many short items and few long ones, at random places that are the same in each round. `share` is the part
//!   of the ideal throughput, that of two plain threads which take the next item from a counter, in the same round.
//!   rayon's `par_iter` may take items in any order; it knows their number.
//! - *Shares*: 2, 4 and 8 endless pipelines on one set of two threads, whose items take 100 ns, 1 ms, 10 us and 1 us in
//!   turn. How much of the threads' time did each of them get in a second, of what would be an equal share? Then the
//!   first or the second one is stopped, or dropped, and the others have another second.
//!
//! All but the no-ops with 2 workers. The contenders alternate; printed are the median, the least and the most.

mod support {
    pub(crate) mod args;
    pub(crate) mod ideal;
    pub(crate) mod median;
    pub(crate) mod others;
    pub(crate) mod selection;
    pub(crate) mod spin;
    pub(crate) mod table;
    pub(crate) mod verdict;
}

use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use actix::clock::sleep;
use actix::{System, SystemRunner};
use actix_fan::{FanIn, FanOutExt, Pool, StopHandle, Workers, pool};
use futures::StreamExt;
use futures::channel::mpsc::{UnboundedSender, unbounded};
use futures::future::join_all;
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use rayon::{ThreadPool, ThreadPoolBuilder};

use support::args::measuring;
use support::ideal::ideal_sum;
use support::median::Summary;
use support::selection::Selection;
use support::spin::{ODD, spin, steps_for};
use support::table::table;
use support::verdict::verdict;

const WORKERS: usize = 2;
const GOOD: &str = "nothing in this job fails";
const STARTS: &str = "this thread belongs to a System";

fn main() {
    let selection = Selection::of_arguments();
    let short = steps_for(Duration::from_micros(20));
    let system = System::new();
    for position in [0, 10] {
        table(&selection, &format!("one of 20 takes 3 s, number {}", position + 1), || {
            let long = steps_for(Duration::from_millis(10)) * if measuring() { 300 } else { 1 };
            let rounds = (0..selection.rounds(3)).map(|_| system.block_on(one_of_20(position, short, long)));
            report("until the other 19, ms", Summary::of(rounds), 20.0);
        });
    }
    table(&selection, "no-ops, then sleepers on 4 workers", || {
        let (no_ops, nap) = if measuring() { (200_000, 250) } else { (200, 1) };
        let nap = Duration::from_millis(nap);
        let rounds = (0..selection.rounds(3)).map(|_| system.block_on(no_ops_then_sleepers(no_ops, nap)));
        report("all, s", Summary::of(rounds), 2.7);
    });
    table(&selection, "burst of 80 items of 20 us", || system.block_on(bursts(selection.rounds(200), short)));
    for pipelines in [2, 4, 8] {
        for (how, leaves) in [("stopped", Leaves::Stopped(1)), ("dropped", Leaves::Dropped(0))] {
            let heading = format!("shares of {pipelines} pipelines, then one is {how}");
            table(&selection, &heading, || system.block_on(shares(pipelines, leaves, selection.rounds(5))));
        }
    }
    for mix in &Mix::ALL {
        table(&selection, mix.heading, || mix.compare(&system, selection.rounds(5)));
    }
}

/// What one pipeline's item takes, in nanoseconds: of the first, the second and so on.
const COSTS: [u64; 4] = [100, 1_000_000, 10_000, 1_000];

/// How long each of the shares is measured.
const SECOND: Duration = Duration::from_secs(1);

/// How a pipeline ends that is the first or the second of some.
#[derive(Clone, Copy)]
enum Leaves {
    Stopped(usize),
    Dropped(usize),
}

async fn shares(pipelines: usize, leaves: Leaves, rounds: usize) {
    let steps = COSTS.map(|nanos| if measuring() { steps_for(Duration::from_nanos(nanos)) } else { 1 });
    let second = if measuring() { SECOND } else { Duration::from_millis(2) };
    let (mut all, mut left) = (vec![Vec::new(); pipelines], vec![Vec::new(); pipelines]);
    for _ in 0..rounds {
        let workers = Workers::builder().threads(WORKERS).build().expect("two threads can be spawned");
        let start = |n: usize| {
            let steps = steps[n % steps.len()];
            let results = (0u64..).fan_out().on(&workers).map(move |n| spin(n, steps)).expect(STARTS);
            let stop = results.stop_handle();
            (stop, actix::spawn(results.for_each(async |result| drop(black_box(result)))))
        };
        let (stops, consumers): (Vec<_>, Vec<_>) = (0..pipelines).map(start).unzip();
        // Until their batches are as large as they become.
        sleep(second / 4).await;
        part(&stops, second, &mut all).await;
        let gone = match leaves {
            Leaves::Stopped(n) => {
                stops[n].stop();
                n
            }
            Leaves::Dropped(n) => {
                consumers[n].abort();
                n
            }
        };
        let others: Vec<_> =
            stops.iter().enumerate().filter(|(n, _)| *n != gone).map(|(_, stop)| stop.clone()).collect();
        let mut parts = vec![Vec::new(); others.len()];
        part(&others, second, &mut parts).await;
        let columns = left.iter_mut().enumerate().filter(|(n, _)| *n != gone).map(|(_, column)| column);
        columns.zip(parts).for_each(|(column, part)| column.extend(part));
        stops.iter().for_each(StopHandle::stop);
        for stop in stops {
            stop.finished().await.expect(GOOD);
        }
    }
    for (what, columns) in [("", &all), (", after one left", &left)] {
        for (n, column) in columns.iter().enumerate().filter(|(_, column)| !column.is_empty()) {
            let share = Summary::of(column.iter().copied());
            let verdict = verdict(share.median, 0.9..=1.1);
            let nanos = COSTS[n % COSTS.len()];
            println!("  {:32} {share:.3}  {verdict}", format!("{}: {nanos} ns{what}", n + 1));
        }
    }
}

/// Adds each pipeline's part of the threads' time, of what would be an equal part.
async fn part(pipelines: &[StopHandle], time: Duration, parts: &mut [Vec<f64>]) {
    let busy = |stop: &StopHandle| stop.stats().workers.iter().map(|worker| worker.busy.as_secs_f64()).sum::<f64>();
    let before: Vec<_> = pipelines.iter().map(busy).collect();
    sleep(time).await;
    let used: Vec<_> = pipelines.iter().zip(before).map(|(stop, before)| busy(stop) - before).collect();
    let equal = used.iter().sum::<f64>() / used.len() as f64;
    parts.iter_mut().zip(used).for_each(|(parts, used)| parts.push(used / equal));
}

fn report(what: &str, summary: Summary, target: f64) {
    println!("  {what:32} {summary}  {}", verdict(summary.median, ..=target));
}

/// A pipeline whose items are numbers of steps, and come when they are sent. It has had short ones.
struct Taught {
    items: UnboundedSender<u64>,
    results: FanIn<u64>,
}

impl Taught {
    async fn new(short: u64) -> Self {
        let (items, source) = unbounded();
        let work = |steps| {
            black_box(spin(steps, steps));
            steps
        };
        let results = source.fan_out().workers(WORKERS).map(work).expect(STARTS);
        let mut taught = Self { items, results };
        let items = if measuring() { 10_000 } else { 100 };
        taught.send((0..items).map(|_| short));
        for _ in 0..items {
            taught.next().await;
        }
        taught
    }

    fn send(&self, items: impl Iterator<Item = u64>) {
        items.for_each(|steps| self.items.unbounded_send(steps).expect(GOOD));
    }

    async fn next(&mut self) -> u64 {
        self.results.next().await.expect("an item was sent").expect(GOOD)
    }

    async fn end(mut self) {
        drop(self.items);
        self.results.finished().await.expect(GOOD);
    }
}

/// Milliseconds until all but the long one are delivered.
async fn one_of_20(position: usize, short: u64, long: u64) -> f64 {
    let mut taught = Taught::new(short).await;
    sleep(Duration::from_millis(5)).await;
    let began = Instant::now();
    taught.send((0..20).map(|n| if n == position { long } else { short }));
    let mut others = Duration::ZERO;
    for _ in 0..20 {
        if taught.next().await == short {
            others = began.elapsed();
        }
    }
    taught.end().await;
    others.as_secs_f64() * 1e3
}

/// Seconds for all.
async fn no_ops_then_sleepers(no_ops: u64, nap: Duration) -> f64 {
    let source = (0..no_ops).map(|_| Duration::ZERO).chain((0..40).map(move |_| nap));
    let began = Instant::now();
    let mut results = source
        .fan_out()
        .workers(4)
        .map(|nap| {
            if !nap.is_zero() {
                thread::sleep(nap);
            }
        })
        .expect(STARTS);
    while let Some(result) = results.next().await {
        result.expect(GOOD);
    }
    let took = began.elapsed();
    results.finished().await.expect(GOOD);
    took.as_secs_f64()
}

async fn bursts(rounds: usize, short: u64) {
    const ITEMS: u64 = 80;
    let mut taught = Taught::new(short).await;
    let pool: Pool<u64, u64> = pool().workers(WORKERS).map(|steps| spin(steps, steps)).expect(STARTS);
    let rayon = rayon();
    let names = ["one thread alone", "actix-fan", "rayon par_iter", "actix-fan pool, submits"];
    let mut columns = names.map(|_| Vec::with_capacity(rounds));
    for _ in 0..rounds {
        for (column, millis) in columns.iter_mut().enumerate() {
            // All workers go to sleep.
            sleep(Duration::from_millis(3)).await;
            let began = Instant::now();
            match column {
                0 => (0..ITEMS).for_each(|n| {
                    black_box(spin(n, short));
                }),
                1 => {
                    taught.send((0..ITEMS).map(|_| short));
                    for _ in 0..ITEMS {
                        taught.next().await;
                    }
                }
                2 => {
                    let items = || (0..ITEMS).into_par_iter().map(|n| spin(n, short));
                    black_box(rayon.install(|| items().reduce(|| 0, u64::wrapping_add)));
                }
                _ => {
                    for result in join_all((0..ITEMS).map(|_| pool.submit(short))).await {
                        black_box(result.expect(GOOD));
                    }
                }
            }
            millis.push(began.elapsed().as_secs_f64() * 1e3);
        }
    }
    taught.end().await;
    for (name, millis) in names.into_iter().zip(columns) {
        let summary = Summary::of(millis);
        let verdict = if name == "actix-fan" { verdict(summary.median, ..=1.15) } else { String::new() };
        println!("  {:32} {summary}  {verdict}", format!("{name}, ms"));
    }
}

fn rayon() -> ThreadPool {
    ThreadPoolBuilder::new().num_threads(WORKERS).build().expect("two threads can be spawned")
}

/// Short items and a few long ones.
struct Mix {
    heading: &'static str,
    short: Duration,
    long: Duration,
    /// One in so many is long.
    one_in: u64,
    items: u64,
}

impl Mix {
    const ALL: [Self; 2] = [
        Self {
            heading: "mix of 99% 1 us and 1% 1 ms",
            short: Duration::from_micros(1),
            long: Duration::from_millis(1),
            one_in: 100,
            items: 50_000,
        },
        Self {
            heading: "mix of 99.9% 20 us and 0.1% 100 ms",
            short: Duration::from_micros(20),
            long: Duration::from_millis(100),
            one_in: 1_000,
            items: 20_000,
        },
    ];

    fn compare(&self, system: &SystemRunner, rounds: usize) {
        let items = if measuring() { self.items } else { 20 };
        let (short, long) = if measuring() { (steps_for(self.short), steps_for(self.long)) } else { (1, 100) };
        let one_in = self.one_in;
        // Without a pattern, and the same each time.
        let steps_of = move |n: u64| if (n.wrapping_mul(ODD) >> 32).is_multiple_of(one_in) { long } else { short };
        let rayon = rayon();
        let names = ["two threads", "actix-fan", "actix-fan ordered", "rayon par_iter"];
        let mut columns = names.map(|_| Vec::with_capacity(rounds));
        let work = move |n: u64| spin(n, steps_of(n));
        for _ in 0..rounds {
            let mut expected = None;
            for (column, seconds) in columns.iter_mut().enumerate() {
                let began = Instant::now();
                let sum = match column {
                    0 => ideal_sum(WORKERS, items, work),
                    1 | 2 => system.block_on(by_fan(items, column == 2, work)),
                    _ => rayon.install(|| (0..items).into_par_iter().map(work).reduce(|| 0, u64::wrapping_add)),
                };
                seconds.push(began.elapsed().as_secs_f64());
                assert_eq!(sum, *expected.get_or_insert(sum), "{}", names[column]);
            }
        }
        for (name, seconds) in names.into_iter().zip(&columns) {
            println!("  {:32} {:.3}", format!("{name}, s"), Summary::of(seconds.iter().copied()));
        }
        for (name, seconds) in names.into_iter().zip(&columns).skip(1) {
            let share = Summary::of(columns[0].iter().zip(seconds).map(|(ideal, took)| ideal / took));
            let verdict = if name == "actix-fan" { verdict(share.median, 0.97..) } else { String::new() };
            println!("  {:32} {share:.3}  {verdict}", format!("share, {name}"));
        }
    }
}

/// The sum of the results.
async fn by_fan(items: u64, ordered: bool, work: impl Fn(u64) -> u64 + Send + Sync + 'static) -> u64 {
    let fan_out = (0..items).fan_out().workers(WORKERS);
    let fan_out = if ordered { fan_out.ordered() } else { fan_out };
    let results = fan_out.map(work).expect(STARTS);
    results.fold(0u64, async |sum, result| sum.wrapping_add(result.expect(GOOD))).await
}
