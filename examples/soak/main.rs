//! A soak test: mixed load for a given time, with every item accounted for.
//!
//!     cargo run --release --example soak -- --minutes 20
//!     cargo run --release --example soak -- --seed 7 --round 1234     # replays one round of a run
//!
//! It runs rounds, four at a time: pipelines, chains, merged streams, pools and channels, with injected panics, errors
//! and stops. The seed and the number of a round determine what it does, but not how its threads interleave: a replay
//! may have to be repeated, which `--seconds N` does.
//!
//! At its end each round checks that every item was created and dropped, that every result is right and came once and
//! in order, that the numbers add up, and that nothing is in flight. A round that hangs is reported by its number. In
//! between, all rounds pause, and the memory and the threads of the process are sampled: neither may grow.
//!
//! It prints a report on the standard output, and exits with 1 if a check failed.

mod answers;
mod args;
mod consumer;
mod draw;
mod lanes;
mod pipelines;
mod pools;
mod process;
mod receipts;
mod report;
mod round;
mod source;
mod token;
mod watch;
mod work;

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_fan::Workers;
use peak_alloc::PeakAlloc;

use args::Args;
use lanes::Lanes;
use report::Rest;
use round::Soak;

/// Counts what is allocated, for the samples.
#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// The part of the time that warms up: 1 / `WARM_UP`. Allocators have reached their peak after it.
const WARM_UP: u32 = 5;
/// The number of samples in the remaining time, if it is long enough.
const SAMPLES: u32 = 60;
/// The least time between two samples.
const MIN_LEG: Duration = Duration::from_secs(1);

/// The number of threads that rounds share.
const SHARED: usize = 3;

#[actix::main]
async fn main() -> ExitCode {
    let args = match Args::parse() {
        Ok(args) => args,
        Err(error) => {
            eprintln!("soak: {error}\n{}", args::USAGE);
            return ExitCode::from(2);
        }
    };
    let soak = Soak::new(args.seed);
    let rests = Arc::new(Mutex::new(Vec::<Rest>::new()));
    watch::count_panics(&soak);
    watch::watch(&soak, {
        let rests = Arc::clone(&rests);
        move |soak| _ = report::print(soak, &rests.lock().unwrap())
    });

    let all_run = share_threads().await;
    if !all_run {
        eprintln!("soak: the shared threads do not start");
        return ExitCode::FAILURE;
    }
    match (args.round, args.time) {
        (Some(round), None) => round::run(&soak, round).await,
        (round, time) => {
            let time = time.unwrap_or(Duration::from_secs(120));
            let lanes = Lanes::new(&soak, round);
            if let Some(sample) = process::sample() {
                soak.threads.get_or_init(|| sample.threads);
            }
            lanes.run(time / WARM_UP).await;
            let leg = Duration::max((time - time / WARM_UP) / SAMPLES, MIN_LEG);
            loop {
                if let Some(sample) = lanes.rest().await {
                    rests.lock().unwrap().push((soak.began.elapsed().as_secs_f64(), sample));
                }
                if soak.began.elapsed() >= time {
                    break;
                }
                lanes.run(leg).await;
            }
        }
    }
    if report::print(&soak, &rests.lock().unwrap()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Starts the threads that rounds share, and waits until they run: they stay, and count in every sample. Returns false
/// if they don't.
async fn share_threads() -> bool {
    static RUNNING: AtomicUsize = AtomicUsize::new(0);
    let hook = |_| _ = RUNNING.fetch_add(1, Relaxed);
    let workers = Workers::builder().threads(SHARED).thread_name("shared").on_thread_start(hook).build_global();
    workers.is_ok()
        && round::eventually(|| RUNNING.load(Relaxed) == SHARED && !process::has_thread("shared-start")).await
}
