//! A soak test: mixed load for as long as it is told, with everything accounted for.
//!
//!     cargo run --release --example soak -- --minutes 20
//!     cargo run --release --example soak -- --seed 7 --round 1234     # replays one round of a run
//!
//! It runs pipelines, chains, merged streams, pools and channels, four at a time and over and over, with panics, errors
//! and stops in the midst of them. What a round is, is drawn from the seed and the round's number; how its threads
//! interleave is not, so a replay may have to be repeated: with `--seconds N` it is, until then.
//!
//! Each round ends with its accounts: every item was created and dropped, every result is right and came once and in
//! its place, the numbers add up and nothing is in flight. A round that doesn't end is told by its number. In between all
//! rounds rest, and memory and threads are looked at: neither may grow.
//!
//! It ends with a report on the standard output, and with 1 if something was not as promised.

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
use std::sync::{Arc, Mutex};
use std::time::Duration;

use args::Args;
use lanes::Lanes;
use report::Rest;
use round::Soak;

/// Of the time, what warms up: allocators have met their peak by then.
const WARM_UP: u32 = 5;
/// Rests in the rest of it, if it is long enough.
const RESTS: u32 = 60;
const LEAST_LEG: Duration = Duration::from_secs(1);

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

    match (args.round, args.time) {
        (Some(round), None) => round::run(&soak, round).await,
        (round, time) => {
            let time = time.unwrap_or(Duration::from_secs(120));
            let lanes = Lanes::new(&soak, round);
            if let Some(sample) = process::sample() {
                soak.threads.get_or_init(|| sample.threads);
            }
            lanes.run(time / WARM_UP).await;
            let leg = Duration::max((time - time / WARM_UP) / RESTS, LEAST_LEG);
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
