//! The same job, done in every way that people do it.
//!
//! The job: each number below `items` costs some processor time (the [`Grain`]) and yields a result, or does so one time
//! in twenty ([`Results`]); one consumer folds the results into a [`Checksum`], which is compared with the one of a plain
//! loop. [`WORKERS`] threads work; the generator and the consumer come on top, as in applications.
//!
//! What is timed runs from before the first thread or channel is made (rayon's pool and actix's System exist already)
//! until the consumer has seen the end.

mod actors;
mod channels;
mod fan;

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use actix::{System, SystemRunner};
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::support::spin::{ODD, spin, steps_for};

/// Threads that work.
pub(crate) const WORKERS: usize = 2;

/// What one item costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Grain {
    /// One multiplication: what is left is the price of the transport.
    PassThrough,
    Nanos100,
    Micros1,
    Micros10,
    Micros100,
}

impl Grain {
    pub(crate) const ALL: [Self; 5] =
        [Self::PassThrough, Self::Nanos100, Self::Micros1, Self::Micros10, Self::Micros100];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::PassThrough => "pass-through",
            Self::Nanos100 => "100 ns",
            Self::Micros1 => "1 us",
            Self::Micros10 => "10 us",
            Self::Micros100 => "100 us",
        }
    }

    fn time(self) -> Duration {
        match self {
            Self::PassThrough => Duration::ZERO,
            Self::Nanos100 => Duration::from_nanos(100),
            Self::Micros1 => Duration::from_micros(1),
            Self::Micros10 => Duration::from_micros(10),
            Self::Micros100 => Duration::from_micros(100),
        }
    }
}

/// How many items yield a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Results {
    /// Each: the way back is as busy as the way there.
    All,
    /// One in twenty, as in a search.
    Few,
}

impl Results {
    pub(crate) const BOTH: [Self; 2] = [Self::All, Self::Few];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Few => "5%",
        }
    }
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Job {
    pub(crate) grain: Grain,
    pub(crate) results: Results,
    pub(crate) items: u64,
}

impl Job {
    /// As many items as a good pool works on for about `time`. A contender whose hand-over costs far more than the item
    /// gets a twentieth of them, or waiting for it would take up all the time there is.
    pub(crate) fn of_length(grain: Grain, results: Results, contender: Contender, time: Duration) -> Self {
        let nanos_each = (grain.time().as_nanos() as u64 / WORKERS as u64).max(10);
        let items = time.as_nanos() as u64 / nanos_each;
        let short = grain < Grain::Micros1 && contender.goes_item_by_item();
        Self { grain, results, items: if short { items / 20 } else { items } }
    }
}

/// A way to do the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contender {
    /// A plain loop without threads.
    Sequential,
    /// This crate, its results taken with `next`.
    Fan,
    /// This crate, ordered.
    FanOrdered,
    /// This crate, its results taken with `next_chunk`.
    FanChunks,
    /// What anyone writes by hand who has measured: vectors of items over bounded channels.
    HandBatched,
    /// Bounded channels, an item at a time.
    Channels,
    /// rayon's bridge from an iterator, its results sent to a bounded channel.
    ParBridge,
    /// A message an item to a `SyncArbiter`, a message a result to a collecting actor; bounded by nothing.
    BareSyncArbiter,
}

impl Contender {
    pub(crate) const ALL: [Self; 8] = [
        Self::Sequential,
        Self::Fan,
        Self::FanOrdered,
        Self::FanChunks,
        Self::HandBatched,
        Self::Channels,
        Self::ParBridge,
        Self::BareSyncArbiter,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sequential => "sequential",
            Self::Fan => "actix-fan",
            Self::FanOrdered => "actix-fan ordered",
            Self::FanChunks => "actix-fan chunks",
            Self::HandBatched => "hand-batched",
            Self::Channels => "channels",
            Self::ParBridge => "par_bridge",
            Self::BareSyncArbiter => "bare SyncArbiter",
        }
    }

    fn goes_item_by_item(self) -> bool {
        matches!(self, Self::Channels | Self::ParBridge | Self::BareSyncArbiter)
    }

    fn keeps_order(self) -> bool {
        matches!(self, Self::Sequential | Self::FanOrdered)
    }

    /// Runs the job in this way.
    fn run(self, stage: &Stage, items: u64, work: impl WorkOnItem) -> Run {
        match self {
            Self::Sequential => sequential(items, work),
            Self::Fan => fan::by_item(&stage.system, items, false, work),
            Self::FanOrdered => fan::by_item(&stage.system, items, true, work),
            Self::FanChunks => fan::by_chunk(&stage.system, items, work),
            Self::HandBatched => channels::by_batch(items, work),
            Self::Channels => channels::by_item(items, work),
            Self::ParBridge => channels::par_bridge(&stage.pool, items, work),
            Self::BareSyncArbiter => actors::bare_sync_arbiter(&stage.system, items, work),
        }
    }
}

