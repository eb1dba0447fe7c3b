//! The same job, done by each of the contenders.
//!
//! The job: each number below `items` costs some processor time (the [`Grain`]), and all of them or one in twenty yield
//! a result ([`Results`]); one consumer folds the results into a [`Checksum`], which is compared with that of a plain
//! loop. [`WORKERS`] threads work; the generator and the consumer run beside them, as in applications.
//!
//! The time is measured from before the first thread or channel is made (rayon's pool and actix's System exist already)
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
    /// One multiplication: the time is that of the transport.
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
    /// As many items as a good pool completes in about `time`. A contender whose hand-over costs far more than the item
    /// gets a twentieth of them, so that the benchmark does not spend most of its time on it.
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
    /// A pool written by hand for throughput: vectors of items over bounded channels.
    HandBatched,
    /// Bounded channels, one item at a time.
    Channels,
    /// rayon's bridge from an iterator, its results sent to a bounded channel.
    ParBridge,
    /// One message per item to a `SyncArbiter`, and one per result to a collecting actor; without a bound.
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

/// The work on one item. It is inlined for every contender, so that none of them pays for a call that another saves.
pub(crate) trait WorkOnItem: Fn(u64) -> Option<u64> + Copy + Send + Sync + Unpin + 'static {}

impl<F: Fn(u64) -> Option<u64> + Copy + Send + Sync + Unpin + 'static> WorkOnItem for F {}

/// The result of a contender.
struct Run {
    took: Duration,
    checksum: Checksum,
}

/// A sum over the results and their order.
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

/// What exists before and after each job.
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

    /// Runs the job by `contender`; returns how long that took.
    ///
    /// # Panics
    ///
    /// If the results are wrong.
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

/// Returns true for one number in twenty, without a rhythm that a branch predictor could learn.
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
