//! Does a server stay responsive while its pool is saturated, compared with other pools?
//!
//!     cargo bench --bench load --features web                    # 9 rounds, about four minutes
//!     cargo bench --bench load --features web -- 21 "per core"   # more, and only rows with these words
//!
//! A second process serves two routes on one thread: `/work` spends 5 ms of processor time on the contender's threads,
//! `/ping` answers at once. This process keeps 128 connections that request work, and sends a ping every 2 ms on a
//! connection of its own. A ping that had to wait for the one before it is measured from when it was due.
//!
//! Everything shares the machine's cores: the workers, the server's thread, and both sides of this process.
//!
//! The contenders alternate, A B C A B C. Printed is the median of the rounds, and for the p99 also the least and the
//! most; the p99.9 is of all rounds together. The row without work shows how much of it is due to the machine.

#[path = "../support"]
mod support {
    pub(crate) mod args;
    pub(crate) mod median;
    pub(crate) mod ping;
    pub(crate) mod selection;
    pub(crate) mod server_process;
    pub(crate) mod spin;
    pub(crate) mod sync_arbiter;
}
mod contender;
mod server;
mod work;

use std::env;
use std::num::NonZeroUsize;
use std::thread::{self, available_parallelism};
use std::time::{Duration, Instant};

use contender::{Contender, How};
use support::args::measuring;
use support::median::Summary;
use support::ping;
use support::selection::Selection;
use support::spin::steps_for;

const ROUNDS: usize = 9;
const GRAIN: Duration = Duration::from_millis(5);
/// In milliseconds, for the p99 of pings.
const TARGET: f64 = 10.0;

/// How many requests are sent, and for how long.
#[derive(Clone, Copy)]
struct Load {
    connections: usize,
    warm_up: Duration,
    length: Duration,
}

/// The measurements of a contender: sorted pings, one row per round.
#[derive(Default)]
struct Seen {
    pings: Vec<Vec<Duration>>,
    rates: Vec<f64>,
    refused: u64,
}

impl Seen {
    fn of_rounds(&self, part: f64) -> Summary {
        Summary::of(self.pings.iter().map(|pings| percentile(pings, part)))
    }

    fn of_all(&self, part: f64) -> f64 {
        let mut pings = self.pings.concat();
        pings.sort();
        percentile(&pings, part)
    }
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [first, rest @ ..] = arguments.as_slice()
        && first == "serve"
    {
        return server::serve(rest);
    }
    let selection = Selection::of_arguments();
    let rounds = selection.rounds(ROUNDS);
    let (grain, load) = if measuring() {
        let (warm_up, length) = (Duration::from_millis(500), Duration::from_secs(2));
        (GRAIN, Load { connections: 128, warm_up, length })
    } else {
        let (warm_up, length) = (Duration::ZERO, Duration::from_millis(100));
        (Duration::from_micros(100), Load { connections: 4, warm_up, length })
    };

    let cores = available_parallelism().map_or(1, NonZeroUsize::get);
    let rows: Vec<Contender> =
        Contender::all(cores).into_iter().filter(|row| selection.has(&row.to_string())).collect();
    let steps = steps_for(grain);
    let mut seen: Vec<Seen> = rows.iter().map(|_| Seen::default()).collect();
    for _ in 0..rounds {
        for (&row, seen) in rows.iter().zip(&mut seen) {
            measure(row, steps, load, seen);
        }
    }
    println!("{cores} cores, {} connections, items of {grain:?}; ping in ms\n", load.connections);
    println!("{:44} {:>7} {:24} {:>7} {:>8} {:>8}", "", "p50", "      p99", "p99.9", "work/s", "refused");
    for (row, seen) in rows.iter().zip(&seen) {
        let rate = Summary::of(seen.rates.iter().copied()).median;
        println!(
            "{:44} {:>7.2} {:24} {:>7.2} {rate:>8.0} {:>8}",
            row.to_string(),
            seen.of_rounds(0.5).median,
            seen.of_rounds(0.99).to_string(),
            seen.of_all(0.999),
            seen.refused
        );
    }
    println!();
    for (row, seen) in rows.iter().zip(&seen).filter(|(row, _)| row.how == How::Fan) {
        let p99 = seen.of_rounds(0.99).median;
        println!("{row}: p99 <= {TARGET} ms: {} ({p99:.2} ms)", if p99 <= TARGET { "met" } else { "missed" });
    }
}

fn measure(contender: Contender, steps: u64, load: Load, seen: &mut Seen) {
    let server = server::start(contender, steps);
    let address = server.address;
    let counted = Instant::now() + load.warm_up;
    let pings = thread::spawn(move || ping::latencies(address, |due| due < counted + load.length));
    let asked = if contender.how == How::Idle { work::Asked::default() } else { work::ask(address, load) };
    let pings = pings.join().expect("the server answers");
    let mut pings: Vec<_> = pings.into_iter().filter(|(due, _)| *due >= counted).map(|(_, took)| took).collect();
    pings.sort();
    seen.pings.push(pings);
    seen.rates.push(asked.answers as f64 / load.length.as_secs_f64());
    seen.refused += asked.refused;
}

/// Of values in order, in milliseconds.
fn percentile(values: &[Duration], part: f64) -> f64 {
    let place = (values.len() as f64 * part).ceil() as usize;
    values[place.clamp(1, values.len()) - 1].as_secs_f64() * 1e3
}
