//! How worker threads serve a pipeline: its queue of batches, and what they do with one.

use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::sync::{Arc, OnceLock, PoisonError};
use std::time::Instant;

use actix::Recipient;

use crate::backend::Post;
use crate::engine::batch::Batch;
use crate::engine::batch_run::{BatchRun, EndedBatch, Part, Portion};
use crate::engine::chunk::Outcomes;
use crate::engine::credit::{BatchCredit, Credit, Parking};
use crate::engine::executor::{Executor, Factory};
use crate::engine::opening::Opening;
use crate::engine::reentrancy;
use crate::engine::run::Run;
use crate::error::PipelineError;
use crate::pipeline::intake::{Serves, SourceIntake};
use crate::protocol::{Phase, RunKey};
use crate::util::buffer_pool::BufferPool;
use crate::util::clock::CLOCK;
use crate::util::panic::discard;
use crate::util::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use crate::util::sync::{Mutex, MutexGuard};
use crate::work::turn::Turns;
use crate::work::{Outbox, Runner};
use crate::workers::set::{Member, QUANTUM, Running, Set, Thread};

/// The most items of a portion. Those that have not begun wait for the one that runs, and so do the results of those
/// that have ended: a few microseconds of work at most, as far as their cost is known.
const PORTION: usize = if cfg!(all(test, shuttle)) { 1 } else { 32 };

/// Items that take longer are claimed one by one: the lock that this takes per item costs some 20 ns.
const CLAIMED_ONE_BY_ONE: f64 = 1_000.0;

/// The expected work that is worth the wake-up of another thread.
const WORTH_A_WAKE_UP: f64 = if cfg!(all(test, shuttle)) { 0.0 } else { 100_000.0 };

/// The expected work that is worth being taken by a thread that is awake.
const WORTH_SHARING: f64 = if cfg!(all(test, shuttle)) { 0.0 } else { 50_000.0 };

/// An item that has run for so long, in nanoseconds by the coarse clock, is a long one, whatever was expected of it.
const LONG: u64 = 1_000_000;

/// What the workers of a pipeline share, whether they are threads or simulated. Their outcomes are sent to `A`.
pub(crate) struct Shared<I, W: Turns<I>, A = Recipient<Outcomes<<W as Turns<I>>::Output>>> {
    pub(crate) factory: Arc<Factory<W>>,
    /// True if other workers may take a part of a batch that runs, and its results may leave before it ends.
    pub(crate) divides: bool,
    /// Of the results that leave before their item has ended.
    pub(crate) credit: Arc<Credit>,
    /// True if the results of items that have ended count as well: an item has any number of them.
    pub(crate) counts_all: bool,
    pub(crate) aggregator: A,
    pub(crate) inputs: Arc<BufferPool<I>>,
    pub(crate) outputs: Arc<BufferPool<W::Output>>,
}

impl<I, W: Turns<I>, A: Post<Outcomes<W::Output>>> Shared<I, W, A> {
    /// Begins a batch; portions and `end` are to follow.
    pub(crate) fn begin(&self, executor: &Executor<W>, mut batch: Batch<I>, now: Instant) -> BatchRun<I, W::Output> {
        if self.counts_all {
            batch.credit.get_or_insert_with(|| self.credit.of_batch());
        }
        BatchRun::begin(executor, batch, self.outputs.get(), now)
    }

    /// Takes out what has ended, if there are results. To be [sent](Self::send).
    pub(crate) fn deliver(&self, running: &mut BatchRun<I, W::Output>) -> Leaving<I, W::Output> {
        let ended = if running.undelivered() > 0 { running.deliver(self.outputs.get()) } else { None };
        Leaving { ended, part: None, credit: running.credit().cloned() }
    }

