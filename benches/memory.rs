//! Does memory depend on how many items go through?
//!
//!     cargo bench --bench memory                  # about a minute; Linux only
//!     cargo bench --bench memory -- 3 flat_map    # medians of 3, for those rows whose heading has this word
//!
//!
//! A slow consumer on a thread of its own, so that the window is full all the time, takes 10 thousand items and then 10
//! million from pass-through work: the peaks of resident memory (`VmHWM`) should be within 8 MiB of each other. Every
//! run is a process of its own, since a peak never falls. Items are numbers; arrays of 1 KiB, whose size the default
//! window takes into account; and vectors of 1 KiB, of which it knows only the 24 bytes of the `Vec`. With `flat_map`
//! the numbers are the results of a single item. In the rows `paused`, 4 items have results without end, and the consumer
//! pauses for a second after every eighth of those it takes.
//!
//! `in flight` is the largest number that was seen; it shows that the consumer was slower than the generator.

mod support {
    pub(crate) mod args;
    pub(crate) mod median;
    pub(crate) mod proc_status;
    pub(crate) mod selection;
    pub(crate) mod spin;
    pub(crate) mod verdict;
}

use std::env;
use std::error::Error;
use std::hint::black_box;
use std::process::Command;
use std::thread;
use std::time::Duration;

use actix::System;
use actix_fan::{FanIn, FanOutExt, StartError};
use futures::StreamExt;
use tokio::runtime;
use tokio::sync::oneshot;

use support::args::measuring;
use support::median::Summary;
use support::proc_status::proc_status;
use support::selection::Selection;
use support::spin::{ODD, spin, steps_for};
use support::verdict::verdict;

const WORKERS: usize = 2;

/// In KiB.
const TARGET: f64 = 8.0 * 1024.0;

/// The argument that makes a child do one run.
const RUN: &str = "--run";

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let args: Vec<String> = env::args().collect();
    if let [_, run, item, order, items] = &args[..]
        && run == RUN
    {
        return child(item, order == "ordered", items.parse()?);
    }
    if proc_status(None, "VmHWM").is_none() {
        println!("skipped: this system has no /proc/self/status to read the peak from");
        return Ok(());
    }
    let many = if measuring() { 10_000_000 } else { 20_000 };
    println!("{:24} {:>12} {:>12} {:>14} {:>12}", "", "10,000", many, "more, KiB", "in flight");
    let selection = Selection::of_arguments();
    for item in ["u64", "[u8; 1024]", "Vec<u8>", "flat_map", "flat_map paused"] {
        for order in ["unordered", "ordered"] {
            let name = format!("{item}, {order}");
            if !selection.has(&name) {
                continue;
            }
            let runs = |items| {
                let runs = (0..selection.rounds(1)).map(|_| Peak::of(item, order, items));
                runs.collect::<Result<Vec<Peak>>>()
            };
            let (few, many) = (runs(10_000)?, runs(many)?);
            let kib = |peaks: &[Peak]| Summary::of(peaks.iter().map(|peak| peak.kib as f64)).median;
            let (few, more) = (kib(&few), kib(&many) - kib(&few));
            let in_flight = many.iter().map(|peak| peak.in_flight).max().unwrap_or_default();
            println!(
                "{name:24} {few:>12.0} {:>12.0} {more:>14.0} {in_flight:>12}  {}",
                few + more,
                verdict(more, ..=TARGET)
            );
        }
    }
    Ok(())
}

/// What a child printed about its run.
struct Peak {
    kib: u64,
    in_flight: usize,
}

impl Peak {
    fn of(item: &str, order: &str, items: u64) -> Result<Self> {
        let child = Command::new(env::current_exe()?).args([RUN, item, order, &items.to_string()]).output()?;
        if !child.status.success() {
            return Err(format!("{item}, {order}: {}", String::from_utf8_lossy(&child.stderr)).into());
        }
        let told = String::from_utf8(child.stdout)?;
        let (kib, in_flight) = told.trim().split_once(' ').ok_or("the child told too little")?;
        Ok(Self { kib: kib.parse()?, in_flight: in_flight.parse()? })
    }
}

