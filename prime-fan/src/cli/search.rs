//! Runs a search from its start to its end, for all commands: writes the results, shows progress, and turns the reason
//! for the end into the result of the program.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::pin::pin;
use std::thread;
use std::time::Instant;

use actix::clock::timeout;
use actix_fan::{Chunk, FanIn, FanOut, ItemError, MAX_WORKERS, PipelineError, Stats};
use futures::FutureExt;
use futures::future::{self, Either};

use crate::cli::args::Settings;
use crate::cli::counts::{Counts, Nouns};
use crate::cli::exit::Failure;
use crate::cli::messages::{report, say};
use crate::cli::output::{Output, Reader};
use crate::cli::progress::{Progress, TICK};
use crate::cli::shutdown::{Reason, Shutdown};
use crate::cli::summary;
use crate::parse::input::shown;

/// What the commands do differently: how a result is written, and what the end of the search means.
pub(crate) trait Search<T> {
    /// How many items may fail before the search ends.
    const FAILURES: u64 = u64::MAX;

    fn nouns(&self) -> Nouns;

    /// How much there is to do, in a unit of the command's choice; `None` if that is not known.
    fn total(&self) -> Option<u64>;

    /// Returns true if the user types the input: then no status lines are drawn.
    fn types(&self) -> bool {
        false
    }

    /// Writes a result. Returns `Break` if the search has found enough.
    fn put(&mut self, result: T, counts: &mut Counts, output: &mut Output) -> Result<ControlFlow<()>, Failure>;