    /// Sends results on. Without a consumer they are dropped here: not to be called under a lock. Returns true if there
    /// were any.
    pub(crate) fn send(&self, leaving: Leaving<I, W::Output>) -> bool {
        let Leaving { ended, part, credit } = leaving;
        let leaves = ended.is_some() || part.is_some();
        if let Some(ended) = ended {
            self.aggregator.post(self.outcomes(ended, credit.clone()));
        }
        if let Some(part) = part {
            self.aggregator.post(part.into_outcomes(&self.outputs, &self.credit, credit));
        }
        leaves
    }

    /// Returns true if a worker may take a part of a batch that another one runs.
    pub(crate) fn may_share(&self) -> bool {
        // Each part may have results of its own.
        self.divides && (!self.counts_all || self.credit.has_room())
    }

    /// How many results leave together, at the latest.
    pub(crate) fn chunk(&self) -> usize {
        if self.counts_all { self.credit.chunk() } else { usize::MAX }
    }

    /// Merges a portion that has run. If its last item was suspended, what has ended before that leaves, and a part of
    /// its results.
    pub(crate) fn settle(
        &self,
        running: &mut BatchRun<I, W::Output>,
        portion: &mut Portion<I, W::Output>,
    ) -> Leaving<I, W::Output> {
        let suspended = running.suspend(portion, || self.outputs.get());
        if suspended.is_none() {
            running.merge(portion);
        }
        let (ended, part) = suspended.unwrap_or_default();
        Leaving { ended, part, credit: running.credit().cloned() }
    }

    /// What has ended of a batch, as outcomes; `credit` is that of the batch if it goes on.
    fn outcomes(&self, ended: EndedBatch<I, W::Output>, credit: Option<Arc<BatchCredit>>) -> Outcomes<W::Output> {
        let mut outcomes = ended.into_outcomes(&self.inputs, &self.outputs);
        if self.counts_all {
            outcomes.chunk = outcomes.chunk.counted(&self.credit, credit);
        }
        outcomes
    }

    /// Ends the batch.
    pub(crate) fn end(&self, running: BatchRun<I, W::Output>, executor: &Executor<W>, now: Instant) {
        let outcomes = self.outcomes(running.end(executor, now), None);
        // All of its items may have left before, with their results or to other workers.
        if outcomes.items > 0 {
            // If the aggregator is gone, the outcomes are dropped here, which releases their permit.
            self.aggregator.post(outcomes);
        }
    }
}

/// Results that leave a batch which goes on: taken out under its lock, and sent afterwards.
pub(crate) struct Leaving<I, O> {
    ended: Option<EndedBatch<I, O>>,
    /// Of the item behind those.
    part: Option<Part<O>>,
    /// Of the batch.
    credit: Option<Arc<BatchCredit>>,
}

impl<I, O> Leaving<I, O> {
    fn nothing() -> Self {
        Self { ended: None, part: None, credit: None }
    }

    pub(crate) fn is_nothing(&self) -> bool {
        self.ended.is_none() && self.part.is_none()
    }
}

/// A pipeline as the worker threads serve it.
pub(crate) struct Stage<I, W: Turns<I>, A> {
    run: Run,
    set: Arc<Set>,
    key: OnceLock<RunKey>,
    queue: Mutex<Queue<I>>,
    opening: Opening<Arc<Shared<I, W, A>>>,
    /// True if each thread builds a work and keeps it: it has a state of its own.
    keeps: bool,
    /// True if not all threads may serve it at a time.
    is_limited: bool,
}

/// Batches that wait until results are taken, by the index of their first item.
pub(crate) type Parked<I> = BTreeMap<u64, (Batch<I>, Arc<BatchCredit>)>;

/// What no thread runs.
struct Queue<I> {
    batches: VecDeque<Batch<I>>,
    parked: Parked<I>,
}

/// Queues batches for the threads. Dropping it lets the pipeline retire.
pub(crate) struct StageQueue<I, W: Turns<I>, A>(Arc<Stage<I, W, A>>)
where
    I: Send + 'static,
    A: Post<Outcomes<W::Output>> + Send + Sync + 'static;

