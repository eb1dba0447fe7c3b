//! `prime-fan range`.

use std::ops::{ControlFlow, RangeInclusive};

use crate::{Segment, Sieve, Verdict};
use actix_fan::{BoxError, FanOutExt, Job, Work};

use crate::cli::args::{self, Settings, What};
use crate::cli::ascending;
use crate::cli::cluster::Cluster;
use crate::cli::counts::{Counts, Nouns};
use crate::cli::exit::Failure;
use crate::cli::format::{Layout, Record};
use crate::cli::output::Output;
use crate::cli::search::{Run, Search, workers};
use crate::cli::shutdown::Shutdown;

/// How many segments per worker may be in flight: one in the sieve, one that waits, and one that is printed. While the
/// reader is slow, each of them has its text.
const WINDOW: usize = 3;

/// About the most bytes of text per segment.
const TEXT: u64 = 8 << 20;

/// The most numbers per segment if the primes are only counted: 4 MiB of the sieve.
const COUNTED: u64 = 30 << 22;

/// Prints the primes of a range in order, or their count.
pub(crate) async fn run(range: args::Range, settings: &Settings, shutdown: &Shutdown) -> Result<(), Failure> {
    let args::Range { range, what, count, down, number } = range;
    let size = if count { 1 } else { what[0].size() };
    let layout = Layout { size, ..Layout::plain(settings.format) };
    let mut output = Output::to(settings, shutdown)?;
    if !count {
        output.write(layout.header().as_bytes())?;
    }
    let numbers = match range.is_empty() {
        true => 0,
        false => (range.end() - range.start()).saturating_add(1),
    };
    let lines = (!count).then_some(layout);
    let counts = vec![0; what.len()];
    let survey = Survey { numbers, what: what.clone(), layout, count, left: number, counts };
    if let Some(cluster) = Cluster::of(settings).await? {
        let span = if count { COUNTED } else { printed(&range, layout, cluster.text_bytes()) };
        let found = cluster.segments(range, span, what, lines, down)?;
        return Run::new(survey, found, output, settings, shutdown).finish().await;
    }
    let span = if count { COUNTED } else { printed(&range, layout, TEXT) };
    let sieve = Sieve::with_span(range.clone(), span);
    let workers = workers(settings);
    let segments = if down { sieve.segments_down() } else { sieve.segments() };
    // One segment per batch: a segment may take several times as long as all before it.
    let pool = segments.fan_out().thread_name("prime-sieve").workers(workers).batch(1);
    let pool = pool.window(WINDOW * workers).ordered();
    let start = *range.start();
    let siever = move || Siever { segment: sieve.segment(), what: what.clone(), lines, start, down };
    let found = pool.with(siever)?;
    Run::new(survey, found, output, settings, shutdown).finish().await
}

/// Returns how many numbers from the start of the range on have primes for about so many bytes of text.
fn printed(range: &RangeInclusive<u64>, layout: Layout, text: u64) -> u64 {
    // At most one number in `rarity` is prime there.
    let rarity = (*range.start()).max(1 << 20).ilog2() as f64 * std::f64::consts::LN_2;
    (text as f64 / layout.line_bytes(digits(*range.end())) as f64 * rarity) as u64
}

fn digits(n: u64) -> usize {
    n.checked_ilog10().unwrap_or(0) as usize + 1
}

/// The result of a segment.
pub(crate) struct Sieved {
    pub(crate) lines: Vec<u8>,
    pub(crate) numbers: u64,
    /// How many there are of each that is searched for.
    pub(crate) found: Vec<u64>,
}

/// The work on a segment.
pub(crate) struct Siever {
    pub(crate) segment: Segment,
    pub(crate) what: Vec<What>,
    /// How to write the primes; `None` if they are only counted.
    pub(crate) lines: Option<Layout>,
    /// The first number of the whole range.
    pub(crate) start: u64,
    pub(crate) down: bool,
}

impl Work<RangeInclusive<u64>> for Siever {
    type Output = Sieved;

    fn run(&mut self, range: RangeInclusive<u64>, job: &mut Job<'_, Sieved>) -> Result<(), BoxError> {
        let numbers = (range.end() - range.start()).saturating_add(1);
        let digits = digits(*range.end());
        if !self.segment.fill_unless(range, || job.is_stopped()) {
            return Ok(());
        }
        let found: Vec<u64> = self.what.iter().map(|&what| self.count(what)).collect();
        let lines = match self.lines {
            Some(layout) if layout.is_bare() && !self.down => {
                ascending::lines(self.segment.primes(), found[0] as usize, digits)
            }
            Some(layout) => self.write(layout, found[0] as usize * layout.line_bytes(digits)),
            None => Vec::new(),
        };
        job.emit(Sieved { lines, numbers, found });
        Ok(())
    }
}