/// The work on one item, known to the compiler wherever it is called, so that no contender pays for a call that another
/// one was spared.
pub(crate) trait WorkOnItem: Fn(u64) -> Option<u64> + Copy + Send + Sync + Unpin + 'static {}

impl<F: Fn(u64) -> Option<u64> + Copy + Send + Sync + Unpin + 'static> WorkOnItem for F {}

/// How a contender did.
struct Run {
    took: Duration,
    checksum: Checksum,
}

/// What the consumer makes of the results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Checksum {
    results: u64,
    sum: u64,
    /// Tells one order from another.
    rolled: u64,
}

impl Checksum {
    #[inline]
    fn add(&mut self, result: u64) {
        self.results += 1;
        self.sum = self.sum.wrapping_add(result);
        self.rolled = self.rolled.rotate_left(5).wrapping_add(result);
    }
}

/// What outlives a job.
pub(crate) struct Stage {
    /// By grain.
    steps: [u64; 5],
    system: SystemRunner,
    pool: ThreadPool,
    /// The checksums of a plain loop.
    expected: RefCell<HashMap<Job, Checksum>>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self {
            steps: Grain::ALL.map(|grain| steps_for(grain.time())),
            system: System::new(),
            pool: ThreadPoolBuilder::new().num_threads(WORKERS).build().expect("two threads can be spawned"),
            expected: RefCell::default(),
        }
    }

    /// Has `contender` do the job, and returns how long that took.
    ///
    /// # Panics
    ///
    /// When the results are wrong.
    pub(crate) fn time(&self, contender: Contender, job: Job) -> Duration {
        let Run { took, checksum } = self.run(contender, job);
        let known = self.expected.borrow().get(&job).copied();
        let expected = known.unwrap_or_else(|| {
            let checksum = self.run(Contender::Sequential, job).checksum;
            self.expected.borrow_mut().insert(job, checksum);
            checksum
        });
        if contender.keeps_order() {
            assert_eq!(checksum, expected, "{}: {job:?}", contender.name());
        } else {
            let unordered = |checksum: Checksum| (checksum.results, checksum.sum);
            assert_eq!(unordered(checksum), unordered(expected), "{}: {job:?}", contender.name());
        }
        took
    }

    fn run(&self, contender: Contender, Job { grain, results, items }: Job) -> Run {
        let steps = self.steps[grain as usize];
        match (grain, results) {
            (Grain::PassThrough, Results::All) => contender.run(self, items, |n| Some(n.wrapping_mul(ODD))),
            (Grain::PassThrough, Results::Few) => {
                contender.run(self, items, |n| is_chosen(n).then(|| n.wrapping_mul(ODD)))
            }
            (_, Results::All) => contender.run(self, items, move |n| Some(spin(n, steps))),
            (_, Results::Few) => contender.run(self, items, move |n| {
                let result = spin(n, steps);
                is_chosen(n).then_some(result)
            }),
        }
    }
}

/// True for one number in twenty, without a rhythm that a branch predictor could learn.
fn is_chosen(n: u64) -> bool {
    (n.wrapping_mul(ODD) >> 32) < u64::from(u32::MAX / 20)
}

fn sequential(items: u64, work: impl WorkOnItem) -> Run {
    let began = Instant::now();
    let mut checksum = Checksum::default();
    for result in (0..items).filter_map(work) {
        checksum.add(result);
    }
    Run { took: began.elapsed(), checksum }
}