impl<I, W, A> Stage<I, W, A>
where
    I: Send + 'static,
    W: Turns<I>,
    A: Post<Outcomes<W::Output>> + Send + Sync + 'static,
{
    /// Joins the set. `keeps`: each thread keeps a work of its own, and builds it at once if `prepares`.
    pub(crate) fn join(
        intake: &Arc<SourceIntake>,
        set: &Arc<Set>,
        concurrency: usize,
        shared: Shared<I, W, A>,
        keeps: bool,
        prepares: bool,
    ) -> StageQueue<I, W, A> {
        let run = intake.run();
        let credit = Arc::clone(&shared.credit);
        let stage = Arc::new(Self {
            opening: Opening::new(&run, Arc::new(shared)),
            run,
            set: Arc::clone(set),
            key: OnceLock::new(),
            queue: Mutex::new(Queue { batches: VecDeque::new(), parked: BTreeMap::new() }),
            keeps,
            is_limited: concurrency < set.threads(),
        });
        let key = set.join(concurrency, keeps && prepares, Arc::clone(&stage) as Arc<dyn Member>);
        stage.key.set(key).expect("it joins once");
        credit.park_at(Arc::downgrade(&(Arc::clone(&stage) as Arc<dyn Parking>)));
        intake.is_served_by(Arc::clone(set), Arc::downgrade(&(Arc::clone(&stage) as Arc<dyn Serves>)));
        StageQueue(stage)
    }

    fn queue(&self) -> MutexGuard<'_, Queue<I>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn key(&self) -> RunKey {
        *self.key.get().expect("it was set when it joined")
    }

    /// Something was queued; wakes up to `threads` threads.
    fn push(&self, key: RunKey, threads: usize) {
        if !self.set.push(key, threads) {
            // It was stopped meanwhile, and no thread will come. The permits skip the items.
            let batches = mem::take(&mut self.queue().batches);
            drop(batches);
        }
    }

    /// What this thread needs to run items: what it has kept, or something new. `None` once the pipeline has retired.
    #[allow(clippy::type_complexity, reason = "two values, used at once")]
    fn executor(&self, key: RunKey, thread: &mut Thread) -> Option<(Arc<Shared<I, W, A>>, Box<Executor<W>>)> {
        if let Some(executor) = thread.take_seat(key) {
            return Some((self.opening.get()?, executor));
        }
        let entered = self.opening.enter()?;
        if self.keeps && !thread.sit_down(key) {
            // It left before this thread prepared its work.
            discard(entered);
            return None;
        }
        let (shared, guard) = entered;
        let executor = Box::new(Executor::new(thread.id(), Arc::clone(&shared.factory), guard));
        Some((shared, executor))
    }

    fn run_batch(
        self: &Arc<Self>,
        batch: Batch<I>,
        key: RunKey,
        shared: &Arc<Shared<I, W, A>>,
        executor: &mut Executor<W>,
        thread: &mut Thread,
    ) {
        let began = Instant::now();
        let per_item = batch.expected_nanos;
        let running = shared.begin(executor, batch, began);
        // Otherwise there is nothing that another thread could take.
        let divides = shared.divides && running.unclaimed() >= 2;
        let divided = Arc::new(DividedBatch {
            stage: Arc::clone(self),
            shared: Arc::clone(shared),
            key,
            per_item,
            divides,
            unclaimed: AtomicUsize::new(running.unclaimed()),
            claimed_at: AtomicU64::new(CLOCK.coarse()),
            has_results: AtomicUsize::new(0),
            running: Mutex::new(Some(running)),
        });
        if divides {
            thread.publish(Arc::clone(&divided) as Arc<dyn Running>);
        }
        // Once it is published: the clock goes on while it finds a batch, and might end before it can find this one.
        // Its thread would not be one of shuttle's.
        if (divides || shared.counts_all) && !cfg!(all(test, shuttle)) && !CLOCK.serves(began) {
            CLOCK.start(began);
        }
        divided.run(executor, thread, began);
        if divides {
            thread.retract();
        }
        let running = divided.lock().take().expect("only this takes it");
        shared.end(running, executor, Instant::now());
    }
}

