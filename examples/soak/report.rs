//! The report of the run.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;

use crate::process::Sample;
use crate::round::Soak;
use crate::watch::{INJECTED_PANICS, PEAK_RSS, PEAK_THREADS};

/// How far what is allocated may rise from the first quarter of the run to the last. It varies by some KiB at rest: a
/// leak of 40 bytes per round exceeds this in two minutes.
///
/// The resident memory is reported and not judged. It contains what the allocator keeps of freed memory: after a peak
/// that may be as much as was in use then, for as long as a small value lies above it.
const RISE_KIB: f64 = 256.0;

/// A sample while no round runs, and its time in seconds since the start.
pub(crate) type Rest = (f64, Sample);

/// Prints the report. Returns true if no check failed.
pub(crate) fn print(soak: &Soak, rests: &[Rest]) -> bool {
    let tally = soak.tally.lock().unwrap();
    let mut breaches = tally.breaches.clone();
    let rounds: u64 = tally.rounds.values().sum();

    println!("soak: {:.0} s, seed {}, {} rounds", soak.began.elapsed().as_secs_f64(), soak.seed, rounds);
    println!();
    table("rounds", &tally.rounds);
    table("stops", &tally.stops);
    row("items taken", tally.taken);
    row("  completed", tally.completed);
    row("  failed", tally.failed);
    row("  skipped", tally.skipped);
    row("tokens created and dropped", tally.created);
    row("panics injected", INJECTED_PANICS.load(Relaxed));
    println!();

    match rests {
        [] => println!("memory and threads: unknown on this system, or the run was too short"),
        _ => {
            let quarter = rests.len().div_ceil(4);
            let (early, late) = (&rests[..quarter], &rests[rests.len() - quarter..]);
            let rss = |(_, sample): &Rest| sample.rss_kib as f64 / 1024.0;
            let allocated = |(_, sample): &Rest| sample.allocated as f64 / 1024.0;
            let threads = |(_, sample): &Rest| sample.threads as f64;
            println!(
                "{:<28}{:>10}{:>15}{:>14}{:>8}{:>13}",
                "at rest", "warmed up", "first quarter", "last quarter", "peak", "slope / hour"
            );
            let line = |name, of: &dyn Fn(&Rest) -> f64, peak: f64| {
                let (first, early, late) = (of(&rests[0]), median(early, of), median(late, of));
                let slope = slope(rests, of);
                println!("{name:<28}{first:>10.1}{early:>15.1}{late:>14.1}{peak:>8.1}{slope:>+13.1}");
                (early, late)
            };
            let peak = |of: &dyn Fn(&Rest) -> f64| rests.iter().map(of).fold(0.0, f64::max);
            let (early, late) = line("allocated, KiB", &allocated, peak(&allocated));
            line("RSS, MiB", &rss, peak(&rss));
            line("threads", &threads, peak(&threads));
            println!("{} rests; under load, peaks of {:.1} MiB and {} threads", rests.len(), of_peak(), of_threads());
            if late > early + RISE_KIB {
                breaches.push(format!("memory rises: from {early:.1} to {late:.1} KiB"));
            }
            let first = soak.threads.get().copied().unwrap_or_default();
            if let Some((at, odd)) = rests.iter().find(|(_, sample)| sample.threads != first) {
                breaches.push(format!("{} threads are left at {at:.0} s, and {first} were at first", odd.threads));
            }
        }
    }
    println!();
    for breach in breaches.iter().take(20) {
        println!("breach: {breach}");
    }
    match breaches.len() {
        0 => println!("verdict: PASSED"),
        n => println!("verdict: FAILED, breaches: {n}"),
    }
    breaches.is_empty()
}

fn of_peak() -> f64 {
    PEAK_RSS.load(Relaxed) as f64 / 1024.0
}

fn of_threads() -> u64 {
    PEAK_THREADS.load(Relaxed)
}

fn row(name: &str, number: u64) {
    println!("{name:<28}{number:>14}");
}

fn table(title: &str, counts: &BTreeMap<&'static str, u64>) {
    row(title, counts.values().sum());
    for (name, count) in counts {
        row(&format!("  {name}"), *count);
    }
}

fn median(rests: &[Rest], of: &dyn Fn(&Rest) -> f64) -> f64 {
    let mut values: Vec<f64> = rests.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The slope per hour, by least squares.
fn slope(rests: &[Rest], of: &dyn Fn(&Rest) -> f64) -> f64 {
    let n = rests.len() as f64;
    let mean_time = rests.iter().map(|(at, _)| at).sum::<f64>() / n;
    let mean = rests.iter().map(of).sum::<f64>() / n;
    let (mut over, mut under) = (0.0, 0.0);
    for rest in rests {
        over += (rest.0 - mean_time) * (of(rest) - mean);
        under += (rest.0 - mean_time).powi(2);
    }
    if under > 0.0 { over / under * 3600.0 } else { 0.0 }
}
