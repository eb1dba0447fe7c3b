//! The summary and the statistics of a search at its end.

use actix_fan::{NodeStats, Percentiles, Stats, WorkerStats};

use crate::cli::args::{Seed, Settings, StatsForm};
use crate::cli::counts::{Counts, Nouns};
use crate::cli::format;
use crate::cli::human::{self, count, fit};
use crate::cli::messages::{PREFIX, say, write};
use crate::cli::terminal;

const NUMBERS: [&str; 2] = ["number", "numbers"];

/// Prints the summary or the statistics, as the settings say. `in_any_case`: a summary is printed even if the settings
/// do not ask for one, because progress was shown or the search ended early.
pub(crate) fn tell(settings: &Settings, nouns: Nouns, counts: &Counts, stats: &Stats, in_any_case: bool) {
    match settings.stats {
        // Written last, by `main`.
        Some(StatsForm::Json) => {}
        Some(StatsForm::Text) => {
            let seed = settings.seed.map_or(String::new(), |seed| format!("seed       {}\n", seed.value));
            write(text(nouns, counts, stats) + &seed);
        }
        None if settings.summary || (in_any_case && !settings.quiet) => {
            let columns = terminal::columns().map_or(usize::MAX, |columns| columns.saturating_sub(PREFIX.len()));
            say(summary(nouns, counts, stats, columns));
            if let Some(Seed { value, was_drawn: true }) = settings.seed {
                say(format_args!("--seed {value} draws the same numbers again"));
            }
        }
        None => {}
    }
}

fn rate(counts: &Counts, stats: &Stats) -> f64 {
    counts.tested as f64 / stats.elapsed.as_secs_f64().max(1e-9)
}

/// Returns the share of the time, from 0 to 1, in which a worker was busy.
fn busy(worker: &WorkerStats, stats: &Stats) -> f64 {
    (worker.busy.as_secs_f64() / stats.elapsed.as_secs_f64().max(1e-9)).min(1.0)
}

/// Returns the summary: one sentence that fits into `columns`.
fn summary(nouns: Nouns, counts: &Counts, stats: &Stats, columns: usize) -> String {
    let workers = match stats.nodes.len() {
        0 => count(stats.workers.len() as u64, ["worker", "workers"]),
        nodes => count(nodes as u64, ["node", "nodes"]),
    };
    let mut parts = vec![
        (3, format!("{} tested", count(counts.tested, NUMBERS))),
        (0, format!(" by {workers}")),
        (2, format!(" in {:.3} s", stats.elapsed.as_secs_f64())),
    ];
    if counts.tested > 0 {
        parts.push((1, format!(" ({})", human::rate(rate(counts, stats)))));
    }
    parts.push((5, format!(", {} found", count(counts.found, nouns.found))));
    if let Some(verdict) = stats.verdict {
        parts.push((0, format!(", {verdict}")));
    }
    if counts.bad > 0 {
        parts.push((4, format!(", {} bad", counts.bad)));
    }
    fit(columns, &parts)
}

fn text(nouns: Nouns, counts: &Counts, stats: &Stats) -> String {
    let Stats { taken, completed, failed, skipped, .. } = stats;
    let mut text = format!(
        "tested     {}\nfound      {}\nbad        {}\nelapsed    {:.3} s\nrate       {:.0} numbers/s\n",
        count(counts.tested, NUMBERS),
        count(counts.found, nouns.found),
        counts.bad,
        stats.elapsed.as_secs_f64(),
        rate(counts, stats),
    );
    if let Some(verdict) = stats.verdict {
        text += &format!("bottleneck {verdict}\n");
    }
    for (what, times) in [("queued", stats.queue_wait), ("ran", stats.run_time)] {
        if let Some(times) = times {
            text += &format!("{what:<10} {times}\n");
        }
    }
    let taken = count(*taken, nouns.items);
    text += &format!("taken      {taken}: {completed} completed, {failed} failed, {skipped} skipped\n");
    for (index, worker) in stats.workers.iter().enumerate() {
        let WorkerStats { items, batches, rebuilt, .. } = worker;
        text += &format!(
            "worker {index:<3} busy {:.1} %, {} in {}, rebuilt {}\n",
            100.0 * busy(worker, stats),
            count(*items, nouns.items),
            count(*batches, ["batch", "batches"]),
            count(*rebuilt, ["time", "times"]),
        );
    }
    for node in &stats.nodes {
        let NodeStats { name, items, batches, busy, .. } = node;
        text += &format!(
            "node {name}   {} in {}, {} {}/s, busy {:.3} s\n",
            count(*items, nouns.items),
            count(*batches, ["batch", "batches"]),
            human::short(*items as f64 / stats.elapsed.as_secs_f64().max(1e-9)),
            nouns.items[1],
            busy.as_secs_f64(),
        );
    }
    text
}