impl<I, W, A> Member for Stage<I, W, A>
where
    I: Send + 'static,
    W: Turns<I>,
    A: Post<Outcomes<W::Output>> + Send + Sync + 'static,
{
    fn serve(self: Arc<Self>, key: RunKey, thread: &mut Thread) -> bool {
        let Some(batch) = self.queue().batches.pop_front() else { return false };
        let _entered = reentrancy::enter(self.run.id());
        // It retires after its last batch.
        let Some((shared, mut executor)) = self.executor(key, thread) else { return true };
        self.run_batch(batch, key, &shared, &mut executor, thread);
        if self.keeps {
            thread.keep_seat(key, executor);
        }
        true
    }

    fn prepare(self: Arc<Self>, key: RunKey, thread: &mut Thread) {
        let _entered = reentrancy::enter(self.run.id());
        let Some((_, mut executor)) = self.executor(key, thread) else { return };
        // If that fails, the run has ended.
        let _ = executor.prepare();
        thread.keep_seat(key, executor);
    }

    fn retire(&self) {
        self.opening.close();
    }

    fn refuse(&self, error: &PipelineError) {
        self.run.fail(error.clone(), Phase::Stopped);
    }
}

impl<I, W, A> Post<Batch<I>> for StageQueue<I, W, A>
where
    I: Send + 'static,
    W: Turns<I>,
    A: Post<Outcomes<W::Output>> + Send + Sync + 'static,
{
    fn post(&self, batch: Batch<I>) {
        let Self(stage) = self;
        let items = batch.inputs.len();
        // Those that come awake for nothing go to sleep again.
        let threads = (batch.expected_nanos * items as f64 / WORTH_A_WAKE_UP) as usize;
        stage.queue().batches.push_back(batch);
        stage.push(stage.key(), threads.clamp(1, items.max(1)));
    }
}

impl<I, W, A> Drop for StageQueue<I, W, A>
where
    I: Send + 'static,
    W: Turns<I>,
    A: Post<Outcomes<W::Output>> + Send + Sync + 'static,
{
    fn drop(&mut self) {
        self.0.set.leave(self.0.key());
    }
}

/// A batch that is run by one thread, and of which others may take a part.
struct DividedBatch<I: Send + 'static, W: Turns<I>, A> {
    stage: Arc<Stage<I, W, A>>,
    shared: Arc<Shared<I, W, A>>,
    key: RunKey,
    /// The expected time per item, in nanoseconds.
    per_item: f64,
    /// True if others may.
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
    fn lock(&self) -> MutexGuard<'_, Option<BatchRun<I, W::Output>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs it to its end, or until another run is to be served, or results are to be taken first: then what has not
    /// begun is queued or parked.
    fn run(&self, executor: &mut Executor<W>, thread: &mut Thread, began: Instant) {
        let (set, shared) = (Arc::clone(thread.set()), &*self.shared);
        let most = match () {
            () if !self.divides => usize::MAX,
            () if self.per_item >= CLAIMED_ONE_BY_ONE => 1,
            () => PORTION,
        };
        let chunk = shared.chunk();
        let mut size = most;
        let mut portion = Portion::new();
        // What came of the portion that has run, and whether another run is to be served.
        let mut ran: Option<(bool, bool)> = None;
        let mut asked_at = began;
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
                let rest = if yields { batch.give_back() } else { None };
                if rest.is_some() || !goes_on {
                    drop(running);
                    self.unclaimed.store(0, Relaxed);
                    shared.send(leaving);
                    rest.into_iter().for_each(|rest| self.queue_first(rest));
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
            if self.divides && has_idle && unclaimed as f64 * self.per_item >= WORTH_A_WAKE_UP && !self.stage.is_limited
            {
                set.offer(self.key);
            }
            let claimed = portion.len();
            let due = if self.divides { now + LONG } else { u64::MAX };
            let goes_on = portion.run(executor, due, self);
            if waiting == 0.0 {
                since = now;
            }
            waiting += claimed as f64 * self.per_item;
            // An item that took long makes the next portion a single item, and each that did not, twice as large.
            size = if CLOCK.has_reached(now + LONG) { 1 } else { size.saturating_mul(2).min(most) };
            ran = Some((goes_on, goes_on && self.is_to_yield(&mut asked_at, thread)));
        }
    }

    /// Parks what has not begun, until results are taken. Returns false if there is nothing.
    fn park(&self, credit: Arc<BatchCredit>) -> bool {
        let rest = self.lock().as_mut().and_then(BatchRun::give_back);
        self.unclaimed.store(0, Relaxed);
        let Some(rest) = rest else { return false };
        let mut queue = self.stage.queue();
        // Under the lock: results that are taken after this look find the batch parked, and so does a stop.
        if credit.may_go_on() || self.stage.run.state.is_stopped() {
            queue.batches.push_front(rest);
            drop(queue);
            self.stage.push(self.key, 0);
        } else {
            queue.parked.insert(rest.first, (rest, credit));
        }
        true
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

    fn queue_first(&self, batch: Batch<I>) {
        self.stage.queue().batches.push_front(batch);
        // No thread is woken: the one that queued it looks for something to do now.
        self.stage.push(self.key, 0);
    }
}

