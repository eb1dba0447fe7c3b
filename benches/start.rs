//! How long does the start of a pipeline or a pool keep the arbiter, beside the start of a bare `SyncArbiter`?
//!
//!     cargo bench --bench start                    # on cores that are idle
//!     cargo bench --bench start -- --busy 2        # beside two threads of another process that never pause
//!
//! In microseconds: the median, the least and the most of many starts, each after the threads of the one before have
//! ended. The contenders alternate, so a machine that is busy for a while is so for all of them. `ready` is the time
//! until the first result of the pipeline: its threads start beside the arbiter.

mod support {
    pub(crate) mod args;
    pub(crate) mod busy_process;
    pub(crate) mod median;
}

use std::env;
use std::time::{Duration, Instant};

use actix::{Actor, Handler, Message, SyncArbiter, SyncContext, System};
use actix_fan::{FanOutExt, pool};
use futures::StreamExt;
use support::args::measuring;
use support::busy_process::{BusyProcess, spin_if_busy_process};
use support::median::Summary;
use tokio::sync::watch;

struct Bare(watch::Sender<usize>);

impl Actor for Bare {
    type Context = SyncContext<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        self.0.send_modify(|living| *living += 1);
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.0.send_modify(|living| *living -= 1);
    }
}

struct Nothing;

impl Message for Nothing {
    type Result = ();
}

impl Handler<Nothing> for Bare {
    type Result = ();

    fn handle(&mut self, _: Nothing, _: &mut Self::Context) {}
}

fn main() {
    spin_if_busy_process();
    let args: Vec<String> = env::args().collect();
    let asked = args.iter().position(|arg| arg == "--busy").and_then(|at| args.get(at + 1));
    let threads = asked.map_or(0, |count| count.parse().expect("--busy takes a number"));
    let _busy = (threads > 0).then(|| BusyProcess::start(threads));
    let (sizes, rounds) = if measuring() { (&[2, 64, 256][..], 40) } else { (&[2][..], 1) };
    for &workers in sizes {
        System::new().block_on(compare(workers, rounds));
    }
}

async fn compare(workers: usize, rounds: usize) {
    let mut micros = [const { Vec::new() }; 4];
    for _ in 0..rounds {
        let took = [bare(workers).await, pipeline(workers).await, pooled(workers).await];
        let [bare, (started, ready), pooled] = [(took[0].0, took[0].0), took[1], took[2]];
        for (micros, took) in micros.iter_mut().zip([bare.0, started, pooled.0, ready]) {
            micros.push(took.as_secs_f64() * 1e6);
        }
    }
    let names = ["SyncArbiter::start", "fan_out", "pool", "fan_out, ready"];
    for (name, micros) in names.into_iter().zip(micros) {
        println!("{workers:>4} workers  {name:<20} {:.0}", Summary::of(micros));
    }
}

/// How long the start kept this thread, and how long it took until the first result.
type Took = (Duration, Duration);

async fn bare(workers: usize) -> Took {
    let living = watch::Sender::new(0);
    let count = living.clone();
    let began = Instant::now();
    let addr = SyncArbiter::start(workers, move || Bare(count.clone()));
    let started = began.elapsed();
    addr.send(Nothing).await.expect("it runs");
    let ready = began.elapsed();
    // All of them must have started before they are stopped.
    living.subscribe().wait_for(|living| *living == workers).await.expect("the sender is here");
    drop(addr);
    living.subscribe().wait_for(|living| *living == 0).await.expect("the sender is here");
    pause().await;
    (started, ready)
}

async fn pipeline(workers: usize) -> Took {
    let began = Instant::now();
    let mut results = [()].fan_out().workers(workers).map(|()| ()).expect("it starts");
    let started = began.elapsed();
    results.next().await.expect("there is one").expect("it has a result");
    let ready = began.elapsed();
    results.finished().await.expect("it ends");
    pause().await;
    (started, ready)
}

async fn pooled(workers: usize) -> Took {
    let began = Instant::now();
    let pool = pool().workers(workers).map(|(): ()| ()).expect("it starts");
    let started = began.elapsed();
    pool.submit(()).await.expect("it has a result");
    let ready = began.elapsed();
    pool.drain();
    pool.finished().await.expect("it ends");
    pause().await;
    (started, ready)
}

/// The time in which threads that have ended for this process end for the kernel as well.
async fn pause() {
    actix::clock::sleep(Duration::from_millis(20)).await;
}
