//! `prime-fan random`.

use std::time::Instant;

use actix::clock::timeout;
use actix_fan::primes::{is_prime, trial_division};
use actix_fan::{Chunk, FanIn, FanOutExt, Job, StartError, Stats, Stopped, work_fn};
use futures::FutureExt;

use crate::args::{Finder, Search};
use crate::exit::{Failure, complain, say};
use crate::interrupt::Interrupt;
use crate::lines::Lines;
use crate::notes::Notes;

/// Prints the primes that are found until there are enough, the numbers end or a signal comes.
pub(crate) async fn run(search: Search, interrupt: &Interrupt) -> Result<(), Failure> {
    let Search { numbers, count, tested, finder, workers, ordered, quiet } = search;
    let pool = Pool { finder, workers, ordered };
    let primes = match tested {
        Some(tested) => pool.start(numbers.take(tested)),
        None => pool.start(numbers),
    }?;
    interrupt.attach(primes.stop_handle());
    let notes = (!quiet).then(|| Notes::new(Instant::now()));
    let mut hunt = Hunt { primes, lines: Lines::new(), count, tested, found: 0, failed: 0, notes, interrupt };
    let printed = hunt.collect().await;
    hunt.primes.stop_handle().now();
    let ended = hunt.primes.finished().await;
    printed?;
    let stats = hunt.primes.stats();
    if !quiet {
        say(summary(&stats, hunt.found));
    }
    ended?;
    hunt.verdict(&stats)
}

/// How the numbers are tested.
struct Pool {
    finder: Finder,
    workers: Option<usize>,
    ordered: bool,
}

impl Pool {
    fn start(self, numbers: impl Iterator<Item = u64> + 'static) -> Result<FanIn<u64>, StartError> {
        let mut pool = numbers.fan_out().thread_name("prime-finder");
        if let Some(workers) = self.workers {
            pool = pool.workers(workers);
        }
        if self.ordered {
            pool = pool.ordered();
        }
        match self.finder {
            Finder::Fast => pool.filter_map(|n| is_prime(n).then_some(n)),
            Finder::Trial => pool.with(|| {
                work_fn(|n, job: &mut Job<'_, u64>| {
                    if trial_division(n, || job.is_stopped()).ok_or(Stopped)? {
                        job.emit(n);
                    }
                    Ok(())
                })
            }),
        }
    }
}

/// A search that runs.
struct Hunt<'a> {
    primes: FanIn<u64>,
    lines: Lines,
    count: u64,
    tested: Option<usize>,
    found: u64,
    failed: u64,
    /// None: be quiet.
    notes: Option<Notes>,
    interrupt: &'a Interrupt,
}

impl Hunt<'_> {
    /// Prints primes until there are enough or no more.
    async fn collect(&mut self) -> Result<(), Failure> {
        while self.found < self.count
            && let Some(chunk) = self.next_chunk().await?
        {
            self.print(chunk)?;
        }
        self.lines.flush()
    }

    /// What was printed reaches its reader before this waits.
    async fn next_chunk(&mut self) -> Result<Option<Chunk<u64>>, Failure> {
        if let Some(chunk) = self.primes.next_chunk().now_or_never() {
            return Ok(chunk);
        }
        self.lines.flush()?;
        if let Some(notes) = &mut self.notes {
            notes.found(Instant::now());
        }
        loop {
            match timeout(Notes::TICK, self.primes.next_chunk()).await {
                Ok(chunk) => return Ok(chunk),
                Err(_) => self.note(),
            }
        }
    }

    fn print(&mut self, chunk: Chunk<u64>) -> Result<(), Failure> {
        for prime in chunk {
            match prime {
                Ok(prime) => {
                    self.lines.write(prime)?;
                    self.found += 1;
                    if self.found == self.count {
                        break;
                    }
                }
                Err(error) => {
                    self.failed += 1;
                    complain(error);
                }
            }
        }
        Ok(())
    }

    /// Tells a user who may wonder what goes on.
    fn note(&mut self) {
        let Some(notes) = &mut self.notes else { return };
        let stats = self.primes.stats();
        if self.interrupt.is_requested() {
            if notes.drain_is_due() {
                say(format_args!("finishing {} numbers; interrupt again to leave at once", stats.in_flight));
            }
        } else if notes.search_is_due(Instant::now()) {
            let end = match self.tested {
                Some(tested) => format!("gives up after {tested}"),
                None => "--tested N gives up after N".to_owned(),
            };
            let Stats { completed, .. } = stats;
            let Self { found, count, .. } = self;
            say(format_args!(
                "{completed} numbers tested, {found} of {count} primes found so far; {end}, Ctrl-C stops"
            ));
        }
    }

    fn verdict(&self, stats: &Stats) -> Result<(), Failure> {
        let Self { found, count, failed, .. } = *self;
        if failed > 0 {
            Err(Failure::Items(failed))
        } else if found == count {
            Ok(())
        } else if self.interrupt.is_requested() {
            Err(Failure::Interrupted)
        } else {
            Err(Failure::Missing { tested: stats.completed, found, count })
        }
    }
}

/// The line about a search that has ended.
fn summary(stats: &Stats, found: u64) -> String {
    let Stats { completed: tested, .. } = stats;
    let workers = stats.workers.len();
    let seconds = stats.elapsed.as_secs_f64();
    let rate = *tested as f64 / seconds.max(1e-9);
    format!(
        "{tested} numbers tested by {workers} {} in {seconds:.3} s ({rate:.0} numbers/s), {found} {} found",
        if workers == 1 { "worker" } else { "workers" },
        if found == 1 { "prime" } else { "primes" },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupt_before_the_pipeline_started_is_not_lost() {
        actix::System::new().block_on(async {
            let interrupt = Interrupt::default();
            interrupt.request();
            let pool = Pool { finder: Finder::Fast, workers: Some(1), ordered: false };
            let mut primes = pool.start(2..).unwrap();
            interrupt.attach(primes.stop_handle());
            primes.finished().await.unwrap();
        });
    }

    #[test]
    fn a_number_that_was_given_up_does_not_count_as_tested() {
        actix::System::new().block_on(async {
            let pool = Pool { finder: Finder::Trial, workers: Some(2), ordered: false };
            // Only the first can be decided in the time that a test has.
            let mut primes = pool.start([7].into_iter().chain([18_446_744_073_709_551_557; 10])).unwrap();
            assert_eq!(primes.next_chunk().await.unwrap().next().unwrap().unwrap(), 7);
            primes.stop_handle().now();
            assert_eq!(primes.finished().await.unwrap().completed, 1);
        });
    }

    #[test]
    fn the_summary_is_sound_for_one_and_for_none() {
        let mut stats = Stats::default();
        assert_eq!(summary(&stats, 0), "0 numbers tested by 0 workers in 0.000 s (0 numbers/s), 0 primes found");
        stats.completed = 6;
        stats.elapsed = std::time::Duration::from_millis(1500);
        stats.workers = vec![Default::default()];
        assert_eq!(summary(&stats, 1), "6 numbers tested by 1 worker in 1.500 s (4 numbers/s), 1 prime found");
    }
}
