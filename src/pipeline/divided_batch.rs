//! A batch that is run by one thread, while others may take a part of it, and send its results on.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use crate::backend::Post;
use crate::engine::batch::Batch;
use crate::engine::batch_run::{BatchRun, Portion};
use crate::engine::chunk::Outcomes;
use crate::engine::credit::BatchCredit;
use crate::engine::executor::Executor;
use crate::observe::Portions;
use crate::pipeline::stage::Stage;
use crate::pipeline::worker::{Leaving, Shared};
use crate::protocol::RunKey;
use crate::util::clock::CLOCK;
use crate::util::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use crate::util::sync::{Mutex, MutexGuard};
use crate::work::turn::Turns;
use crate::work::{Outbox, Runner};
use crate::workers::set::{QUANTUM, Running, Thread};

/// The most items of a portion. Those that have not begun wait for the one that runs, and so do the results of those
/// that have ended: a few microseconds of work at most, as far as their cost is known.
const PORTION: usize = if cfg!(all(test, shuttle)) { 1 } else { 32 };

/// The expected work of a portion of more than one item, in nanoseconds. To claim a portion costs some 60 ns.
const CLAIMED_WORK: f64 = 8_000.0;

/// The expected work that is worth the wake-up of another thread.
pub(super) const WORTH_A_WAKE_UP: f64 = if cfg!(all(test, shuttle)) { 0.0 } else { 100_000.0 };

/// The expected work that is worth being taken by a thread that is awake.
const WORTH_SHARING: f64 = if cfg!(all(test, shuttle)) { 0.0 } else { 50_000.0 };

/// An item that has run for so long, in nanoseconds by the coarse clock, is a long one, whatever was expected of it. Two
/// ticks: each item that runs at a tick seems to have begun at the last one.
const LONG: u64 = 2_000_000;

/// A batch that is run by one thread, and of which others may take a part.
pub(super) struct DividedBatch<I: Send + 'static, W: Turns<I>, A> {
    stage: Arc<Stage<I, W, A>>,
    shared: Arc<Shared<I, W, A>>,
    /// The expected time per item, in nanoseconds.
    per_item: f64,
    /// True if others may take a part.
    divides: bool,
    /// `None` once it has ended.
    running: Mutex<Option<BatchRun<I, W::Output>>>,
    /// Copies for threads that only look. `Relaxed` suffices: what they do then is decided under the lock.
    unclaimed: AtomicUsize,
    has_results: AtomicUsize,
    /// When the portion that runs was claimed, by the coarse clock.
    claimed_at: AtomicU64,
}

