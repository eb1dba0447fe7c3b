//! How soon does a pipeline end after a stop or a drain?
//!
//!     cargo bench --bench stop      # about half a minute
//!
//! Three questions, each of a pipeline with default settings and 2 workers in full swing:
//!
//! - *Stop at once*: from `stop()` until `workers_stopped()` returns, when every worker thread has dropped its work.
//!   The source has 1,000,000 items of 10 us.
//! - *Drain*: from `drain()` until the consumer has seen the end of the stream. A drain waits for items that run, so
//!   the time of the longest item is subtracted: the rest is the time of what was queued ahead, and of the hand-over.
//! - *Drain of long items*: the same where an item is a trial division that takes about half a second. Every item
//!   records when it began and ended. Printed is the time from the end of the last item that was running when `drain()`
//!   was called to the end of the stream, and how many items began after the call because they had been queued.
//!
//! Each line has the median, and the least and the most in brackets. A missed target is printed and is not a failure.

mod support {
    pub(crate) mod args;
    pub(crate) mod median;
    pub(crate) mod spin;
}

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use actix::System;
use actix::clock::sleep;
use actix_fan::{FanIn, FanOutExt, work_fn};
use futures::StreamExt;

use support::args::measuring;
use support::median::Summary;
use support::spin::{ODD, spin, steps_for};

const WORKERS: usize = 2;

/// The largest prime below 2^58. To find it prime takes 179 million divisions: about half a second.
const PRIME: u64 = (1 << 58) - 27;

/// A small prime for `cargo test --benches`.
const SMALL_PRIME: u64 = 1_000_003;

const GOOD: &str = "nothing in this job fails";

fn main() {
    let measuring = measuring();
    let system = System::new();

    let steps = steps_for(Duration::from_micros(10));
    let samples = if measuring { 31 } else { 1 };
    let stops = (0..samples).map(|_| millis(system.block_on(stop_at_once(steps))));
    report("stop at once, 1,000,000 items of 10 us", Summary::of(stops), 5.0);

    for (name, micros, samples) in [
        ("0", 0, 15),
        ("1 us", 1, 15),
        ("100 us", 100, 15),
        ("1 ms", 1_000, 15),
        ("10 ms", 10_000, 15),
        ("100 ms", 100_000, 5),
    ] {
        let item = Duration::from_micros(micros);
        let steps = steps_for(item);
        let warm_up = if measuring { Duration::from_millis(50) + 4 * item } else { Duration::ZERO };
        let samples = if measuring { samples } else { 1 };
        // The moments fall on different parts of a batch.
        let drains = (0..samples)
            .map(|sample| millis(system.block_on(drain(item, steps, warm_up + Duration::from_micros(370) * sample))));
        report(&format!("drain, items of {name}"), Summary::of(drains), 20.0);
    }

    let (prime, samples) = if measuring { (PRIME, 2) } else { (SMALL_PRIME, 1) };
    for _ in 0..samples {
        let Long { item, after, begun } = system.block_on(drain_of_long_items(prime));
        report(&format!("drain, trial divisions of {:.2} s", item.as_secs_f64()), Summary::of([millis(after)]), 20.0);
        println!("  {begun} items began after the call");
    }
}

