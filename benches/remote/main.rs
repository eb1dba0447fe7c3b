//! What does it cost to have nodes do the work of a pipeline?
//!
//!     NATS_SERVER=path/to/nats-server cargo bench --bench remote --features nats   # about four minutes; Linux only
//!     cargo bench --bench remote --features nats -- throughput                     # one question
//!
//! A NATS server, the nodes and the coordinator are processes of this machine, so they compete for its processors. The server
//! is the one that `NATS_SERVER` names, or `nats-server` on the path; without one this says so and ends.
//!
//! - *Throughput*: items of 200 us, 100 in a batch, so that a batch is 20 ms of work. As many worker threads as there are
//!   processors: those of a local pipeline, of one node, and of two nodes that share them. Printed is the time of the local
//!   pipeline divided by that of the nodes, round by round.
//! - *Overhead*: batches of one item that does nothing, 64 at a time: batches per second, and the processor time per batch of
//!   the coordinator, the server and the nodes.
//! - *Cancel*: a run of 5 ms items, two in each batch, is stopped, and then a run of one item is begun. Printed is how long it
//!   takes until the stop has returned and the run has ended, and until that one item's result is there: nodes are idle then.
//! - *Memory*: the resident memory of the coordinator after a quarter of 10 million items, and after all.
//! - *Capacity*: rows of the table in the guide's chapter about many machines. Nodes of 16 threads, whose work sleeps, so that
//!   one machine can have a hundred: batches per second as a part of what the threads could do, and how much of one processor
//!   the coordinator, the server and all nodes take.

mod server;
#[path = "../support"]
mod support {
    pub(crate) mod args;
    pub(crate) mod median;
    pub(crate) mod others;
    pub(crate) mod proc_status;
    pub(crate) mod selection;
    pub(crate) mod spin;
    pub(crate) mod table;
}

use std::env;
use std::io::{BufRead, BufReader};
use std::num::NonZeroUsize;
use std::process::{Child, Command, Stdio};
use std::thread::{available_parallelism, sleep};
use std::time::{Duration, Instant};

use actix::System;
use actix_fan::remote::{Nats, Node};
use actix_fan::{FanIn, FanOutExt};
use futures::StreamExt;
use futures::executor::block_on;

use server::Server;
use support::args::measuring;
use support::median::Summary;
use support::proc_status::proc_status;
use support::selection::Selection;
use support::spin::{spin, steps_for};
use support::table::table;

/// Set for a process that is a node: the server's address, and how many threads it has.
const NODE: &str = "REMOTE_BENCH_NODE";

fn main() {
    if let Ok(node) = env::var(NODE) {
        return serve(&node);
    }
    let selection = Selection::of_arguments();
    let Some(server) = Server::start() else { return };
    let threads = available_parallelism().map_or(2, NonZeroUsize::get);
    let nats = block_on(Nats::connect(&server.url)).expect("the server has started");
    let one = Nodes::start(&server, &[threads]);
    table(&selection, "overhead, one node", || overhead(&nats, &server, &one, selection.rounds(5)));
    table(&selection, "cancel, one node", || cancel(&nats, selection.rounds(21)));
    table(&selection, "memory of the coordinator, one node", || memory(&nats));
    table(&selection, "throughput, one node", || throughput(&nats, threads, selection.rounds(7)));
    drop(one);
    let two = Nodes::start(&server, &[threads.div_ceil(2), threads / 2]);
    table(&selection, "overhead, two nodes", || overhead(&nats, &server, &two, selection.rounds(5)));
    table(&selection, "throughput, two nodes", || throughput(&nats, threads, selection.rounds(7)));
    drop(two);
    for (nodes, millis) in [(1, 20), (10, 64), (100, 640)] {
        let name = format!("capacity, {nodes} of 16 threads, batches of {millis} ms");
        table(&selection, &name, || capacity(&server, nodes, millis));
    }
}

/// The process of a node.
fn serve(node: &str) {
    let (url, threads) = node.rsplit_once(' ').expect("an address and a number");
    System::new().block_on(async {
        let nats = Nats::connect(url).await.expect("the server runs");
        let node = Node::builder()
            .map("spin/1", |(value, steps): (u64, u64)| spin(value, steps))
            .map("nothing/1", |value: u64| value)
            .map("sleep/1", |millis: u64| sleep(Duration::from_millis(millis)))
            .threads(threads.parse().expect("a number"));
        let node = node.start(&nats).await.expect("the server lets nodes in");
        println!("{}", node.name());
        node.finished().await;
    });
}

/// Processes that are killed when this is dropped.
struct Nodes(Vec<Child>);

impl Nodes {
    fn start(server: &Server, threads: &[usize]) -> Self {
        let start = |threads: &usize| {
            let mut node = Command::new(env::current_exe().expect("the path of this program"));
            let node = node.env(NODE, format!("{} {threads}", server.url)).stdout(Stdio::piped());
            let mut node = node.spawn().expect("a process");
            let mut name = String::new();
            BufReader::new(node.stdout.as_mut().expect("it is piped")).read_line(&mut name).expect("its name");
            node
        };
        Self(threads.iter().filter(|threads| **threads > 0).map(start).collect())
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        for node in &mut self.0 {
            let _ = node.kill();
            let _ = node.wait();
        }
    }
}

/// Takes all results; returns the time.
async fn drain<O: Send>(mut results: FanIn<O>) -> Duration {
    let began = Instant::now();
    while let Some(result) = results.next().await {
        result.expect("no item fails");
    }
    began.elapsed()
}

