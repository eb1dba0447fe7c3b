//! `prime-fan range`.

use std::ops::{ControlFlow, RangeInclusive};

use actix_fan::primes::{Segment, Sieve};
use actix_fan::{BoxError, FanOutExt, Job, Work};

use crate::args::{self, Settings, What};
use crate::ending::Ending;
use crate::exit::Failure;
use crate::output::Output;
use crate::record::{Layout, Record, Verdict};
use crate::run::{Run, Search, workers};
use crate::tally::{Nouns, Tally};

/// Segments that may be in flight for each worker: one that is sieved, one that waits, and one that is put out. Each
/// holds up to some megabytes of text.
const WINDOW: usize = 3;

/// Puts out the primes of a range, in order.
pub(crate) async fn run(range: args::Range, settings: &Settings, ending: &Ending) -> Result<(), Failure> {
    let args::Range { range, what, count } = range;
    let layout = Layout { twins: what == What::Twins, ..Layout::plain(settings.format) };
    let mut output = Output::to(settings, ending)?;
    if !count {
        output.write(layout.header().as_bytes())?;
    }
    let numbers = match range.is_empty() {
        true => 0,
        false => (range.end() - range.start()).saturating_add(1),
    };
    let sieve = Sieve::new(range.clone());
    let workers = workers(settings);
    let parts = if count { 1 } else { layout.parts() };
    let segments = sieve.segments().flat_map(move |segment| split(segment, parts));
    let pool = segments.fan_out().thread_name("prime-sieve").workers(workers).window(WINDOW * workers).ordered();
    let lines = (!count).then_some(layout);
    let start = *range.start();
    let found = pool.with(move || Siever { segment: sieve.segment(), what, lines, start })?;
    let survey = Survey { numbers, what, layout, count };
    Run::new(survey, found, output, settings, ending).finish().await
}

/// Cuts a segment up, since longer lines take more memory.
fn split(segment: RangeInclusive<u64>, parts: u64) -> impl Iterator<Item = RangeInclusive<u64>> {
    let (start, end) = segment.into_inner();
    let length = (end - start) / parts + 1;
    let firsts =
        (0..parts).map_while(move |part| start.checked_add(part * length)).take_while(move |&first| first <= end);
    firsts.map(move |first| first..=end.min(first.saturating_add(length - 1)))
}

/// What came of a segment.
struct Sieved {
    lines: Vec<u8>,
    numbers: u64,
    found: u64,
}

/// A worker.
struct Siever {
    segment: Segment,
    what: What,
    /// How to write what is found. None: it is only counted.
    lines: Option<Layout>,
    /// The first number of the whole range.
    start: u64,
}

impl Work<RangeInclusive<u64>> for Siever {
    type Output = Sieved;

    fn run(&mut self, range: RangeInclusive<u64>, job: &mut Job<'_, Sieved>) -> Result<(), BoxError> {
        let numbers = (range.end() - range.start()).saturating_add(1);
        let digits = range.end().checked_ilog10().unwrap_or(0) as usize + 1;
        self.segment.fill(range);
        let found = match self.what {
            What::Primes => self.segment.count(),
            What::Twins => self.segment.count_twins(),
        };
        let lines = match self.lines {
            Some(layout) => self.write(layout, found as usize * layout.line_bytes(digits)),
            None => Vec::new(),
        };
        job.emit(Sieved { lines, numbers, found });
        Ok(())
    }
}

impl Siever {
    fn write(&self, layout: Layout, bytes: usize) -> Vec<u8> {
        let mut lines = Vec::with_capacity(bytes);
        let (mut first, mut second) = (itoa::Buffer::new(), itoa::Buffer::new());
        let mut write = |number: u64, twin: Option<u64>| {
            let twin = twin.map(|twin| second.format(twin).as_bytes());
            let (index, verdict) = (number - self.start, Verdict::Prime);
            layout.write(
                Record { number: first.format(number).as_bytes(), twin, index, verdict, place: None },
                &mut lines,
            );
        };
        match self.what {
            What::Primes => self.segment.primes().for_each(|prime| write(prime, None)),
            What::Twins => self.segment.twins().for_each(|(prime, twin)| write(prime, Some(twin))),
        }
        lines
    }
}

struct Survey {
    numbers: u64,
    what: What,
    layout: Layout,
    count: bool,
}

impl Search<Sieved> for Survey {
    fn nouns(&self) -> Nouns {
        let found = match self.what {
            What::Primes => ["prime", "primes"],
            What::Twins => ["pair", "pairs"],
        };
        Nouns { found, items: "segments" }
    }

    fn total(&self) -> Option<u64> {
        Some(self.numbers)
    }

    fn put(&mut self, sieved: Sieved, tally: &mut Tally, output: &mut Output) -> Result<ControlFlow<()>, Failure> {
        let Sieved { lines, numbers, found } = sieved;
        output.write(&lines)?;
        tally.found += found;
        tally.tested += numbers;
        tally.done = tally.tested;
        Ok(ControlFlow::Continue(()))
    }

    fn is_worth_keeping(&self) -> bool {
        !self.count
    }

    fn conclude(&mut self, tally: &Tally, output: &mut Output) -> Result<(), Failure> {
        if self.count {
            output.write(self.layout.count(tally.found).as_bytes())?;
        }
        output.flush()
    }

    fn verdict(self, tally: &Tally) -> Result<(), Failure> {
        if tally.found == 0 { Err(Failure::NothingFound) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_segment_are_the_segment() {
        for (segment, parts) in [(0..=9, 3), (0..=9, 1), (7..=7, 4), (u64::MAX - 10..=u64::MAX, 4), (0..=2, 3)] {
            let numbers: Vec<u64> = split(segment.clone(), parts).flatten().collect();
            assert!(numbers.iter().copied().eq(segment.clone()), "{segment:?} in {parts}: {numbers:?}");
        }
    }
}