fn report(what: &str, millis: Summary, target: f64) {
    let verdict = if millis.median <= target { "met" } else { "missed" };
    println!("{what:40} {millis:.3} ms  target <= {target} ms: {verdict}");
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

async fn stop_at_once(steps: u64) -> Duration {
    let mut results = (0..1_000_000u64).fan_out().workers(WORKERS).map(move |n| spin(n, steps)).expect(GOOD);
    for _ in 0..2_000 {
        results.next().await.expect("there are many more").expect(GOOD);
    }
    let stop = results.stop_handle();
    let called = Instant::now();
    stop.stop();
    stop.workers_stopped().await;
    called.elapsed()
}

/// The time of a drain without that of the longest item.
async fn drain(item: Duration, steps: u64, warm_up: Duration) -> Duration {
    let longest = Arc::new(AtomicU64::new(0));
    // Reading the clock takes some 20 ns: nothing compared with an item whose time matters here.
    let timed = item >= Duration::from_micros(100);
    let results = (0u64..).fan_out().workers(WORKERS).map({
        let longest = Arc::clone(&longest);
        move |n| match timed {
            true => {
                let began = Instant::now();
                let result = spin(n, steps);
                longest.fetch_max(began.elapsed().as_nanos() as u64, Relaxed);
                result
            }
            false => spin(n, steps).wrapping_mul(ODD),
        }
    });
    let mut results = results.expect(GOOD);
    take_for(&mut results, warm_up).await;
    longest.store(0, Relaxed);
    let called = Instant::now();
    results.drain();
    while let Some(result) = results.next().await {
        result.expect(GOOD);
    }
    let took = called.elapsed();
    results.finished().await.expect(GOOD);
    took.saturating_sub(Duration::from_nanos(longest.load(Relaxed)))
}

/// Consumes for this time, at least one chunk.
async fn take_for(results: &mut FanIn<u64>, time: Duration) {
    let began = Instant::now();
    loop {
        results.next_chunk().await.expect("the source is endless");
        if began.elapsed() >= time {
            break;
        }
    }
}

struct Long {
    /// What an item took on average.
    item: Duration,
    /// From the end of the last item that ran when the drain was called.
    after: Duration,
    /// Items that began later than that call.
    begun: usize,
}

async fn drain_of_long_items(prime: u64) -> Long {
    let times = Arc::new(Mutex::new(Vec::new()));
    let results = std::iter::repeat(prime).fan_out().workers(WORKERS).with({
        let times = Arc::clone(&times);
        move || {
            let times = Arc::clone(&times);
            work_fn(move |n, job| {
                let began = Instant::now();
                if has_no_divisor(n, || job.is_stopped()) {
                    job.emit(n);
                }
                times.lock().expect(GOOD).push((began, Instant::now()));
                Ok(())
            })
        }
    });
    let mut results = results.expect(GOOD);
    for _ in 0..WORKERS {
        results.next().await.expect("the source is endless").expect(GOOD);
    }
    // An item has just been handed to the worker that became idle: wait until it runs.
    sleep(Duration::from_millis(50)).await;
    let called = Instant::now();
    results.drain();
    while let Some(result) = results.next().await {
        assert_eq!(result.expect(GOOD), prime);
    }
    let ended = Instant::now();
    results.finished().await.expect(GOOD);

    let times = times.lock().expect(GOOD);
    let running = times.iter().filter(|(began, _)| *began <= called);
    let last = running.map(|(_, ended)| *ended).max().expect("some items ran");
    let busy: Duration = times.iter().map(|(began, ended)| *ended - *began).sum();
    Long {
        item: busy / times.len() as u32,
        after: ended - last.max(called),
        begun: times.iter().filter(|(began, _)| *began > called).count(),
    }
}

/// Returns true if `n` is prime, by trial division; returns false as soon as it is stopped.
fn has_no_divisor(n: u64, is_stopped: impl Fn() -> bool) -> bool {
    /// How many divisors are tried between two reads of the flag.
    const STRIDE: u64 = 6 * 4096;
    if n < 5 || n.is_multiple_of(2) || n.is_multiple_of(3) {
        return n == 2 || n == 3;
    }
    let end = n.isqrt() + 2;
    // A prime over 3 is one less or one more than a multiple of 6.
    let divides = |six: u64| n.is_multiple_of(six - 1) || n.is_multiple_of(six + 1);
    let mut strides = (6..end).step_by(STRIDE as usize).map(|first| (first..end.min(first + STRIDE)).step_by(6));
    strides.all(|mut stride| !is_stopped() && !stride.any(divides))
}
