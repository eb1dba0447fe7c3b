//! The state of the model: where every item, batch, message and wake-up is.

use std::hash::{Hash, Hasher};

use super::Pipeline;
use crate::protocol::{BatchLife, BatchSize, Ends, Phase, Protocol};

/// The real protocol, compared by what changes in it and decides about other steps. Batches are of fixed size and no
/// time is measured here; and the reason of the end decides about no step.
#[derive(Clone, Debug)]
pub(super) struct Real(pub(super) Protocol);

impl Real {
    fn key(&self) -> (Phase, [u64; 4], usize, usize) {
        let ledger = self.0.ledger();
        let counts = [ledger.taken, ledger.completed, ledger.failed, ledger.skipped];
        (self.0.phase, counts, ledger.in_flight, self.0.outstanding)
    }
}

impl PartialEq for Real {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Hash for Real {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let (phase, counts, in_flight, outstanding) = self.key();
        (phase as u8, counts, in_flight, outstanding).hash(state);
    }
}

#[derive(Clone, Debug, PartialEq, Hash)]
pub(super) struct State {
    pub(super) protocol: Real,
    /// The atomic copy of the phase.
    pub(super) flag: Seen,
    pub(super) generator: Generator,
    /// True if the generator's waker was called while it was polled, so it will be polled again.
    pub(super) called_again: bool,
    pub(super) waker_registered: bool,
    /// Calls of the waker that were decided on and haven't happened yet.
    pub(super) wakes: u8,
    /// Items left in the source, while there is a source.
    pub(super) source: Option<u64>,
    pub(super) queue: Vec<Batch>,
    /// Batches that wait until their results are taken.
    pub(super) parked: Vec<Batch>,
    /// Looks for a batch that may go on, which are decided on and haven't happened yet.
    pub(super) resumes: u8,
    /// It was stopped, and is about to queue what is parked.
    pub(super) unparks: bool,
    pub(super) workers: Vec<Worker>,
    /// Outcomes that have left a batch early, and that another thread is about to send.
    pub(super) early: Option<Outcomes>,
    /// Messages to the aggregator, which has ended after `Finish`.
    pub(super) mailbox: Vec<Mail>,
    pub(super) aggregator_is_gone: bool,
    /// Outcomes that arrived before those of earlier items.
    pub(super) held: Vec<Outcomes>,
    /// The first item and the part of what is due next.
    pub(super) next: (u64, u8),
    pub(super) chunks: Vec<Outcomes>,
    pub(super) consumer: Consumer,
    /// The results that the consumer got, in that order: twice the item's index for one that left while the item went
    /// on, and one more for its last.
    pub(super) delivered: Vec<u64>,
    /// One bit per item: set once it has begun.
    pub(super) begun: u64,
    pub(super) begun_twice: bool,
    /// After a stop: items that each worker began, and items that the source was asked for.
    pub(super) begun_late: Vec<u8>,
    pub(super) asked_late: u8,
}

/// A phase that can be hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Seen {
    Running,
    Draining,
    Stopped,
}

#[derive(Clone, Debug, PartialEq, Hash)]
pub(super) enum Generator {
    Waiting,
    Called,
    /// It has registered its waker, and reads the state next.
    Looking,
    /// It has read that the run goes on.
    Demanding,
    Pulling {
        demand: usize,
        pulled: usize,
        /// True if it has read that it may ask for the next item.
        may: bool,
    },
    /// It has pulled what it could, and hands it out next.
    Pulled {
        items: usize,
        then: Then,
    },
    Gone,
}

#[derive(Clone, Copy, Debug, PartialEq, Hash)]
pub(super) enum Then {
    Look,
    Wait,
    Drain,
}

#[derive(Clone, Copy, Debug, PartialEq, Hash)]
pub(super) struct Batch {
    pub(super) first: u64,
    pub(super) items: usize,
    /// Results of the first item that have left.
    pub(super) part: u8,
}

#[derive(Clone, Debug, PartialEq, Hash)]
#[allow(clippy::large_enum_variant, reason = "workers are seldom idle, and a box would be one more per state")]
pub(super) enum Worker {
    Idle,
    At(Running),
}

/// A batch at a worker. What of it is not in the portion, other threads may change.
#[derive(Clone, Debug, PartialEq, Hash)]
pub(super) struct Running {
    pub(super) life: BatchLife,
    pub(super) portion: Option<Portion>,
    /// One bit per item, from the first of `life` on: set if it failed.
    pub(super) failed: u64,
    /// Results of the first item of `life` that have left.
    pub(super) part: u8,
    /// What it has given back, and is about to park.
    pub(super) parking: Option<Batch>,
    /// With a flaw: results that left early, and will be sent again.
    pub(super) again: Vec<u64>,
}