fn throughput(nats: &Nats, threads: usize, rounds: usize) {
    let steps = if measuring() { steps_for(Duration::from_micros(200)) } else { 0 };
    let items = if measuring() { 10_000 * threads as u64 } else { 100 };
    let source = move || (0..items).map(move |n| (n, steps));
    let ratios = (0..rounds).map(|_| {
        System::new().block_on(async {
            let local = source().fan_out().batch(100).window(64 * 100).workers(threads);
            let local = drain(local.map(|(value, steps): (u64, u64)| spin(value, steps)).expect("it starts")).await;
            let remote = source().fan_out().batch(100).window(64 * 100).over(nats).run::<u64>("spin/1");
            let remote = drain(remote.expect("it starts")).await;
            local.as_secs_f64() / remote.as_secs_f64()
        })
    });
    println!("  of the local throughput {:.3}", Summary::of(ratios.collect::<Vec<_>>()));
}

fn overhead(nats: &Nats, server: &Server, nodes: &Nodes, rounds: usize) {
    let batches = if measuring() { 20_000_u64 } else { 20 };
    let times = || processor_times(server, nodes);
    let (mut rates, mut costs) = (Vec::new(), [const { Vec::new() }; 3]);
    for _ in 0..rounds {
        System::new().block_on(async {
            let before = times();
            let run = (0..batches).fan_out().batch(1).over(nats).run::<u64>("nothing/1");
            let time = drain(run.expect("it starts")).await;
            rates.push(batches as f64 / time.as_secs_f64());
            for ((costs, before), after) in costs.iter_mut().zip(before).zip(times()) {
                costs.push((after - before).as_secs_f64() * 1e6 / batches as f64);
            }
        });
    }
    println!("  batches per second {:.0}", Summary::of(rates));
    for (what, costs) in PROCESSES.into_iter().zip(costs) {
        println!("  processor time per batch of the {what}, us {:.0}", Summary::of(costs));
    }
}

fn cancel(nats: &Nats, rounds: usize) {
    let steps = if measuring() { steps_for(Duration::from_millis(5)) } else { 0 };
    let (ends, idles): (Vec<f64>, Vec<f64>) = (0..rounds)
        .map(|_| {
            System::new().block_on(async {
                let endless = (0u64..).map(move |n| (n, steps)).fan_out().batch(2).over(nats);
                let mut endless = endless.run::<u64>("spin/1").expect("it starts");
                for _ in 0..20 {
                    endless.next().await;
                }
                let began = Instant::now();
                endless.stop();
                endless.finished().await.expect("a stop is no error");
                let ended = began.elapsed();
                let run = std::iter::once(1u64).fan_out().over(nats).run::<u64>("nothing/1");
                drain(run.expect("it starts")).await;
                (ended.as_secs_f64() * 1e3, began.elapsed().as_secs_f64() * 1e3)
            })
        })
        .unzip();
    println!("  until the run has ended, ms {:.1}", Summary::of(ends));
    println!("  until nodes have done an item of another run, ms {:.1}", Summary::of(idles));
}

fn memory(nats: &Nats) {
    let items = if measuring() { 10_000_000_u64 } else { 1_000 };
    System::new().block_on(async {
        let mut run = (0..items).fan_out().ordered().over(nats).run::<u64>("nothing/1").expect("it starts");
        let mut taken = 0;
        let mut at_a_quarter = None;
        while let Some(chunk) = run.next_chunk().await {
            taken += chunk.len() as u64;
            drop(chunk);
            if taken >= items / 4 && at_a_quarter.is_none() {
                at_a_quarter = proc_status(None, "VmRSS");
            }
        }
        assert_eq!(taken, items);
        let mib = |kib: Option<u64>| kib.map_or(0.0, |kib| kib as f64 / 1024.0);
        println!(
            "  after a quarter {:.1} MiB, after all {:.1} MiB",
            mib(at_a_quarter),
            mib(proc_status(None, "VmRSS"))
        );
    });
}

fn capacity(server: &Server, nodes: usize, millis: u64) {
    const THREADS: usize = 16;
    let nodes = Nodes::start(server, &vec![THREADS; if measuring() { nodes } else { 1 }]);
    let threads = nodes.0.len() * THREADS;
    let most = threads as f64 * 1e3 / millis as f64;
    // Ten seconds of work, but for the start.
    let batches = if measuring() { (10.0 * most) as usize } else { 20 };
    let nats = block_on(Nats::builder(&server.url).ack_wait(Duration::from_secs(30)).connect()).expect("it runs");
    System::new().block_on(async {
        let (began, before) = (Instant::now(), processor_times(server, &nodes));
        let slots = 2 * threads;
        let run = std::iter::repeat_n(millis, batches).fan_out().batch(1).window(slots).over(&nats).slots(slots);
        drain(run.run::<()>("sleep/1").expect("it starts")).await;
        let took = began.elapsed().as_secs_f64();
        let rate = batches as f64 / took;
        println!("  batches per second {rate:.0}, of what the threads could do {:.2}", rate / most);
        for ((what, before), after) in PROCESSES.into_iter().zip(before).zip(processor_times(server, &nodes)) {
            let share = 100.0 * (after - before).as_secs_f64() / took;
            println!("  of one processor, by the {what}: {share:.0} %");
        }
    });
}

const PROCESSES: [&str; 3] = ["coordinator", "server", "nodes"];

/// The processor time of each of these so far.
fn processor_times(server: &Server, nodes: &Nodes) -> [Duration; 3] {
    let nodes = nodes.0.iter().map(|node| processor_time(node.id())).sum();
    [processor_time(std::process::id()), processor_time(server.id()), nodes]
}

/// Of a process.
fn processor_time(process: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let ticks = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().skip(11).take(2);
    Duration::from_millis(10) * ticks.flat_map(str::parse::<u32>).sum()
}
