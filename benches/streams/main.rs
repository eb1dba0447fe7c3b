//! What does a server need for many streamed answers at a time, and does it stay responsive?
//!
//!     cargo bench --bench streams --features web                  # 3 rounds, about two minutes; Linux only
//!     cargo bench --bench streams --features web -- 5 pipeline    # more, and only rows with this word
//!
//! A second process serves two routes on one thread. `/stream` answers with 1,000 lines of NDJSON, each the result of
//! an item of 50 us: of a pipeline per request with the default settings, by `actix_fan::web::ndjson`; or of a
//! `web::block` per item, one at a time, which is what a handler without this crate would do. `/ping` answers at once.
//!
//! This process opens 200 connections, each of which asks for one stream, and sends a ping every 2 ms on a connection
//! of its own until all streams have ended. A ping that had to wait for the one before it is measured from when it was
//! due. Everything shares the machine's cores. All streams together need 10 s of processor time.
//!
//! The contenders alternate, each with a new server process. Printed are medians of the rounds, and in brackets the
//! least and the most: the threads of the server, seen every 2 ms; the latency of pings in ms; the time until the last
//! stream has ended; the peak of the server's resident memory.

#[path = "../support"]
mod support {
    pub(crate) mod args;
    pub(crate) mod median;
    pub(crate) mod others;
    pub(crate) mod percentiles;
    pub(crate) mod ping;
    pub(crate) mod proc_status;
    pub(crate) mod selection;
    pub(crate) mod server_process;
    pub(crate) mod spin;
}
mod client;
mod contender;
mod server;

use std::cell::Cell;
use std::env;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use contender::Contender;
use support::args::measuring;
use support::median::Summary;
use support::others::Others;
use support::percentiles::Percentiles;
use support::ping;
use support::proc_status::proc_status;
use support::selection::Selection;
use support::spin::steps_for;

const ROUNDS: usize = 3;

/// How much is asked for.
#[derive(Clone, Copy)]
struct Load {
    connections: usize,
    /// Of each stream.
    items: u64,
    /// Of each item.
    steps: u64,
}

/// What one round of a contender showed.
struct Seen {
    threads: f64,
    pings: Percentiles,
    took: Duration,
    peak_mib: f64,
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [first, rest @ ..] = arguments.as_slice()
        && first == "serve"
    {
        return server::serve(rest);
    }
    if proc_status(None, "Threads").is_none() {
        println!("skipped: this system has no /proc/self/status to read the number of threads from");
        return;
    }
    let selection = Selection::of_arguments();
    let rounds = selection.rounds(ROUNDS);
    let (connections, items, grain) = if measuring() { (200, 1_000, 50) } else { (3, 10, 1) };
    let load = Load { connections, items, steps: steps_for(Duration::from_micros(grain)) };
    let rows: Vec<Contender> = Contender::ALL.into_iter().filter(|row| selection.has(row.name())).collect();
    let others = Others::begin();
    let mut seen: Vec<Vec<Seen>> = rows.iter().map(|_| Vec::new()).collect();
    for _ in 0..rounds {
        for (&row, seen) in rows.iter().zip(&mut seen) {
            seen.push(measure(row, load));
        }
    }
    println!("{connections} streams of {items} items of {grain} us each");
    for (row, seen) in rows.iter().zip(&seen) {
        let summary = |value: fn(&Seen) -> f64| Summary::of(seen.iter().map(value));
        println!("{}", row.name());
        println!("  {:24} {:.0}", "threads at most", summary(|seen| seen.threads));
        println!("  {:24} {:.2}", "ping, p50, ms", summary(|seen| seen.pings.p50));
        println!("  {:24} {:.2}", "ping, p99, ms", summary(|seen| seen.pings.p99));
        println!("  {:24} {:.2}", "ping, the longest, ms", summary(|seen| seen.pings.most));
        println!("  {:24} {:.2}", "all streams, s", summary(|seen| seen.took.as_secs_f64()));
        println!("  {:24} {:.1}", "peak memory, MiB", summary(|seen| seen.peak_mib));
    }
    others.report();
}

fn measure(contender: Contender, load: Load) -> Seen {
    let server = server::start(contender, load);
    let (address, id) = (server.address, server.process.id());
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let pings = scope.spawn(|| {
            let threads = Cell::new(0);
            let more = |_| {
                threads.set(threads.get().max(proc_status(Some(id), "Threads").unwrap_or_default()));
                !ended.load(Relaxed)
            };
            let pings = ping::latencies(address, more);
            (pings, threads.get())
        });
        let began = Instant::now();
        client::take_streams(address, load);
        let took = began.elapsed();
        ended.store(true, Relaxed);
        let (pings, threads) = pings.join().expect("the server answers");
        let peak = proc_status(Some(id), "VmHWM").unwrap_or_default();
        Seen {
            threads: threads as f64,
            pings: Percentiles::of(pings.into_iter().map(|(_, took)| took.as_secs_f64() * 1e3)),
            took,
            peak_mib: peak as f64 / 1024.0,
        }
    })
}
