//! `prime-fan filter`.

mod sift;

use std::fs;
use std::io::{self, IsTerminal};
use std::ops::ControlFlow;
use std::path::Path;

use actix_fan::{FanOutExt, ItemError, StopHandle, blocking_ahead};

use crate::cli::args::{self, Keep, OnBad, Settings};
use crate::cli::blocking_io;
use crate::cli::cluster::Cluster;
use crate::cli::counts::{Counts, Nouns};
use crate::cli::exit::Failure;
use crate::cli::format::{Format, Layout};
use crate::cli::messages::{self, report, say};
use crate::cli::output::Output;
use crate::cli::search::{Run, Search, in_order, workers};
use crate::cli::shutdown::Shutdown;
use crate::parse::identity::Identity;
use crate::parse::input::{Bad, Input, ReadError, Source};
use crate::parse::slices::Slices;

pub(crate) use sift::{Sift, Sifted};

/// How many slices of the input per worker may be in flight: two megabytes.
const WINDOW: usize = 8;

/// Prints the primes among the numbers of the inputs, or the other numbers, or all with their verdicts.
pub(crate) async fn run(filter: args::Filter, settings: &Settings, shutdown: &Shutdown) -> Result<(), Failure> {
    let args::Filter { sources, keep, bad, count, location, ordered } = filter;
    let layout = Layout { annotate: keep == Keep::All, location, ..Layout::plain(settings.format) };
    let mut output = Output::to(settings, shutdown)?;
    if !count {
        output.write(layout.header().as_bytes())?;
    }
    let bytes = bytes(&sources);
    let types = sources.contains(&Source::Stdin) && io::stdin().is_terminal();
    if !settings.quiet {
        name_hidden_files(&sources);
    }
    let cluster = Cluster::of(settings).await?;
    let run = cluster.as_ref().map(|cluster| cluster.run_over(&sources)).transpose()?;
    let workers = workers(settings);
    // The standard error may be a file as well.
    let outputs: Vec<Identity> = output.identity().into_iter().chain(Identity::of_stream(io::stderr())).collect();
    let inputs = sources.into_iter().map(move |source| {
        let is_stdin = source == Source::Stdin;
        let input = Input::open(source, &outputs)?;
        Ok(if is_stdin { Input { bytes: Box::new(blocking_io::Stdin), ..input } } else { input })
    });
    let slices = Slices::new(inputs, !count && layout.format != Format::Text);
    let sift = Sift { keep, bad, layout, count };
    let reading = |source| Failure::System { what: "reading", source };
    // Read on a thread of its own, since a read from a pipe may block.
    let sifted = match cluster.zip(run) {
        Some((cluster, run)) => {
            let pieces = blocking_ahead(workers, cluster.pieces(slices, sift)).map_err(reading)?;
            cluster.sifted(pieces, sift, ordered, run)?
        }
        None => {
            let slices = blocking_ahead(workers, slices).map_err(reading)?;
            let pool = slices.try_fan_out().thread_name("prime-filter").workers(workers).window(WINDOW * workers);
            in_order(pool, ordered).with(move || sift)?
        }
    };
    let filtered = Filtered {
        bytes,
        types,
        keep,
        bad,
        ordered,
        count: count.then_some(layout),
        stop: sifted.stop_handle(),
        failure: None,
        first_bad: None,
        is_unread: false,
    };
    Run::new(filtered, sifted, output, settings, shutdown).finish().await
}

/// Returns the size of all inputs, if it is known.
fn bytes(sources: &[Source]) -> Option<u64> {
    let length = |source: &Source| match source {
        Source::Stdin => None,
        Source::Number(digits) => Some(digits.len() as u64),
        Source::File(path) => fs::metadata(path).ok().filter(fs::Metadata::is_file).map(|metadata| metadata.len()),
    };
    sources.iter().map(length).sum()
}

/// Prints a note for each number that is also the name of a file: the user may have meant the file.
fn name_hidden_files(sources: &[Source]) {
    for source in sources {
        if let Source::Number(number) = source
            && Path::new(number).exists()
        {
            say(format_args!("{number} is tested as a number; to read the file of that name, write ./{number}"));
        }
    }
}

struct Filtered {
    bytes: Option<u64>,
    /// True if the user types the input.
    types: bool,
    keep: Keep,
    bad: OnBad,
    ordered: bool,
    /// How to print the count, if the numbers are only counted.
    count: Option<Layout>,
    stop: StopHandle,
    /// Why the rest of the input is not tested.
    failure: Option<Failure>,
    /// The first word that was ignored, if no number came before it.
    first_bad: Option<Bad>,
    /// True if an input could not be read, or not to its end.
    is_unread: bool,
}

impl Filtered {
    /// Ends the search because of `failure`. With an order, the results before the failure are printed and none after
    /// it; without one, the items in flight are completed.
    fn fail(&mut self, failure: Failure) -> ControlFlow<()> {
        self.failure.get_or_insert(failure);
        if self.ordered {
            return ControlFlow::Break(());
        }
        self.stop.drain();
        ControlFlow::Continue(())
    }
}

impl Search<Sifted> for Filtered {
    fn nouns(&self) -> Nouns {
        let found = match self.keep {
            Keep::Primes => ["prime", "primes"],
            Keep::Others => ["other", "others"],
            Keep::All => ["number", "numbers"],
        };
        Nouns { found, items: ["slice", "slices"] }
    }

    fn total(&self) -> Option<u64> {
        self.bytes
    }

    fn types(&self) -> bool {
        self.types
    }

    fn put(&mut self, sifted: Sifted, counts: &mut Counts, output: &mut Output) -> Result<ControlFlow<()>, Failure> {
        output.write(&sifted.lines)?;
        counts.tested += sifted.tested;
        counts.found += sifted.found;
        counts.bad += sifted.bad;
        counts.done += sifted.bytes;
        if !sifted.messages.is_empty() {
            output.flush()?;
            messages::write(sifted.messages);
        }
        match sifted.first_bad {
            Some(bad) if self.bad == OnBad::Stop => return Ok(self.fail(Failure::Bad(bad))),
            Some(bad) => _ = self.first_bad.get_or_insert(bad),
            None => {}
        }
        Ok(ControlFlow::Continue(()))
    }

    fn failed(&mut self, error: ItemError, counts: &mut Counts) -> ControlFlow<()> {
        match error.source_error().and_then(|error| error.downcast_ref::<ReadError>()) {
            // The other inputs are still read.
            Some(error) => {
                self.is_unread = true;
                report(error);
            }
            None => {
                counts.failed += 1;
                report(&error);
            }
        }
        ControlFlow::Continue(())
    }

    fn is_settled(&self) -> bool {
        self.failure.is_some()
    }

    fn is_worth_keeping(&self) -> bool {
        self.count.is_none() && !self.is_unread
    }

    fn conclude(&mut self, counts: &Counts, output: &mut Output) -> Result<(), Failure> {
        if let (Some(layout), None) = (self.count, &self.failure) {
            output.write(layout.count(&[("count", counts.found)]).as_bytes())?;
        }
        output.flush()
    }

    fn verdict(self, counts: &Counts) -> Result<(), Failure> {
        match self.failure {
            Some(failure) => Err(failure),
            None if self.is_unread => Err(Failure::Unread),
            None if counts.bad > 0 && self.bad == OnBad::Report => Err(Failure::Reported(counts.bad)),
            None if counts.found > 0 => Ok(()),
            None => match self.first_bad {
                Some(first) if counts.tested == 0 => Err(Failure::AllBad { bad: counts.bad, first }),
                _ => Err(Failure::NothingFound),
            },
        }
    }
}