    /// Handles an item that failed. Returns `Break` if that ends the search.
    fn failed(&mut self, error: ItemError, counts: &mut Counts) -> ControlFlow<()> {
        counts.failed += 1;
        report(&error);
        if counts.failed >= Self::FAILURES { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Returns true if the reason for the end is decided already: a signal or the timeout does not change it.
    fn is_settled(&self) -> bool {
        false
    }

    /// Returns true if the results so far are to be kept in the file when the search ends early.
    fn is_worth_keeping(&self) -> bool {
        true
    }

    /// Takes counts from the pipeline's statistics, before they are shown.
    fn observe(&mut self, _: &Stats, _: &mut Counts) {}

    /// Returns a note for a user who has waited for long without a result.
    fn note(&self, _: &Counts) -> Option<String> {
        None
    }

    /// Writes what comes after the last result. Called only if the search completes.
    fn conclude(&mut self, _: &Counts, _: &mut Output) -> Result<(), Failure> {
        Ok(())
    }

    /// Returns the result of a search that completed.
    fn verdict(self, counts: &Counts) -> Result<(), Failure>;
}

/// A running search.
pub(crate) struct Run<'a, T: Send + 'static, S> {
    search: S,
    results: FanIn<T>,
    output: Output,
    reader: Reader,
    counts: Counts,
    progress: Progress,
    settings: &'a Settings,
    shutdown: &'a Shutdown,
}

impl<'a, T: Send + 'static, S: Search<T>> Run<'a, T, S> {
    pub(crate) fn new(
        search: S,
        results: FanIn<T>,
        output: Output,
        settings: &'a Settings,
        shutdown: &'a Shutdown,
    ) -> Self {
        // With nodes it stops at once: to complete what is in flight may take long, or for ever if there are no nodes.
        shutdown.attach(results.stop_handle(), settings.cluster.is_some());
        let progress = Progress::new(settings, search.nouns(), search.total(), search.types());
        let reader = output.reader();
        Self { search, results, output, reader, counts: Counts::default(), progress, settings, shutdown }
    }

    /// Writes all results and waits for the workers.
    pub(crate) async fn finish(mut self) -> Result<(), Failure> {
        let collected = self.collect().await;
        self.results.stop();
        let ended = self.finished().await;
        let stats = self.results.stats();
        self.search.observe(&stats, &mut self.counts);
        self.shutdown.record(self.search.nouns(), &self.counts);
        let enough = match collected {
            Ok(enough) => enough,
            Err(failure) => return self.abandon(failure),
        };
        let cut_short = self.shutdown.requested().filter(|_| !enough && !self.search.is_settled());
        if ended.is_ok()
            && cut_short.is_none()
            // A count that leaves out what failed would be wrong.
            && self.counts.failed == 0
            && let Err(failure) = self.search.conclude(&self.counts, &mut self.output)
        {
            return self.abandon(failure);
        }
        // An existing file is not replaced by an empty one.
        let is_worth_keeping = cut_short.is_none() || (self.counts.found > 0 && self.search.is_worth_keeping());
        let Self { search, output, counts, mut progress, settings, shutdown, .. } = self;
        let nouns = search.nouns();
        let verdict = match cut_short {
            _ if ended.is_err() => ended.map_err(Failure::from),
            _ if counts.failed > 0 => Err(Failure::Items(counts.failed)),
            Some((Reason::Signal, _)) => Err(Failure::Interrupted),
            Some((Reason::TimeIsUp, _)) => Err(Failure::TimeIsUp(settings.timeout.unwrap_or_default())),
            None => search.verdict(&counts),
        };
        // If no item was tested because of a failure, there is nothing to summarise.
        let was_begun = counts.tested + counts.bad > 0 || verdict.as_ref().err().is_none_or(Failure::is_complete);
        // The results come first: all that follows writes to a terminal, where a write may block or fail.
        let (left, verdict) = match verdict {
            Err(failure) if !(failure.is_complete() && is_worth_keeping) => (output.abandon(), Err(failure)),
            verdict => {
                shutdown.begin_commit();
                let committed = if cut_short.is_some() { output.commit_part() } else { output.commit() };
                (None, committed.and(verdict))
            }
        };
        shutdown.begin_messages();
        let was_shown = progress.clear();
        summary::tell(settings, nouns, &counts, &stats, (was_shown && was_begun) || cut_short.is_some());
        say_not_written(left);
        verdict
    }

    /// Ends the run because results could not be written.
    fn abandon(mut self, failure: Failure) -> Result<(), Failure> {
        let left = self.output.abandon();
        self.shutdown.begin_messages();
        self.progress.clear();
        say_not_written(left);
        Err(failure)
    }

    /// Waits for the workers to stop. Waiting for them counts as progress, however long it takes.
    async fn finished(&mut self) -> Result<(), PipelineError> {
        loop {
            if let Ok(ended) = timeout(TICK, self.results.finished()).await {
                return ended.map(drop);
            }
            self.shutdown.made_progress();
        }
    }

    /// Writes results until there are enough or no more; returns true if there were enough.
    async fn collect(&mut self) -> Result<bool, Failure> {
        let mut enough = false;
        while !enough && let Some(chunk) = self.next_chunk().await? {
            enough = self.put(chunk)?;
            self.show(false);
        }
        self.output.flush()?;
        Ok(enough)
    }

    /// Waits for the next results. Flushes the output first if none are ready, so that the reader gets what was found.
    async fn next_chunk(&mut self) -> Result<Option<Chunk<T>>, Failure> {
        if let Some(chunk) = self.results.next_chunk().now_or_never() {
            return Ok(chunk);
        }
        self.output.flush()?;
        loop {
            let waited = {
                let next = pin!(timeout(TICK, self.results.next_chunk()));
                match future::select(next, pin!(self.reader.closed())).await {
                    Either::Left((next, _)) => Some(next),
                    Either::Right(((), _)) => None,
                }
            };
            match waited {
                Some(Ok(chunk)) => return Ok(chunk),
                Some(Err(_)) => self.show(true),
                None => return Err(self.output.closed()),
            }
        }
    }

    fn put(&mut self, chunk: Chunk<T>) -> Result<bool, Failure> {
        for result in chunk {
            let flow = match result {
                Ok(result) => self.search.put(result, &mut self.counts, &mut self.output)?,
                Err(error) => {
                    // So that on a terminal the message follows the results before it.
                    self.output.flush()?;
                    let flow = self.search.failed(error, &mut self.counts);
                    if self.output.is_continued() { ControlFlow::Break(()) } else { flow }
                }
            };
            if flow.is_break() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn show(&mut self, waiting: bool) {
        self.shutdown.made_progress();
        self.shutdown.record(self.search.nouns(), &self.counts);
        let now = Instant::now();
        if self.progress.is_due(now, waiting) {
            let stats = self.results.stats();
            self.search.observe(&stats, &mut self.counts);
            let note = || self.search.note(&self.counts);
            self.progress.show(now, &self.counts, &stats, self.shutdown.requested(), note);
        }
    }
}

/// Prints that the file was not written, if there is one.
fn say_not_written(path: Option<PathBuf>) {
    if let Some(path) = path {
        say(format_args!("{} was not written: the results are not complete", shown(&path)));
    }
}

/// Has results come in the order of the source, if that was asked for.
pub(crate) fn in_order<S>(pool: FanOut<S>, ordered: bool) -> FanOut<S> {
    if ordered { pool.ordered() } else { pool }
}

/// Returns the number of workers to start.
pub(crate) fn workers(settings: &Settings) -> usize {
    let processors = || thread::available_parallelism().map_or(1, NonZeroUsize::get).min(MAX_WORKERS);
    settings.workers.unwrap_or_else(processors)
}