impl<I, W, A> DividedBatch<I, W, A>
where
    I: Send + 'static,
    W: Turns<I>,
    A: Post<Outcomes<W::Output>> + Send + Sync + 'static,
{
    /// Runs a batch on this thread: to its end, or until another run is to be served, or results are to be taken first.
    pub(super) fn run_batch(
        stage: &Arc<Stage<I, W, A>>,
        batch: Batch<I>,
        shared: &Arc<Shared<I, W, A>>,
        executor: &mut Executor<W>,
        thread: &mut Thread,
    ) {
        let began = Instant::now();
        let per_item = batch.expected_nanos;
        let (first, items, queued_at) = (batch.first, batch.inputs.len(), batch.queued_at);
        let running = shared.begin(executor, batch, began);
        // Otherwise there is nothing that another thread could take.
        let has_several = running.unclaimed() >= 2;
        let divides = shared.divides && has_several;
        let divided = Arc::new(Self {
            stage: Arc::clone(stage),
            shared: Arc::clone(shared),
            per_item,
            divides,
            unclaimed: AtomicUsize::new(running.unclaimed()),
            claimed_at: AtomicU64::new(CLOCK.coarse()),
            has_results: AtomicUsize::new(0),
            running: Mutex::new(Some(running)),
        });
        if has_several {
            // Also where no other thread may take a part: the clock goes on, and tells how long the current item has run.
            thread.publish(Arc::clone(&divided) as Arc<dyn Running>);
        }
        // Once it is published: the clock goes on while it finds a batch, and might end before it can find this one.
        // Its thread would not be one of shuttle's.
        if (has_several || shared.counts_all) && !cfg!(all(test, shuttle)) && !CLOCK.serves(began) {
            CLOCK.start(began);
        }
        // Failures of the source alone are no stretch.
        match executor.owner().observed().filter(|_| items > 0) {
            None => divided.run(executor, thread, began, None),
            Some(observed) => observed
                .batch()
                .begin(executor.id(), first, items, queued_at, began)
                .run(|portions| divided.run(executor, thread, began, Some(portions))),
        }
        if has_several {
            thread.retract();
        }
        let running = divided.lock().take().expect("only this takes it");
        shared.end(running, executor, Instant::now());
    }

    fn lock(&self) -> MutexGuard<'_, Option<BatchRun<I, W::Output>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs it to its end, or until another run is to be served, or results are to be taken first: then what has not
    /// begun is queued or parked.
    fn run(
        &self,
        executor: &mut Executor<W>,
        thread: &mut Thread,
        began: Instant,
        mut portions: Option<&mut Portions<'_>>,
    ) {
        let (set, shared) = (Arc::clone(thread.set()), &*self.shared);
        let most = match () {
            () if portions.as_ref().is_some_and(|portions| portions.are_items()) => 1,
            () if !self.divides => usize::MAX,
            () => ((CLAIMED_WORK / self.per_item.max(1.0)) as usize).clamp(1, PORTION),
        };
        let chunk = shared.chunk();
        let mut size = most;
        let mut portion = Portion::new();
        // What came of the portion that has run, and whether another run is to be served.
        let mut ran: Option<(bool, bool)> = None;
        let mut asked_at = began;
        // Since when the item of the next portion runs, if it has one and that is measured by itself: one that is expected to
        // take some microseconds, and the next one after a long one. To read the exact time costs some tens of nanoseconds.
        let mut alone_since = (most == 1).then_some(began);
        let mut took: Option<Duration> = None;
        // When the oldest results came that have not left, by the coarse clock; and their expected time.
        let (mut since, mut waiting) = (0, 0.0);
        loop {
            let has_idle = set.has_idle();
            let now = CLOCK.coarse();
            let mut running = self.lock();
            let batch = running.as_mut().expect("it has not ended");
            let mut leaving = Leaving::nothing();
            if let Some((goes_on, yields)) = ran.take() {
                leaving = shared.settle(batch, &mut portion);
                if let Some(took) = took.take() {
                    batch.item_ran(&self.stage.run().metrics, took);
                }
                let rest = if yields { batch.give_back() } else { None };
                if rest.is_some() || !goes_on {
                    drop(running);
                    self.unclaimed.store(0, Relaxed);
                    shared.send(leaving);
                    rest.into_iter().for_each(|rest| self.stage.queue_first(rest));
                    return;
                }
            }
            let undelivered = batch.undelivered();
            let is_due = undelivered >= chunk
                || undelivered > 0
                    && batch.unclaimed() > 0
                    && (now - since >= LONG || has_idle && waiting >= WORTH_A_WAKE_UP);
            if is_due {
                leaving = shared.deliver(batch);
            }
            if !leaving.is_nothing() {
                (since, waiting) = (now, 0.0);
            }
            if !leaving.is_nothing() && shared.counts_all {
                let credit = batch.credit().cloned();
                self.has_results.store(0, Relaxed);
                drop(running);
                shared.send(leaving);
                if credit.is_none_or(|credit| credit.may_go_on() || !self.park(credit)) {
                    continue;
                }
                return;
            }
            let goes_on = batch.claim(size, &mut portion);
            let unclaimed = batch.unclaimed();
            self.has_results.store(batch.undelivered(), Relaxed);
            drop(running);
            self.unclaimed.store(unclaimed, Relaxed);
            self.claimed_at.store(now, Relaxed);
            shared.send(leaving);
            if !goes_on {
                return;
            }
            if self.divides
                && has_idle
                && unclaimed as f64 * self.per_item >= WORTH_A_WAKE_UP
                && !self.stage.is_limited()
            {
                set.offer(self.stage.key());
            }
            let claimed = portion.len();
            let due = if self.divides { now + LONG } else { u64::MAX };
            let goes_on = match &mut portions {
                None => portion.run(executor, due, self),
                Some(portions) => portions.run(&mut portion, |portion| portion.run(executor, due, self)),
            };
            if waiting == 0.0 {
                since = now;
            }
            waiting += claimed as f64 * self.per_item;
            // An item that took long makes the next portion a single item, and each that did not, twice as large.
            let was_long = CLOCK.has_reached(now + LONG);
            if portion.len() < claimed && (alone_since.is_some() || was_long && self.divides) {
                let ended = Instant::now();
                // Of several items the last one was the long one. When it began is known by the coarse clock.
                took = Some(match alone_since {
                    Some(since) => ended - since,
                    None => Duration::from_nanos(CLOCK.coarse() - now).min(ended - began),
                });
                alone_since = Some(ended);
            }
            size = if was_long { 1 } else { size.saturating_mul(2).min(most) };
            alone_since = alone_since.filter(|_| size == 1);
            let yields =
                goes_on && (thread.is_crowded(self.stage.limited()) || self.is_to_yield(&mut asked_at, thread));
            ran = Some((goes_on, yields));
        }
    }

    /// Parks what has not begun, until results are taken. Returns false if there is nothing.
    fn park(&self, credit: Arc<BatchCredit>) -> bool {
        let rest = self.lock().as_mut().and_then(BatchRun::give_back);
        self.unclaimed.store(0, Relaxed);
        let Some(rest) = rest else { return false };
        self.stage.park(rest, credit);
        true
    }

    /// Returns true if the portion that runs was claimed long ago.
    fn runs_long(&self, now: u64) -> bool {
        now.saturating_sub(self.claimed_at.load(Relaxed)) >= LONG
    }

    /// Returns true if the thread has run this for its quantum, and another run should be served. The exact time is
    /// read where items take long enough.
    fn is_to_yield(&self, asked_at: &mut Instant, thread: &mut Thread) -> bool {
        if !CLOCK.has_reached(self.claimed_at.load(Relaxed) + 1) {
            return false;
        }
        let now = Instant::now();
        if now - *asked_at < QUANTUM {
            return false;
        }
        *asked_at = now;
        CLOCK.serves(now);
        thread.is_contended()
    }
}