fn child(item: &str, ordered: bool, items: u64) -> Result<()> {
    // Longer than the generator takes to make an item, so that the consumer is the slow one.
    let (short, long) = (Duration::from_nanos(100), Duration::from_nanos(400));
    let in_flight = match item {
        "u64" => run(items, ordered, short, |n| n.wrapping_mul(ODD)),
        "[u8; 1024]" => run(items, ordered, long, |n| [n as u8; 1024]),
        "Vec<u8>" => run(items, ordered, long, |n| vec![n as u8; 1024]),
        "flat_map" => run_flat(items, ordered, short),
        "flat_map paused" => run_paused(items, ordered),
        _ => return Err(format!("no such item: {item}").into()),
    }?;
    println!("{} {in_flight}", proc_status(None, "VmHWM").ok_or("no VmHWM")?);
    Ok(())
}

/// Returns the most items that were seen in flight.
fn run<T: Send + 'static>(items: u64, ordered: bool, pace: Duration, make: fn(u64) -> T) -> Result<usize> {
    take(items, pace, || {
        let fan_out = (0..items).map(make).fan_out().workers(WORKERS);
        let fan_out = if ordered { fan_out.ordered() } else { fan_out };
        fan_out.map(|item| item)
    })
}

/// As [`run`], with one item that has so many results.
fn run_flat(results: u64, ordered: bool, pace: Duration) -> Result<usize> {
    take(results, pace, || {
        let fan_out = [results].fan_out().workers(WORKERS);
        let fan_out = if ordered { fan_out.ordered() } else { fan_out };
        fan_out.flat_map(|results| (0..results).map(|n| n.wrapping_mul(ODD)))
    })
}

/// Takes that many results of items that have results without end, with pauses. Returns the items in flight.
fn run_paused(results: u64, ordered: bool) -> Result<usize> {
    System::new().block_on(async {
        let fan_out = (1..=4u64).fan_out().workers(WORKERS);
        let fan_out = if ordered { fan_out.ordered() } else { fan_out };
        let mut stream = fan_out.flat_map(|n| (0..).map(move |k: u64| k.wrapping_mul(n)))?;
        for taken in 1..=results {
            stream.next().await.ok_or("it has ended")??;
            if taken % (results / 8) == 0 {
                actix::clock::sleep(Duration::from_secs(1)).await;
            }
        }
        Ok(stream.stats().in_flight)
    })
}

/// Takes that many results, each in a time of `pace`. Returns the most items that were seen in flight.
fn take<T: Send + 'static>(
    results: u64,
    pace: Duration,
    start: impl FnOnce() -> std::result::Result<FanIn<T>, StartError>,
) -> Result<usize> {
    let steps = steps_for(pace);
    System::new().block_on(async {
        let stream = start()?;
        let (done, seen) = oneshot::channel();
        let runtime = runtime::Builder::new_current_thread().build()?;
        let consumer = thread::spawn(move || {
            // The function that started this thread joins it.
            let _ = done.send(runtime.block_on(consume(stream, steps)));
        });
        let (taken, in_flight) = seen.await?;
        consumer.join().map_err(|_| "the consumer panicked")?;
        assert_eq!(taken, results);
        Ok(in_flight)
    })
}

/// Spends some time on each result; returns the number of results, and the most items in flight.
async fn consume<T: Send + 'static>(mut results: FanIn<T>, steps: u64) -> (u64, usize) {
    let (mut taken, mut in_flight) = (0, 0);
    while let Some(result) = results.next().await {
        drop(result.expect("nothing in this job fails"));
        black_box(spin(taken, steps));
        if taken % 1024 == 0 {
            in_flight = in_flight.max(results.stats().in_flight);
        }
        taken += 1;
    }
    (taken, in_flight)
}
