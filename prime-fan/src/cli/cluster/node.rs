//! `prime-fan node`.

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix::clock::timeout;
use actix_fan::remote::{Node, NodeError};
use actix_fan::{BoxError, Job, Work};

use super::wire::{Piece, SegmentTask};
use super::{PRIMES, PRIMES_BY_TRIAL, SEGMENTS, SLICES, connect};
use crate::Sieve;
use crate::cli::args::{self, Finder};
use crate::cli::commands::filter::Sifted;
use crate::cli::commands::random::{Prime, Tester};
use crate::cli::commands::range::{Sieved, Siever};
use crate::cli::exit::Failure;
use crate::cli::human::{count, percent};
use crate::cli::messages::{hint, say};
use crate::cli::shutdown::Shutdown;

/// The most items of a batch, whatever `--max-cost` is.
const ITEMS: u64 = 1 << 24;

/// How often the node says what it has done, if it has done something.
const REPORT: Duration = Duration::from_secs(10);

/// How often the program looks for the node's end, which counts as progress.
const TICK: Duration = Duration::from_millis(250);

/// The most numbers of a segment whose primes are printed: few, compared to those that are counted.
const PRINTED: u64 = 1 << 24;

/// How many sieves are kept, of as many ranges.
const SIEVES: usize = 4;

/// Works for the searches of other machines, until it is asked to end.
pub(crate) async fn node(node: args::Node, shutdown: &Shutdown) -> Result<(), Failure> {
    let args::Node { connection, name, threads, slots, max_cost, quiet, log_filter: _ } = node;
    let nats = connect(&connection, "node").await?;
    let sieves = Sieves::default();
    let mut builder = Node::builder()
        .name(name)
        .max_items(max_cost.min(ITEMS) as u32)
        .register(PRIMES, || Tester(Finder::Fast))
        .register(PRIMES_BY_TRIAL, move || TrialWork { max_cost })
        .register(SLICES, || Sifter)
        .register(SEGMENTS, move || SegmentWork { sieves: sieves.clone(), max_cost, last: None });
    if let Some(threads) = threads {
        builder = builder.threads(threads);
    }
    if let Some(slots) = slots {
        builder = builder.slots(slots);
    }
    let node = Arc::new(builder.start(&nats).await.map_err(failure)?);
    let (draining, leaving) = (Arc::clone(&node), Arc::clone(&node));
    let has_left = Arc::new(AtomicBool::new(false));
    let left = Arc::clone(&has_left);
    // Messages are hints here: a signal must get through even if the standard error is not read.
    shutdown.set_steps([
        Box::new(move || {
            if !quiet {
                hint("no more batches are taken, and those that are here are ended; a second signal gives them back");
            }
            draining.drain();
        }) as Box<dyn FnOnce() + Send>,
        Box::new(move || {
            left.store(true, SeqCst);
            leaving.leave();
        }),
    ]);
    let tell = |text: String| {
        if !quiet {
            say(text);
        }
    };
    let threads = count(node.stats().workers.len() as u64, ["thread", "threads"]);
    tell(format!("node {} serves {PRIMES}, {PRIMES_BY_TRIAL}, {SLICES} and {SEGMENTS} with {threads}", node.name()));
    let mut told = Told { at: Instant::now(), batches: 0, busy: Duration::ZERO };
    while timeout(TICK, node.finished()).await.is_err() {
        shutdown.made_progress();
        if let Some(report) = told.report(&node) {
            tell(report);
        }
    }
    shutdown.begin_messages();
    tell(format!("node {} has ended, after {}", node.name(), count(node.batches(), ["batch", "batches"])));
    if !has_left.load(SeqCst) {
        // It did what the signal asked for.
        shutdown.forgive();
    }
    Ok(())
}

fn failure(error: NodeError) -> Failure {
    match error {
        NodeError::Start(error) => Failure::Start(error),
        error => Failure::Server(Box::new(error)),
    }
}

/// What was last told of a node.
struct Told {
    at: Instant,
    batches: u64,
    busy: Duration,
}

