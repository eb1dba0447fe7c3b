//! How worker threads serve a pipeline: its queue of batches, and where they wait until results are taken.

use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::sync::{Arc, OnceLock, PoisonError};

use crate::backend::Post;
use crate::engine::batch::Batch;
use crate::engine::chunk::Outcomes;
use crate::engine::credit::{BatchCredit, Parking};
use crate::engine::executor::Executor;
use crate::engine::opening::Opening;
use crate::engine::reentrancy;
use crate::engine::run::Run;
use crate::error::PipelineError;
use crate::pipeline::divided_batch::{DividedBatch, WORTH_A_WAKE_UP};
use crate::pipeline::intake::{Serves, SourceIntake};
use crate::pipeline::worker::Shared;
use crate::protocol::{Phase, RunKey};
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
        self.is_limited
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
