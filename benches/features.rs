//! What do features cost that are compiled and not used? And what does one version cost against another?
//!
//!     cargo bench --bench features --no-run                       # prints the path of the program: copy it to `none`
//!     OTHER=$PWD/none cargo bench --bench features --all-features # about a minute
//!     OTHER=$PWD/none cargo bench --bench features --all-features -- 41
//!
//! A pipeline and a pool with 64 submits in flight from one task, on 2 worker threads, without an observer. In each round
//! this program and the one that `OTHER` names are run one after the other, the first one in turns: both are this
//! benchmark, built in different ways or at different commits. A ratio is the time of this one to that of the other in the
//! same round. Without `OTHER` the program is compared with itself, which shows the noise.

mod support {
    pub(crate) mod args;
    pub(crate) mod median;
    pub(crate) mod others;
    pub(crate) mod selection;
    pub(crate) mod spin;
    pub(crate) mod table;
}

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use actix::System;
use actix_fan::{FanOutExt, pool};
use futures::{StreamExt, stream};

use support::args::measuring;
use support::median::Summary;
use support::selection::Selection;
use support::spin::{spin, steps_for};
use support::table::table;

const WORKERS: usize = 2;
const IN_FLIGHT: usize = 64;
const STARTS: &str = "this thread belongs to a System";

/// Set for a run that measures each grain once: the steps of an item, and the number of items.
const STEPS: &str = "FEATURES_STEPS";

/// What an item costs, in nanoseconds.
const GRAINS: [(&str, u64); 3] = [("pass-through", 0), ("100 ns", 100), ("1 us", 1_000)];

/// What is measured of each grain.
const KINDS: [&str; 2] = ["pipeline", "pool"];

fn main() {
    if let Ok(steps) = env::var(STEPS) {
        return once(&steps);
    }
    let selection = Selection::of_arguments();
    let here = env::current_exe().expect("the path of this program");
    let other = env::var_os("OTHER").map_or_else(|| here.clone(), PathBuf::from);
    let steps = GRAINS.map(|(_, nanos)| {
        let steps = if nanos > 0 && measuring() { steps_for(Duration::from_nanos(nanos)) } else { 0 };
        format!("{steps}")
    });
    let steps = steps.join(" ");
    table(&selection, "this program against the other one", || compare(selection.rounds(21), &here, &other, &steps));
}

fn compare(rounds: usize, here: &Path, other: &Path, steps: &str) {
    let rounds: Vec<(Vec<f64>, Vec<f64>)> = (0..rounds)
        .map(|round| {
            if round % 2 == 0 {
                let here = measure(here, steps);
                (here, measure(other, steps))
            } else {
                let other = measure(other, steps);
                (measure(here, steps), other)
            }
        })
        .collect();
    let names = KINDS.iter().flat_map(|kind| GRAINS.iter().map(move |(grain, _)| format!("{kind}, {grain}")));
    for (row, name) in names.enumerate() {
        let ours = Summary::of(rounds.iter().map(|(here, _)| here[row]));
        let ratio = Summary::of(rounds.iter().map(|(here, other)| here[row] / other[row]));
        println!("  {name:<24} {ours:>9.1} ns per item; ratio {ratio:.3}");
    }
}

/// Has a program measure everything once; returns nanoseconds per item.
fn measure(program: &Path, steps: &str) -> Vec<f64> {
    let mut command = Command::new(program);
    if measuring() {
        command.arg("--bench");
    }
    let output = command.env(STEPS, steps).output().expect("the other program can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("numbers");
    text.lines().map(|line| line.parse().expect("a number per line")).collect()
}

/// Prints a number per kind and grain.
fn once(steps: &str) {
    let steps: Vec<u64> = steps.split(' ').map(|steps| steps.parse().expect("a number of steps")).collect();
    let system = System::new();
    let length = if measuring() { Duration::from_millis(100) } else { Duration::from_micros(20) };
    for kind in KINDS {
        for ((_, nanos), steps) in GRAINS.iter().zip(&steps) {
            let expected = if kind == "pool" { 500 + nanos } else { 10 + nanos };
            let items = length.as_nanos() as u64 / expected;
            let time = |items| match kind {
                "pool" => system.block_on(submits(items, *steps)),
                _ => system.block_on(pipeline(items, *steps)),
            };
            time(items / 10 + 1);
            println!("{}", time(items).as_nanos() as f64 / items as f64);
        }
    }
}

async fn pipeline(items: u64, steps: u64) -> Duration {
    let began = Instant::now();
    let results = (0..items).fan_out().workers(WORKERS).map(move |n| spin(n, steps)).expect(STARTS);
    assert_eq!(results.count().await as u64, items);
    began.elapsed()
}

async fn submits(items: u64, steps: u64) -> Duration {
    let began = Instant::now();
    let pool = pool().workers(WORKERS).map(move |n| spin(n, steps)).expect(STARTS);
    let answers = stream::iter(0..items).map(|n| pool.submit(n)).buffer_unordered(IN_FLIGHT);
    assert_eq!(answers.filter(|answer| futures::future::ready(answer.is_ok())).count().await as u64, items);
    began.elapsed()
}