/// Returns the fields of a JSON object. None of the values needs escaping but the names of nodes.
pub(crate) fn json(nouns: Nouns, counts: &Counts, stats: &Stats) -> String {
    let workers: Vec<String> = stats
        .workers
        .iter()
        .map(|worker| {
            let WorkerStats { items, batches, rebuilt, .. } = worker;
            format!(
                "{{\"busy_seconds\":{:.6},\"busy\":{:.4},\"items\":{items},\"batches\":{batches},\"rebuilt\":{rebuilt}}}",
                worker.busy.as_secs_f64(),
                busy(worker, stats),
            )
        })
        .collect();
    let nodes: Vec<String> = stats
        .nodes
        .iter()
        .map(|NodeStats { name, items, batches, busy, silent, .. }| {
            format!(
                "{{\"name\":\"{}\",\"items\":{items},\"batches\":{batches},\"busy_seconds\":{:.6},\"silent_seconds\":{:.6}}}",
                format::json(name),
                busy.as_secs_f64(),
                silent.as_secs_f64(),
            )
        })
        .collect();
    let verdict = stats.verdict.map_or("null".to_owned(), |verdict| {
        format!(
            "{{\"kind\":\"{}\",\"share\":{:.4},\"worker_seconds\":{:.6},\"source_seconds\":{:.6},\
             \"consumer_seconds\":{:.6}}}",
            verdict.bottleneck.as_str(),
            verdict.share,
            verdict.worker.as_secs_f64(),
            verdict.source.as_secs_f64(),
            verdict.consumer.as_secs_f64(),
        )
    });
    let percentiles = |times: Option<Percentiles>| {
        times.map_or("null".to_owned(), |Percentiles { p50, p90, p99, max, .. }| {
            let [p50, p90, p99, max] = [p50, p90, p99, max].map(|time| time.as_secs_f64());
            format!(
                "{{\"p50_seconds\":{p50:.9},\"p90_seconds\":{p90:.9},\"p99_seconds\":{p99:.9},\"max_seconds\":{max:.9}}}"
            )
        })
    };
    let Counts { tested, found, bad, .. } = counts;
    let Stats { taken, completed, failed, skipped, .. } = stats;
    format!(
        "\"tested\":{tested},\"found\":{found},\"bad\":{bad},\"elapsed_seconds\":{:.6},\"numbers_per_second\":{:.0},\
         \"items\":{{\"unit\":\"{}\",\"taken\":{taken},\"completed\":{completed},\"failed\":{failed},\
         \"skipped\":{skipped}}},\"bottleneck\":{verdict},\"queue_wait\":{},\"run_time\":{},\"workers\":[{}],\"nodes\":[{}]",
        stats.elapsed.as_secs_f64(),
        rate(counts, stats),
        nouns.items[1],
        percentiles(stats.queue_wait),
        percentiles(stats.run_time),
        workers.join(","),
        nodes.join(","),
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOUNS: Nouns = Nouns { found: ["prime", "primes"], items: NUMBERS };

    fn stats() -> Stats {
        let mut stats = Stats::default();
        let mut worker = WorkerStats::default();
        (worker.busy, worker.items, worker.batches) = (Duration::from_millis(750), 6, 2);
        (stats.taken, stats.completed, stats.elapsed) = (7, 6, Duration::from_millis(1500));
        (stats.skipped, stats.workers) = (1, vec![worker]);
        stats
    }

    #[test]
    fn the_summary_is_sound_for_one_and_for_none() {
        assert_eq!(
            summary(NOUNS, &Counts::default(), &Stats::default(), 100),
            "0 numbers tested by 0 workers in 0.000 s, 0 primes found"
        );
        let counts = Counts { tested: 6, found: 1, bad: 2, ..Counts::default() };
        assert_eq!(
            summary(NOUNS, &counts, &stats(), 100),
            "6 numbers tested by 1 worker in 1.500 s (4.0 numbers/s), 1 prime found, 2 bad"
        );
    }

    #[test]
    fn the_summary_of_a_large_search_has_room_on_one_line() {
        let counts = Counts { tested: 6_000_000_000, found: 172_000_000, ..Counts::default() };
        let summary = |columns: usize| summary(NOUNS, &counts, &stats(), columns - PREFIX.len());
        assert_eq!(summary(80), "6000000000 numbers tested in 1.500 s, 172000000 primes found");
        assert_eq!(summary(40), "172000000 primes found");
    }

    #[test]
    fn both_forms_tell_the_same_numbers() {
        let counts = Counts { tested: 6, found: 1, ..Counts::default() };
        assert_eq!(
            text(NOUNS, &counts, &stats()),
            "tested     6 numbers\nfound      1 prime\nbad        0\nelapsed    1.500 s\nrate       4 numbers/s\n\
             taken      7 numbers: 6 completed, 0 failed, 1 skipped\n\
             worker 0   busy 50.0 %, 6 numbers in 2 batches, rebuilt 0 times\n"
        );
        assert_eq!(
            json(NOUNS, &counts, &stats()),
            "\"tested\":6,\"found\":1,\"bad\":0,\"elapsed_seconds\":1.500000,\"numbers_per_second\":4,\
             \"items\":{\"unit\":\"numbers\",\"taken\":7,\"completed\":6,\"failed\":0,\"skipped\":1},\
             \"bottleneck\":null,\"queue_wait\":null,\"run_time\":null,\"workers\":[{\"busy_seconds\":0.750000,\"busy\":0.5000,\"items\":6,\"batches\":2,\"rebuilt\":0}],\"nodes\":[]"
        );
    }
}