impl<I, W, A> Running for DividedBatch<I, W, A>
where
    I: Send + 'static,
    W: Turns<I>,
    A: Post<Outcomes<W::Output>> + Send + Sync + 'static,
{
    fn key(&self) -> RunKey {
        self.stage.key()
    }

    fn is_worth_sharing(&self, now: u64) -> bool {
        let unclaimed = self.unclaimed.load(Relaxed);
        let is_worth_it = || unclaimed as f64 * self.per_item >= WORTH_SHARING || self.runs_long(now);
        unclaimed > 0 && self.shared.may_share() && is_worth_it()
    }

    fn share(&self) -> bool {
        let mut running = self.lock();
        let Some(batch) = running.as_mut() else { return false };
        let shared = batch.share();
        self.unclaimed.store(batch.unclaimed(), Relaxed);
        drop(running);
        let Some(shared) = shared else { return false };
        self.stage.queue_first(shared);
        true
    }

    fn is_overdue(&self, now: u64) -> bool {
        self.divides && self.has_results.load(Relaxed) > 0 && self.runs_long(now)
    }

    fn deliver(&self) {
        let mut running = self.lock();
        let leaving = running.as_mut().map(|batch| {
            self.has_results.store(0, Relaxed);
            self.shared.deliver(batch)
        });
        drop(running);
        leaving.into_iter().for_each(|leaving| _ = self.shared.send(leaving));
    }
}

impl<I, W, A> Runner<W::Output> for DividedBatch<I, W, A>
where
    I: Send + 'static,
    W: Turns<I>,
    A: Post<Outcomes<W::Output>> + Send + Sync + 'static,
{
    /// In a pipeline, nothing waits for a single item.
    #[inline]
    fn is_cancelled(&self) -> bool {
        false
    }

    fn flush(&self, outbox: &mut Outbox<W::Output>) {
        let Shared { credit, outputs, .. } = &*self.shared;
        if !credit.has_room() {
            return;
        }
        if let Some(observed) = self.stage.run().observed() {
            // They leave before the portion has run.
            outbox.failures.iter().for_each(|(_, error)| observed.failed(error));
        }
        let mut running = self.lock();
        let batch = running.as_mut().expect("its item runs");
        let mut leaving = self.shared.deliver(batch);
        leaving.part = Some(batch.flush(outbox, outputs.get()));
        self.has_results.store(0, Relaxed);
        drop(running);
        self.shared.send(leaving);
    }
}
