//! The state of the model: where every item, work and errand is, and what each thread is about to do.

use std::hash::{Hash, Hasher};
use std::time::Duration;

use super::{SharedSet, Size};
use crate::protocol::model::state::{Batch, Real};
use crate::protocol::{BatchLife, BatchSize, FairQueue, Protocol, RunKey, Serve};

/// What a serve is charged when it begins, and what each item takes.
pub(super) const ITEM: Duration = Duration::from_nanos(1);

#[derive(Clone, Debug, PartialEq, Hash)]
pub(super) struct State {
    pub(super) fair: Fair,
    /// Threads that sleep, in the order in which they went to sleep.
    pub(super) sleeping: Vec<usize>,
    pub(super) threads: Vec<Thread>,
    /// What any thread can do.
    pub(super) anyones: Vec<Errand>,
    /// Threads that have counted themselves as idle.
    pub(super) idle: usize,
    /// The threads end once no run is left.
    pub(super) closing: bool,
    pub(super) runs: Vec<Run>,
}

/// The real queue, and what the threads serve.
#[derive(Clone, Debug)]
pub(super) struct Fair {
    pub(super) queue: FairQueue<usize>,
    /// Per run, once it has joined.
    pub(super) keys: Vec<Option<RunKey>>,
    /// Per thread.
    pub(super) serves: Vec<Option<Serve>>,
}

impl Fair {
    pub(super) fn key(&self, run: usize) -> RunKey {
        self.keys[run].expect("it has joined")
    }

    fn decides(&self) -> (Vec<u64>, Vec<Option<RunKey>>) {
        (self.queue.decides(&self.serves), self.keys.clone())
    }
}

impl PartialEq for Fair {
    fn eq(&self, other: &Self) -> bool {
        self.decides() == other.decides()
    }
}

impl Hash for Fair {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.decides().hash(state);
    }
}

#[derive(Clone, Debug, PartialEq, Hash)]
pub(super) struct Thread {
    pub(super) does: Does,
    /// What woke it, if it sleeps.
    pub(super) woken: bool,
    /// What it alone can do.
    pub(super) errands: Vec<Errand>,
    pub(super) batch: Option<Running>,
}

/// The batch that a thread runs.
#[derive(Clone, Debug, PartialEq, Hash)]
pub(super) struct Running {
    pub(super) run: usize,
    pub(super) life: BatchLife,
    pub(super) portion: Option<BatchLife>,
    /// True once others may share it. Not if it has one item: there is nothing to share.
    pub(super) is_published: bool,
    /// Items that have run.
    pub(super) ran: u32,
}

/// What a thread does next.
#[derive(Clone, Debug, PartialEq, Hash)]
pub(super) enum Does {
    /// It ends its serve, if it has one, and looks for something to do. `found`: the serve had a batch.
    Next {
        found: bool,
    },
    Errand(Errand),
    /// It is idle, and looks for a batch of another thread to share.
    LooksToShare,
    /// It has taken a part of another thread's batch, and tells the set.
    TellsOfShared {
        run: usize,
    },
    /// It looks for something to do, and otherwise for a batch to share, or sleeps if it `looked` for one and none was
    /// offered since.
    Waits {
        looked: bool,
    },
    Sleeps,
    /// It has been given a run to serve, and takes a batch of it.
    Takes {
        run: usize,
    },
    /// It has taken a batch that others may share.
    Publishes,
    /// It has published its batch, or run a portion of it, and reads if a thread is idle.
    ReadsIdle,
    Claims {
        has_idle: bool,
    },
    /// It wakes an idle thread, to share its batch.
    Offers,
    InItem,
    /// It has given the rest of its batch back, and tells the set.
    TellsOfRest,
    /// Its batch ends.
    EndsBatch,
    Ended,
}

#[derive(Clone, Debug, PartialEq, Hash)]
pub(super) enum Errand {
    /// Builds a work for the run.
    Prepare(usize),
    /// Drops the work that it keeps for the run.
    Leave(usize),
}

#[derive(Clone, Debug, PartialEq, Hash)]
pub(super) struct Run {
    pub(super) protocol: Real,
    pub(super) is_stopped: bool,
    pub(super) left_in_source: u64,
    pub(super) batches: Vec<Batch>,
    pub(super) generator: Generator,
    /// It was stopped, and is about to leave the set for that.
    pub(super) leaves: bool,
    /// The threads that keep a work of it, as the set knows. The set has forgotten it once the run left.
    pub(super) seats: Vec<usize>,
    /// Its works: the thread that built each, and the one that has it.
    pub(super) works: Vec<(usize, usize)>,
    /// Errands to leave it that have not been done. The last one retires it.
    pub(super) leaving: usize,
    pub(super) has_retired: bool,
    /// One bit per item: set once it has begun.
    pub(super) begun: u64,
    pub(super) begun_twice: bool,
    pub(super) dropped_elsewhere: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Hash)]
pub(super) enum Generator {
    /// It has not joined the set.
    Apart,
    Runs,
    /// It has queued a batch, and tells the set.
    Tells,
    /// With a flaw: it has told the set of a batch, and queues it.
    Queues(Batch),
    Gone,
}

impl Run {
    fn new(size: &Size, threads: usize) -> Self {
        let batch = BatchSize::Fixed(size.batch);
        Self {
            protocol: Real(Protocol::new(threads, size.items as usize, batch, 8)),
            is_stopped: false,
            left_in_source: size.items,
            batches: Vec::new(),
            generator: Generator::Apart,
            leaves: false,
            seats: Vec::new(),
            works: Vec::new(),
            leaving: 0,
            has_retired: false,
            begun: 0,
            begun_twice: false,
            dropped_elsewhere: false,
        }
    }

    /// Returns true if no thread has anything of it: what its user waits for.
    pub(super) fn has_ended(&self) -> bool {
        self.has_retired && self.works.is_empty()
    }
}

impl State {
    pub(super) fn new(model: &SharedSet) -> Self {
        let thread = Thread { does: Does::Next { found: false }, woken: false, errands: Vec::new(), batch: None };
        let fair = Fair {
            queue: FairQueue::new(),
            keys: vec![None; model.runs.len()],
            serves: (0..model.threads).map(|_| None).collect(),
        };
        let mut state = Self {
            fair,
            sleeping: Vec::new(),
            threads: vec![thread; model.threads],
            anyones: Vec::new(),
            idle: 0,
            closing: false,
            runs: model.runs.iter().map(|size| Run::new(size, model.threads)).collect(),
        };
        let early = (0..model.runs.len()).filter(|run| !model.runs[*run].joins_late);
        early.for_each(|run| model.join(&mut state, run));
        state
    }

    /// Items of the run that are queued or running.
    pub(super) fn on_their_way(&self, run: usize) -> usize {
        let queued = self.runs[run].batches.iter().map(|batch| batch.items);
        let late = match self.runs[run].generator {
            Generator::Queues(batch) => batch.items,
            _ => 0,
        };
        let running = self.threads.iter().filter_map(|thread| thread.batch.as_ref());
        let running = running.filter(|batch| batch.run == run).map(|batch| batch.life.items());
        late + queued.chain(running).sum::<usize>()
    }

    /// Returns true if a thread serves the run.
    pub(super) fn is_served(&self, run: usize) -> bool {
        let key = self.fair.keys[run];
        self.fair.serves.iter().flatten().any(|serve| Some(serve.run()) == key)
    }
}
