//! How worker threads serve a pipeline: its queue of batches, and where they wait until results are taken.

use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::sync::{Arc, OnceLock, PoisonError};

use crate::backend::Post;
use crate::engine::batch::Batch;
use crate::engine::chunk::Outcomes;
use crate::engine::credit::{BatchCredit, Credit, Parking};
use crate::engine::executor::Executor;
use crate::engine::opening::Opening;
use crate::engine::reentrancy;
use crate::engine::run::Run;
use crate::error::PipelineError;
use crate::pipeline::divided_batch::{DividedBatch, WORTH_A_WAKE_UP};
use crate::pipeline::intake::{Serves, SourceIntake};
use crate::pipeline::worker::Shared;
use crate::protocol::{Phase, RunKey};
use crate::util::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use crate::util::sync::{Mutex, MutexGuard};
use crate::work::turn::Turns;
use crate::workers::set::{Member, Set, Thread};

/// A pipeline as the worker threads serve it.
pub(crate) struct Stage<I, W: Turns<I>, A> {
    run: Run,
    set: Arc<Set>,
    key: OnceLock<RunKey>,
    queue: Mutex<Queue<I>>,
    opening: Opening<Arc<Shared<I, W, A>>>,
    /// True if each thread builds a work and keeps it: it has a state of its own.
    keeps: bool,
    credit: Arc<Credit>,
    /// True if not all threads may serve it at a time. `Relaxed` suffices: it saves questions to the set, which knows.
    is_limited: AtomicBool,
    /// Rises when that changes, so that threads ask whether they are too many.
    limited: AtomicU64,
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
            is_limited: AtomicBool::new(concurrency < set.threads()),
            limited: AtomicU64::new(0),
            credit: Arc::clone(&credit),
        });
        let key = set.join(concurrency, keeps && prepares, Arc::clone(&stage) as Arc<dyn Member>);
        stage.key.set(key).expect("it joins once");
        credit.park_at(Arc::downgrade(&(Arc::clone(&stage) as Arc<dyn Parking>)));
        intake.is_served_by(Some(Arc::clone(set)), Arc::downgrade(&(Arc::clone(&stage) as Arc<dyn Serves>)));
        StageQueue(stage)
    }

    fn queue(&self) -> MutexGuard<'_, Queue<I>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn run(&self) -> &Run {
        &self.run
    }

    pub(super) fn key(&self) -> RunKey {
        *self.key.get().expect("it was set when it joined")
    }

    /// Something was queued; wakes up to `threads` threads.
    fn push(&self, threads: usize) {
        if !self.set.push(self.key(), threads) {
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
        let (shared, guard) = thread.enter(&self.opening, key, self.keeps)?;
        let executor = Box::new(Executor::new(thread.id(), Arc::clone(&shared.factory), guard));
        Some((shared, executor))
    }

    /// Queues items that were given back, before all others.
    pub(super) fn queue_first(&self, batch: Batch<I>) {
        self.queue().batches.push_front(batch);
        // No thread is woken: the one that queued it looks for something to do now.
        self.push(0);
    }

    /// Keeps what is left of a batch until results are taken.
    pub(super) fn park(&self, mut rest: Batch<I>, credit: Arc<BatchCredit>) {
        let mut queue = self.queue();
        // Under the lock: results that are taken after this look find the batch parked, and so does a stop.
        if credit.may_go_on() || self.run.state.is_stopped() {
            drop(queue);
            self.queue_first(rest);
        } else {
            rest.permit.park();
            queue.parked.insert(rest.first, (rest, credit));
        }
    }

    /// Returns true if not all threads may serve it at a time.
    pub(super) fn is_limited(&self) -> bool {
        self.is_limited.load(Relaxed)
    }

    /// Rises when the concurrency changes: see [`Thread::is_crowded`].
    #[inline]
    pub(super) fn limited(&self) -> &AtomicU64 {
        &self.limited
    }
}

impl<I, W, A> Member for Stage<I, W, A>
where
    I: Send + 'static,
    W: Turns<I>,
    A: Post<Outcomes<W::Output>> + Send + Sync + 'static,
{
    fn serve(self: Arc<Self>, key: RunKey, thread: &mut Thread) -> bool {
        if thread.is_crowded(&self.limited) {
            // The concurrency was lowered after the set had picked the pipeline. The other threads go on with it.
            return true;
        }
        let Some(batch) = self.queue().batches.pop_front() else { return false };
        let _entered = reentrancy::enter(self.run.id());
        // It retires after its last batch.
        let Some((shared, mut executor)) = self.executor(key, thread) else { return true };
        DividedBatch::run_batch(&self, batch, &shared, &mut executor, thread);
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
        stage.push(threads.clamp(1, items.max(1)));
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
        let (mut batch, _) = queue.parked.remove(&first).expect("it was just seen");
        batch.permit.unpark();
        queue.batches.push_front(batch);
        drop(queue);
        self.push(1);
    }
}

impl<I, W, A> Serves for Stage<I, W, A>
where
    I: Send + 'static,
    W: Turns<I>,
    A: Post<Outcomes<W::Output>> + Send + Sync + 'static,
{
    fn set_window(&self, window: usize) {
        self.credit.set_most(window);
    }

    fn resume(&self) {
        let mut queue = self.queue();
        let parked = mem::take(&mut queue.parked).into_iter();
        let (go_on, stay): (Vec<_>, Vec<_>) = parked.partition(|(_, (_, credit))| credit.may_go_on());
        queue.parked = stay.into_iter().collect();
        let batches = go_on.len();
        // In their order, before all others.
        for (_, (mut batch, _)) in go_on.into_iter().rev() {
            batch.permit.unpark();
            queue.batches.push_front(batch);
        }
        drop(queue);
        if batches > 0 {
            self.push(batches);
        }
    }

    fn set_concurrency(&self, concurrency: usize) {
        self.set.set_concurrency(self.key(), concurrency);
        self.is_limited.store(concurrency < self.set.threads(), Relaxed);
        // Last: a thread that sees this asks the set, which knows by then.
        self.limited.fetch_add(1, SeqCst);
    }

    fn stop(&self) {
        let mut queue = self.queue();
        let parked = mem::take(&mut queue.parked);
        let items = parked.len();
        queue.batches.extend(parked.into_values().map(|(mut batch, _)| {
            batch.permit.unpark();
            batch
        }));
        drop(queue);
        if items > 0 {
            // The threads skip and drop them.
            self.push(items);
        }
        self.set.leave(self.key());
    }
}