impl<I, W, A> Running for DividedBatch<I, W, A>
where
    I: Send + 'static,
    W: Turns<I>,
    A: Post<Outcomes<W::Output>> + Send + Sync + 'static,
{
    fn key(&self) -> RunKey {
        self.key
    }

    fn is_worth_sharing(&self, now: u64) -> bool {
        let unclaimed = self.unclaimed.load(Relaxed);
        let is_stuck = || now.saturating_sub(self.claimed_at.load(Relaxed)) >= LONG;
        unclaimed > 0 && self.shared.may_share() && (unclaimed as f64 * self.per_item >= WORTH_SHARING || is_stuck())
    }

    fn share(&self) -> bool {
        let mut running = self.lock();
        let Some(batch) = running.as_mut() else { return false };
        let shared = batch.share();
        self.unclaimed.store(batch.unclaimed(), Relaxed);
        drop(running);
        let Some(shared) = shared else { return false };
        self.queue_first(shared);
        true
    }

    fn is_overdue(&self, now: u64) -> bool {
        self.has_results.load(Relaxed) > 0 && now.saturating_sub(self.claimed_at.load(Relaxed)) >= LONG
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
        let mut running = self.lock();
        let batch = running.as_mut().expect("its item runs");
        let mut leaving = self.shared.deliver(batch);
        leaving.part = Some(batch.flush(outbox, outputs.get()));
        self.has_results.store(0, Relaxed);
        drop(running);
        self.shared.send(leaving);
    }
}

impl<I, W, A> Parking for Stage<I, W, A>
where
    I: Send + 'static,
    W: Turns<I>,
    A: Post<Outcomes<W::Output>> + Send + Sync + 'static,
{
    fn resume(&self) {
        self.run.results_taken();
        let mut queue = self.queue();
        let Some(first) = queue.parked.iter().find_map(|(first, (_, credit))| credit.may_go_on().then_some(*first))
        else {
            return;
        };
        let (batch, _) = queue.parked.remove(&first).expect("it was just seen");
        queue.batches.push_front(batch);
        drop(queue);
        self.push(self.key(), 1);
    }
}

impl<I, W, A> Serves for Stage<I, W, A>
where
    I: Send + 'static,
    W: Turns<I>,
    A: Post<Outcomes<W::Output>> + Send + Sync + 'static,
{
    fn stop(&self) {
        let mut queue = self.queue();
        let parked = mem::take(&mut queue.parked);
        let items = parked.len();
        queue.batches.extend(parked.into_values().map(|(batch, _)| batch));
        drop(queue);
        if items > 0 {
            // The threads skip and drop them.
            self.push(self.key(), items);
        }
        self.set.leave(self.key());
    }
}