impl Siever {
    fn count(&self, what: What) -> u64 {
        match what {
            What::Primes => self.segment.count(),
            What::Twins => self.segment.count_twins(),
            What::Triplets => self.segment.count_tuplets::<3>(),
            What::Quadruplets => self.segment.count_tuplets::<4>(),
            What::Quintuplets => self.segment.count_tuplets::<5>(),
            What::Sextuplets => self.segment.count_tuplets::<6>(),
        }
    }

    fn write(&self, layout: Layout, bytes: usize) -> Vec<u8> {
        let mut lines = Vec::with_capacity(bytes);
        match self.what[0] {
            What::Primes => self.write_each(self.segment.primes().map(|prime| [prime]), layout, &mut lines),
            What::Twins => {
                let pairs = self.segment.twins().map(|(prime, twin)| [prime, twin]);
                self.write_each(pairs, layout, &mut lines);
            }
            What::Triplets => self.write_each(self.segment.tuplets::<3>(), layout, &mut lines),
            What::Quadruplets => self.write_each(self.segment.tuplets::<4>(), layout, &mut lines),
            What::Quintuplets => self.write_each(self.segment.tuplets::<5>(), layout, &mut lines),
            What::Sextuplets => self.write_each(self.segment.tuplets::<6>(), layout, &mut lines),
        }
        lines
    }

    #[inline]
    fn write_each<const K: usize>(&self, records: impl Iterator<Item = [u64; K]>, layout: Layout, lines: &mut Vec<u8>) {
        let (mut first, mut other) = (itoa::Buffer::new(), itoa::Buffer::new());
        let mut others = Vec::new();
        let mut write = |primes: [u64; K]| {
            others.clear();
            for (i, &prime) in primes[1..].iter().enumerate() {
                if i > 0 {
                    others.extend_from_slice(layout.separator());
                }
                others.extend_from_slice(other.format(prime).as_bytes());
            }
            let (index, verdict) = (primes[0] - self.start, Verdict::Prime);
            let twin = (K > 1).then_some(&others[..]);
            let number = first.format(primes[0]).as_bytes();
            layout.write(Record { number, twin, index, verdict, place: None }, lines);
        };
        if self.down {
            // A segment can only be read upwards.
            records.collect::<Vec<_>>().into_iter().rev().for_each(write);
        } else {
            records.for_each(&mut write);
        }
    }
}

struct Survey {
    numbers: u64,
    what: Vec<What>,
    layout: Layout,
    count: bool,
    /// How many are still to be found; `None` for all.
    left: Option<u64>,
    /// How many there are of each so far.
    counts: Vec<u64>,
}

impl Survey {
    /// Cuts off what is more than was asked for. Returns true if that many are found.
    fn is_enough(&mut self, lines: &mut Vec<u8>, found: &mut [u64]) -> bool {
        let Some(left) = &mut self.left else { return false };
        if found[0] > *left {
            let lines_kept = usize::try_from(*left).unwrap_or(usize::MAX);
            let end = memchr::memchr_iter(b'\n', lines).nth(lines_kept - 1);
            lines.truncate(end.map_or(0, |end| end + 1));
            found[0] = *left;
        }
        *left -= found[0];
        *left == 0
    }
}

impl Search<Sieved> for Survey {
    fn nouns(&self) -> Nouns {
        let found = match self.what[..] {
            [what] => what.name(),
            _ => ["prime or tuplet", "primes and tuplets"],
        };
        Nouns { found, items: ["segment", "segments"] }
    }

    fn total(&self) -> Option<u64> {
        self.left.is_none().then_some(self.numbers)
    }

    fn put(&mut self, sieved: Sieved, counts: &mut Counts, output: &mut Output) -> Result<ControlFlow<()>, Failure> {
        let Sieved { mut lines, numbers, mut found } = sieved;
        let is_enough = self.is_enough(&mut lines, &mut found);
        output.write(&lines)?;
        self.counts.iter_mut().zip(&found).for_each(|(count, found)| *count += found);
        counts.found += found.iter().sum::<u64>();
        counts.tested += numbers;
        counts.done = counts.tested;
        Ok(if is_enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    fn is_worth_keeping(&self) -> bool {
        !self.count
    }

    fn conclude(&mut self, _: &Counts, output: &mut Output) -> Result<(), Failure> {
        if self.count {
            let names = self.what.iter().map(|what| what.name()[1]);
            let counts: Vec<_> = names.zip(self.counts.iter().copied()).collect();
            output.write(self.layout.count(&counts).as_bytes())?;
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
                let numbers = printed(&range, layout, TEXT) as f64;
                let bytes = numbers / (start as f64 + numbers).ln() * layout.line_bytes(20) as f64;
                assert!((5e5..1.1 * TEXT as f64).contains(&bytes), "{format:?} from {start}: {bytes} bytes");
            }
        }
    }
}
