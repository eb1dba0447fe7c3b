//! The life of a batch at a worker: begin, step, give back, end.
//!
//! This is the only place where items are run. The workers of pipelines and of pools call it, and so do those of a
//! simulation and of the thread-order tests. All decisions on the way are made by [`BatchLife`], which the model in
//! `../protocol/model` explores.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::time::Instant;

use crate::engine::batch::{Batch, Inputs, Passed};
use crate::engine::chunk::{Chunk, Outcomes};
use crate::engine::executor::Executor;
use crate::engine::permit::Permit;
use crate::engine::state::State;
use crate::error::{BoxError, ItemError, Stopped};
use crate::protocol::{BatchEnd, BatchLife, ItemEnd, SkipReason};
use crate::util::buffer_pool::BufferPool;
use crate::util::log;
use crate::util::panic::discard_all;
use crate::util::time_slice::{Grant, TimeSlice};
use crate::work::{Cancel, Job, Work};

/// A batch from the moment a worker took it to the moment its outcomes are sent on.
#[must_use = "a batch that was begun must be ended, or its worker counts as busy forever"]
pub(crate) struct BatchRun<I, O> {
    life: BatchLife,
    inputs: Inputs<I>,
    passed: Passed,
    permit: Permit,
    began: Instant,
    outputs: Vec<O>,
    /// Each with the number of outputs before it.
    failures: VecDeque<(usize, ItemError)>,
    /// How many outputs there were before the item that runs. Those after them are dropped if it fails or is skipped.
    mark: usize,
}

/// A batch that has ended.
pub(crate) struct EndedBatch<I, O> {
    first: u64,
    /// Items that have not begun and were not given back.
    pub(crate) unbegun: Inputs<I>,
    pub(crate) outputs: Vec<O>,
    pub(crate) failures: VecDeque<(usize, ItemError)>,
    pub(crate) permit: Permit,
}

impl<I, O: 'static> BatchRun<I, O> {
    /// Begins a batch, at `now` by the worker's clock. Its results go into `outputs`, which is empty.
    pub(crate) fn begin<W>(executor: &Executor<W>, batch: Batch<I>, outputs: Vec<O>, now: Instant) -> Self {
        executor.owner().metrics.batch_began(executor.id(), now);
        let Batch { first, inputs, passed, permit } = batch;
        let life = BatchLife::begin(first, inputs.len() + passed.len());
        Self { life, inputs, passed, permit, began: now, outputs, failures: VecDeque::new(), mark: 0 }
    }

    /// Runs as many items as `slice` grants, at least one. Returns false, without having run any, if none is left, the
    /// items are cancelled, no `Work` can be built, or the slice is spent. `waiter` is what waits for these items
    /// alone.
    #[inline]
    pub(crate) fn step<W, C>(&mut self, executor: &mut Executor<W>, slice: &mut TimeSlice, waiter: &C) -> bool
    where
        W: Work<I, Output = O>,
        C: Cancel,
    {
        self.pass_due();
        if self.inputs.len() == 0 || slice.is_spent() || !executor.prepare() {
            return false;
        }
        let begun = self.life.begun();
        let until_passed = self.passed.front().map_or(self.inputs.len(), |(before, _)| before - begun);
        let mut grant = slice.grant(until_passed - 1);
        // And the step that `is_spent` has counted.
        grant.steps += 1;
        let ran = executor.lend(|work, state| self.run_items(grant, work, &Cancelled { state, waiter }));
        if let Err(message) = ran {
            let index = self.life.current_index();
            log::warn!("item {index} panicked, the work of worker {} is rebuilt: {message}", executor.id());
            self.fail(ItemError::panicked(index, message));
            self.life.item_ended(ItemEnd::Failed);
        }
        self.life.begun() > begun
    }

    /// Runs the work on as many items as `grant` allows.
    #[inline]
    fn run_items<W, C>(&mut self, grant: Grant, work: &mut W, cancel: &C)
    where
        W: Work<I, Output = O>,
        C: Cancel,
    {
        let mut hot = Hot::new(self);
        for _ in 0..grant.steps {
            // Asked here directly, though the item can ask the same through its job: a call through a vtable for each
            // item would cost as much as all the rest of the loop.
            if hot.life.may_begin(cancel.is_cancelled()).is_err() {
                return;
            }
            let Some(input) = hot.inputs.pop_front() else { return };
            hot.mark = hot.run.outputs.len();
            // Before the work is called: if it panics, the item has begun, and `step` ends it.
            let index = hot.life.item_began();
            let end = match work.run(input, &mut Job::new(&mut hot.run.outputs, cancel, index)) {
                Ok(()) => ItemEnd::Done,
                Err(error) => hot.run.returned_error(hot.mark, index, error, cancel.is_cancelled()),
            };
            hot.life.item_ended(end);
            if grant.has_expired() {
                return;
            }
        }
    }

    /// The work returned an error for the item that ran.
    #[cold]
    fn returned_error(&mut self, mark: usize, index: u64, error: BoxError, is_cancelled: bool) -> ItemEnd {
        self.mark = mark;
        // A `Stopped` that the work got from somewhere else, while its own item goes on, is an error like any other.
        if is_cancelled && error.is::<Stopped>() {
            discard_all(self.outputs.drain(mark..));
            return ItemEnd::Skipped(SkipReason::Stopped);
        }
        self.fail(ItemError::failed(index, error));
        ItemEnd::Failed
    }

    /// Puts a failure in the place of what the item had emitted.
    fn fail(&mut self, error: ItemError) {
        discard_all(self.outputs.drain(self.mark..));
        self.failures.push_back((self.mark, error));
    }

    /// Passes on the failures of the source that come before the next item.
    fn pass_due(&mut self) {
        while let Some((before, _)) = self.passed.front()
            && *before == self.life.begun()
        {
            let (_, error) = self.passed.pop_front().expect("it was just seen");
            self.life.item_passed();
            self.failures.push_back((self.outputs.len(), error));
        }
    }

    /// Gives back the items that have not begun, in at most `parts` batches, unless the run was stopped.
    pub(crate) fn give_back(&mut self, parts: usize) -> Option<impl Iterator<Item = Batch<I>> + use<I, O>> {
        // Failures behind the last item: no step follows that would pass them on.
        self.pass_due();
        let rest = self.life.give_back(self.permit.is_stopped())?;
        let (inputs, mut passed) = (mem::take(&mut self.inputs), mem::take(&mut self.passed));
        passed.iter_mut().for_each(|(before, _)| *before -= self.life.begun());
        let permit = self.permit.split_off(rest.items);
        Some(Batch { first: rest.first, inputs, passed, permit }.split(parts))
    }

    /// Ends the batch, at `now` by the worker's clock. What has neither begun nor been given back is skipped.
    pub(crate) fn end<W>(self, executor: &Executor<W>, now: Instant) -> EndedBatch<I, O> {
        let Self { life, inputs, passed, mut permit, began, outputs, failures, .. } = self;
        let busy = now.saturating_duration_since(began);
        let BatchEnd { ends, ran } = life.end();
        executor.owner().metrics.batch_ended(executor.id(), busy, ran);
        permit.record(ends.completed, ends.failed, ran, busy);
        discard_all(passed);
        EndedBatch { first: life.first(), unbegun: inputs, outputs, failures, permit }
    }
}