impl Told {
    /// What the node has done since then, if it is time to tell and it has done something.
    fn report(&mut self, node: &Node) -> Option<String> {
        let since = self.at.elapsed();
        if since < REPORT {
            return None;
        }
        let stats = node.stats();
        let busy: Duration = stats.workers.iter().map(|worker| worker.busy).sum();
        let before = std::mem::replace(self, Self { at: Instant::now(), batches: node.batches(), busy });
        let batches = self.batches - before.batches;
        let time = since.as_secs_f64() * stats.workers.len().max(1) as f64;
        let busy = busy.saturating_sub(before.busy).as_secs_f64() / time;
        (batches > 0).then(|| {
            let batches = count(batches, ["batch", "batches"]);
            format!("{batches} in {:.0} s, busy {}", since.as_secs_f64(), percent(busy))
        })
    }
}

/// Trial division, by as many numbers as the node allows: the square root of 2^64 - 1 takes seconds.
struct TrialWork {
    max_cost: u64,
}

impl Work<u64> for TrialWork {
    type Output = Prime;

    fn run(&mut self, n: u64, job: &mut Job<'_, Prime>) -> Result<(), BoxError> {
        let (root, most) = (n.isqrt(), self.max_cost);
        if root > most {
            return Err(format!(
                "{n} would be divided by numbers up to {root}, and this node takes at most {most}: see --max-cost"
            )
            .into());
        }
        Tester(Finder::Trial).run(n, job)
    }
}

/// The work on a piece of a text.
struct Sifter;

impl Work<Piece> for Sifter {
    type Output = Sifted;

    fn run(&mut self, piece: Piece, job: &mut Job<'_, Sifted>) -> Result<(), BoxError> {
        job.emit(piece.sift.sift(&piece.slice()));
        Ok(())
    }
}

/// What decides how a segment is sieved: the whole range, and the most numbers of a segment.
type Plan = (RangeInclusive<u64>, u64);

/// The sieves of the last ranges, which all threads share: a sieve far from 0 has up to 95 MB of primes and their multiples.
#[derive(Clone, Default)]
struct Sieves(Arc<Mutex<Vec<(Plan, Sieve)>>>);

impl Sieves {
    fn of(&self, plan: &Plan) -> Sieve {
        let mut sieves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = match sieves.iter().position(|(known, _)| known == plan) {
            Some(at) => sieves.remove(at),
            None => (plan.clone(), Sieve::for_segments(plan.0.clone(), plan.1)),
        };
        let sieve = kept.1.clone();
        sieves.push(kept);
        if sieves.len() > SIEVES {
            sieves.remove(0);
        }
        sieve
    }
}

/// The work on a segment. A thread keeps its buffer while the segments are those of one range.
struct SegmentWork {
    sieves: Sieves,
    max_cost: u64,
    last: Option<(Plan, u64, Siever)>,
}

impl Work<SegmentTask> for SegmentWork {
    type Output = Sieved;

    fn run(&mut self, task: SegmentTask, job: &mut Job<'_, Sieved>) -> Result<(), BoxError> {
        let SegmentTask { range, span, segment, what, lines, down } = task;
        // What came is not trusted: it is checked before memory is taken for it.
        let is_part = !segment.is_empty() && range.contains(segment.start()) && range.contains(segment.end());
        if !is_part {
            return Err(format!("the segment {segment:?} is no part of the range {range:?}").into());
        }
        let numbers = (segment.end() - segment.start()).saturating_add(1);
        for (what, cost) in [("a segment", numbers), ("the longest segment", span.min(1 << 30))] {
            if cost > self.max_cost {
                let most = self.max_cost;
                return Err(
                    format!("{what} has {cost} numbers, and this node takes at most {most}: see --max-cost").into()
                );
            }
        }
        if lines.is_some() && numbers > PRINTED {
            return Err(format!("a segment of {numbers} numbers has more text than a message").into());
        }
        let plan = (range, span);
        if self.last.as_ref().is_none_or(|(last, ..)| *last != plan) {
            let sieve = self.sieves.of(&plan);
            let (segment, start) = (sieve.segment(), *plan.0.start());
            let siever = Siever { segment, what: Vec::new(), lines: None, start, down: false };
            // The buffer of the last one is freed first.
            self.last = None;
            self.last = Some((plan, sieve.span(), siever));
        }
        let (_, span, siever) = self.last.as_mut().expect("it was set");
        (siever.what, siever.lines, siever.down) = (what, lines, down);
        if numbers > *span {
            return Err(
                format!("the segment {segment:?} has more numbers than {span}, the most that it may have").into()
            );
        }
        siever.run(segment, job)
    }
}
