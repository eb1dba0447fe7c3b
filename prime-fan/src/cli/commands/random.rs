//! `prime-fan random`.

use std::ops::ControlFlow;

use crate::{Verdict, is_prime, trial_division};
use actix_fan::{BoxError, FanIn, FanOutExt, Job, StartError, Stats, Stopped, Work};

use crate::cli::args::{self, Finder, Settings};
use crate::cli::cluster::Cluster;
use crate::cli::counts::{Counts, Nouns};
use crate::cli::exit::Failure;
use crate::cli::format::{Layout, Record};
use crate::cli::output::Output;
use crate::cli::search::{Run, Search, in_order};
use crate::cli::shutdown::Shutdown;

/// Prints primes among random numbers until there are enough, `--tested` numbers were tested, or the run is asked to
/// end.
pub(crate) async fn run(search: args::Search, settings: &Settings, shutdown: &Shutdown) -> Result<(), Failure> {
    let args::Search { numbers, range, count, tested, finder, ordered } = search;
    let layout = Layout::plain(settings.format);
    let mut output = Output::to(settings, shutdown)?;
    output.write(layout.header().as_bytes())?;
    let numbers = numbers.take(tested.unwrap_or(usize::MAX));
    let primes = match Cluster::of(settings).await? {
        Some(cluster) => cluster.primes(numbers, finder, ordered, (settings.seed.map(|seed| seed.value), range))?,
        None => Pool { finder, workers: settings.workers, ordered }.start(numbers)?,
    };
    let hunt = Hunt { count, tested, layout, line: Vec::new() };
    Run::new(hunt, primes, output, settings, shutdown).finish().await
}

/// How to test the numbers.
struct Pool {
    finder: Finder,
    workers: Option<usize>,
    ordered: bool,
}

/// A prime, and its index among the numbers drawn.
pub(crate) type Prime = (u64, u64);

/// The work on a number.
pub(crate) struct Tester(pub(crate) Finder);

impl Work<u64> for Tester {
    type Output = Prime;

    fn run(&mut self, n: u64, job: &mut Job<'_, Prime>) -> Result<(), BoxError> {
        let is_prime = match self.0 {
            Finder::Fast => is_prime(n),
            Finder::Trial => trial_division(n, || job.is_stopped()).ok_or(Stopped)?,
        };
        if is_prime {
            job.emit((n, job.index()));
        }
        Ok(())
    }
}

impl Pool {
    fn start(self, numbers: impl Iterator<Item = u64> + 'static) -> Result<FanIn<Prime>, StartError> {
        let mut pool = numbers.fan_out().thread_name("prime-finder");
        if let Some(workers) = self.workers {
            pool = pool.workers(workers);
        }
        let finder = self.finder;
        in_order(pool, self.ordered).with(move || Tester(finder))
    }
}

/// The search for `count` primes.
struct Hunt {
    count: u64,
    tested: Option<usize>,
    layout: Layout,
    line: Vec<u8>,
}

impl Search<Prime> for Hunt {
    /// There is no end of numbers: where none can be tested, as on nodes that refuse them, no search would end.
    const FAILURES: u64 = 10;

    fn nouns(&self) -> Nouns {
        Nouns { found: ["prime", "primes"], items: ["number", "numbers"] }
    }

    fn total(&self) -> Option<u64> {
        Some(self.count)
    }

    fn observe(&mut self, stats: &Stats, counts: &mut Counts) {
        counts.tested = stats.completed;
    }

    fn put(
        &mut self,
        (number, index): Prime,
        counts: &mut Counts,
        output: &mut Output,
    ) -> Result<ControlFlow<()>, Failure> {
        self.line.clear();
        let mut digits = itoa::Buffer::new();
        let number = digits.format(number).as_bytes();
        self.layout.write(Record { number, twin: None, index, verdict: Verdict::Prime, place: None }, &mut self.line);
        output.write(&self.line)?;
        counts.found += 1;
        counts.done = counts.found;
        Ok(if counts.found == self.count { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    fn note(&self, counts: &Counts) -> Option<String> {
        let end = match self.tested {
            Some(tested) => format!("gives up after {tested}"),
            None => "--tested N gives up after N".to_owned(),
        };
        let Counts { tested, found, .. } = counts;
        Some(format!("{tested} numbers tested, {found} of {} primes found so far; {end}, Ctrl-C stops", self.count))
    }

    fn verdict(self, counts: &Counts) -> Result<(), Failure> {
        let Counts { tested, found, .. } = *counts;
        if found == self.count { Ok(()) } else { Err(Failure::Missing { tested, found, count: self.count }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::shutdown::Reason;

    #[test]
    fn an_interrupt_before_the_pipeline_started_is_not_lost() {
        actix::System::new().block_on(async {
            let shutdown = Shutdown::default();
            shutdown.request(Reason::Signal);
            let pool = Pool { finder: Finder::Fast, workers: Some(1), ordered: false };
            let mut primes = pool.start(2..).unwrap();
            shutdown.attach(primes.stop_handle(), false);
            primes.finished().await.unwrap();
        });
    }

    #[test]
    fn a_number_that_was_given_up_does_not_count_as_tested() {
        actix::System::new().block_on(async {
            let pool = Pool { finder: Finder::Trial, workers: Some(2), ordered: false };
            // Trial division takes seconds for each number but the first.
            let mut primes = pool.start([7].into_iter().chain([18_446_744_073_709_551_557; 10])).unwrap();
            assert_eq!(primes.next_chunk().await.unwrap().next().unwrap().unwrap(), (7, 0));
            primes.stop();
            assert_eq!(primes.finished().await.unwrap().completed, 1);
        });
    }
}
