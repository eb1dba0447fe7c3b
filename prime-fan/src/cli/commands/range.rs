//! `prime-fan range`.

use std::ops::{ControlFlow, RangeInclusive};

use crate::{Segment, Sieve, Verdict};
use actix_fan::{BoxError, FanOutExt, Job, Work};

use crate::cli::args::{self, Settings, What};
use crate::cli::counts::{Counts, Nouns};
use crate::cli::exit::Failure;
use crate::cli::format::{Layout, Record};
use crate::cli::output::Output;
use crate::cli::search::{Run, Search, workers};
use crate::cli::shutdown::Shutdown;

/// How many segments per worker may be in flight: one in the sieve, one that waits, and one that is printed. Each holds
/// up to some megabytes of text.
const WINDOW: usize = 3;

/// About the most bytes of text per segment.
const TEXT: u64 = 4 << 20;

/// The most numbers per segment if the primes are only counted: 4 MiB of the sieve.
const COUNTED: u64 = 30 << 22;

/// Prints the primes of a range in order, or their count.
pub(crate) async fn run(range: args::Range, settings: &Settings, shutdown: &Shutdown) -> Result<(), Failure> {
    let args::Range { range, what, count } = range;
    let layout = Layout { twins: what == What::Twins, ..Layout::plain(settings.format) };
    let mut output = Output::to(settings, shutdown)?;
    if !count {
        output.write(layout.header().as_bytes())?;
    }
    let numbers = match range.is_empty() {
        true => 0,
        false => (range.end() - range.start()).saturating_add(1),
    };
    let span = if count { COUNTED } else { printed(&range, layout) };
    let sieve = Sieve::with_span(range.clone(), span);
    let workers = workers(settings);
    // One segment per batch: a segment may take several times as long as all before it.
    let pool = sieve.segments().fan_out().thread_name("prime-sieve").workers(workers).batch(1);
    let pool = pool.window(WINDOW * workers).ordered();
    let lines = (!count).then_some(layout);
    let start = *range.start();
    let found = pool.with(move || Siever { segment: sieve.segment(), what, lines, start })?;
    let survey = Survey { numbers, what, layout, count };
    Run::new(survey, found, output, settings, shutdown).finish().await
}

/// Returns how many numbers from the start of the range on have primes for about [`TEXT`] bytes.
fn printed(range: &RangeInclusive<u64>, layout: Layout) -> u64 {
    // At most one number in `rarity` is prime there.
    let rarity = (*range.start()).max(1 << 20).ilog2() as f64 * std::f64::consts::LN_2;
    (TEXT as f64 / layout.line_bytes(digits(*range.end())) as f64 * rarity) as u64
}

fn digits(n: u64) -> usize {
    n.checked_ilog10().unwrap_or(0) as usize + 1
}

/// The result of a segment.
struct Sieved {
    lines: Vec<u8>,
    numbers: u64,
    found: u64,
}

/// The work on a segment.
struct Siever {
    segment: Segment,
    what: What,
    /// How to write the primes; `None` if they are only counted.
    lines: Option<Layout>,
    /// The first number of the whole range.
    start: u64,
}

impl Work<RangeInclusive<u64>> for Siever {
    type Output = Sieved;

    fn run(&mut self, range: RangeInclusive<u64>, job: &mut Job<'_, Sieved>) -> Result<(), BoxError> {
        let numbers = (range.end() - range.start()).saturating_add(1);
        let digits = digits(*range.end());
        if !self.segment.fill_unless(range, || job.is_stopped()) {
            return Ok(());
        }
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
        Nouns { found, items: ["segment", "segments"] }
    }

    fn total(&self) -> Option<u64> {
        Some(self.numbers)
    }

    fn put(&mut self, sieved: Sieved, counts: &mut Counts, output: &mut Output) -> Result<ControlFlow<()>, Failure> {
        let Sieved { lines, numbers, found } = sieved;
        output.write(&lines)?;
        counts.found += found;
        counts.tested += numbers;
        counts.done = counts.tested;
        Ok(ControlFlow::Continue(()))
    }

    fn is_worth_keeping(&self) -> bool {
        !self.count
    }

    fn conclude(&mut self, counts: &Counts, output: &mut Output) -> Result<(), Failure> {
        if self.count {
            output.write(self.layout.count(counts.found).as_bytes())?;
        }
        output.flush()
    }

    fn verdict(self, counts: &Counts) -> Result<(), Failure> {
        if counts.found == 0 { Err(Failure::NothingFound) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::format::Format;

    #[test]
    fn a_segment_has_text_of_a_bounded_size_wherever_it_lies() {
        for format in [Format::Text, Format::Json, Format::Csv] {
            for start in [0, 1 << 32, 1_000_000_000_000_000, u64::MAX - 100_000_000] {
                let layout = Layout::plain(format);
                let range = start..=u64::MAX;
                let numbers = printed(&range, layout) as f64;
                let bytes = numbers / (start as f64 + numbers).ln() * layout.line_bytes(20) as f64;
                assert!((5e5..1.1 * TEXT as f64).contains(&bytes), "{format:?} from {start}: {bytes} bytes");
            }
        }
    }
}