/// What the worker has claimed: it is between two of these items, or in one.
#[derive(Clone, Debug, PartialEq, Hash)]
pub(super) struct Portion {
    pub(super) life: BatchLife,
    /// True if it has read that it may begin the next item.
    pub(super) may: bool,
}

#[derive(Clone, Debug, PartialEq, Hash)]
pub(super) enum Mail {
    Outcomes(Outcomes),
    Finish,
}

/// The outcomes of a batch, or of those of its items that left early: the first `ran` items ran, the rest were skipped.
#[derive(Clone, Debug, PartialEq, Hash)]
pub(super) struct Outcomes {
    pub(super) first: u64,
    /// The number of this part of the results of the first item. All parts but the last have no items.
    pub(super) part: u8,
    pub(super) ends: Ends,
    pub(super) ran: usize,
    pub(super) failed: u64,
    pub(super) again: Vec<u64>,
    /// True if its permits were released before the consumer took it.
    pub(super) released: bool,
}

impl Running {
    pub(super) fn of(Batch { first, items, part }: Batch) -> Self {
        let life = BatchLife::begin(first, items);
        Self { life, portion: None, failed: 0, part, parking: None, again: Vec::new() }
    }

    /// Items that have not begun and that the worker has not claimed.
    pub(super) fn unclaimed(&self) -> usize {
        self.life.left() - self.life.claimed()
    }

    /// The items of the portion that have not begun are unclaimed again.
    pub(super) fn merge(&mut self) {
        if let Some(Portion { life, .. }) = self.portion.take() {
            self.life.merge(life);
        }
    }
}

impl Outcomes {
    pub(super) fn items(&self) -> usize {
        self.ends.completed + self.ends.failed + self.ends.skipped
    }

    /// Of each item that has a last result, this: of failures, and of every other item that completed.
    pub(super) fn results(&self) -> impl Iterator<Item = u64> + '_ {
        let own = (0..self.ran as u64)
            .filter(|at| self.failed & (1 << at) != 0 || has_result(self.first + at))
            .map(|at| 2 * (self.first + at) + 1);
        let part = (self.items() == 0).then_some(2 * self.first);
        self.again.iter().copied().chain(part).chain(own)
    }
}

/// Returns false for an item that is filtered out, so that some batches yield nothing.
pub(super) fn has_result(index: u64) -> bool {
    index != 1
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Consumer {
    Reading,
    /// It dropped the stream.
    Left,
    /// It has seen the end.
    Ended,
}

impl State {
    pub(super) fn new(model: &Pipeline) -> Self {
        let batch = BatchSize::Fixed(model.batch);
        Self {
            protocol: Real(Protocol::new(model.workers, model.window, batch, 8)),
            flag: Seen::Running,
            generator: Generator::Called,
            called_again: false,
            waker_registered: false,
            wakes: 0,
            source: Some(model.items),
            queue: Vec::new(),
            parked: Vec::new(),
            resumes: 0,
            unparks: false,
            workers: vec![Worker::Idle; model.workers],
            early: None,
            mailbox: Vec::new(),
            aggregator_is_gone: false,
            held: Vec::new(),
            next: (0, 0),
            chunks: Vec::new(),
            consumer: Consumer::Reading,
            delivered: Vec::new(),
            begun: 0,
            begun_twice: false,
            begun_late: vec![0; model.workers],
            asked_late: 0,
        }
    }

    /// Items that were taken and have not ended.
    pub(super) fn on_their_way(&self) -> usize {
        let queued = self.queue.iter().chain(&self.parked).map(|batch| batch.items);
        let running = self.workers.iter().filter_map(|worker| match worker {
            Worker::Idle => None,
            Worker::At(running) => Some(running.life.items() + running.parking.map_or(0, |batch| batch.items)),
        });
        let mailed = self.mailbox.iter().filter_map(|mail| match mail {
            Mail::Finish => None,
            Mail::Outcomes(outcomes) => Some(outcomes.items()),
        });
        let rest = self.early.iter().chain(&self.held).chain(&self.chunks).map(Outcomes::items);
        queued.chain(running).chain(mailed).chain(rest).sum()
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.flag == Seen::Stopped
    }
}