impl<I, O> EndedBatch<I, O> {
    /// What is sent on to the aggregator of a pipeline. Memory that is not needed any more goes to the pools.
    pub(crate) fn into_outcomes(self, inputs: &BufferPool<I>, outputs: &Arc<BufferPool<O>>) -> Outcomes<O> {
        let Self { first, unbegun, outputs: mut results, mut failures, permit } = self;
        inputs.put(unbegun.into_buffer());
        if permit.is_abandoned() {
            // No consumer will take them. They are dropped here, since elsewhere that would keep an arbiter.
            discard_all(results.drain(..));
            discard_all(failures.drain(..));
            outputs.put(mem::take(&mut results));
        }
        let items = permit.items();
        Outcomes { first, items, chunk: Chunk::new(results, failures, Arc::clone(outputs), permit) }
    }
}

/// The state of the innermost loop. It changes with each item, which is several times as fast in registers as behind a
/// reference; `Drop` writes it back, also on unwind.
struct Hot<'a, I, O> {
    run: &'a mut BatchRun<I, O>,
    life: BatchLife,
    inputs: VecDeque<I>,
    mark: usize,
}

impl<'a, I, O> Hot<'a, I, O> {
    fn new(run: &'a mut BatchRun<I, O>) -> Self {
        let (life, inputs, mark) = (run.life.between_items(), mem::take(run.inputs.queue()), run.mark);
        Self { run, life, inputs, mark }
    }
}

impl<I, O> Drop for Hot<'_, I, O> {
    fn drop(&mut self) {
        *self.run.inputs.queue() = mem::take(&mut self.inputs);
        self.run.life = self.life;
        self.run.mark = self.mark;
    }
}

/// Tells an item that it is cancelled: once its run is stopped, or its waiter is gone.
struct Cancelled<'a, C> {
    state: &'a State,
    waiter: &'a C,
}

impl<C: Cancel> Cancel for Cancelled<'_, C> {
    #[inline]
    fn is_cancelled(&self) -> bool {
        self.state.is_stopped() || self.waiter.is_cancelled()
    }
}

/// In a pipeline, nothing waits for a single item.
pub(crate) struct NoWaiter;

impl Cancel for NoWaiter {
    #[inline]
    fn is_cancelled(&self) -> bool {
        false
    }
}
