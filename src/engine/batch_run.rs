//! The life of a batch at a worker: begin, claim a portion, run it, merge it, ..., end.
//!
//! This is the only place where items are run. The workers of pipelines and of pools call it, and so do those of a
//! simulation and of the thread-order tests. All decisions on the way are made by [`BatchLife`], which the model in
//! `../protocol/model` explores.
//!
//! A worker runs the items of a portion by itself. What it has not claimed, and the results of the portions before, are
//! in the [`BatchRun`], which the pipeline keeps behind a lock: other workers take items from it there, or send the
//! results on while an item runs long.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::batch::{Batch, Inputs, Passed};
use crate::engine::chunk::{Chunk, Outcomes};
use crate::engine::credit::{BatchCredit, Credit};
use crate::engine::executor::Executor;
use crate::engine::metrics::{Metrics, Progress};
use crate::engine::permit::Permit;
use crate::engine::state::State;
use crate::error::{BoxError, ItemError, Stopped};
use crate::protocol::{BatchEnd, BatchLife, Delivered, Ends, ItemEnd};
use crate::stats::SkipReason;
use crate::util::buffer_pool::BufferPool;
use crate::util::clock::CLOCK;
use crate::util::log;
use crate::util::panic::discard_all;
use crate::work::turn::{Turn, Turns};
use crate::work::{Job, Outbox, Runner};

/// A batch from the moment a worker took it to the moment its outcomes are sent on.
#[must_use = "a batch that was begun must be ended, or its worker counts as busy forever"]
pub(crate) struct BatchRun<I, O> {
    life: BatchLife,
    /// How many parts of the first item's results have left.
    part: u32,
    /// Items that are not claimed.
    inputs: Inputs<I>,
    /// Each with the number of good items before it, among those that were not delivered.
    passed: Passed,
    expected_nanos: f64,
    permit: Permit,
    credit: Option<Arc<BatchCredit>>,
    queued_at: Instant,
    /// Items that were measured by themselves, and their time.
    measured: usize,
    measured_time: Duration,
    /// True if the first of the items that are not claimed was suspended by this worker, which may not have sent its
    /// results on yet: another one would overtake them.
    holds_first: bool,
    began: Instant,
    outputs: Vec<O>,
    /// Each with the number of outputs before it.
    failures: VecDeque<(usize, ItemError)>,
}

/// Items that a worker has claimed, and what came of them. It is used again for the next portion.
pub(crate) struct Portion<I, O> {
    life: BatchLife,
    inputs: Inputs<I>,
    outbox: Outbox<O>,
    /// The item that ran last, if it goes on in another turn. Its results are those behind the mark.
    suspended: Option<I>,
}

/// Results that leave before their item has ended, or the first of their items.
pub(crate) struct Part<O> {
    first: u64,
    part: u32,
    outputs: Vec<O>,
    failures: VecDeque<(usize, ItemError)>,
    permit: Permit,
}

/// A batch that has ended, or those of its items that were delivered before.
pub(crate) struct EndedBatch<I, O> {
    first: u64,
    part: u32,
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
        let Batch { first, part, inputs, passed, expected_nanos, permit, credit, queued_at } = batch;
        let life = BatchLife::begin(first, inputs.len() + passed.len());
        Self {
            life,
            part,
            inputs,
            passed,
            expected_nanos,
            permit,
            credit,
            queued_at,
            measured: 0,
            measured_time: Duration::ZERO,
            holds_first: false,
            began: now,
            outputs,
            failures: VecDeque::new(),
        }
    }

    /// Items that are not claimed.
    pub(crate) fn unclaimed(&self) -> usize {
        self.inputs.len()
    }

    /// Of its results, if these are counted.
    pub(crate) fn credit(&self) -> Option<&Arc<BatchCredit>> {
        self.credit.as_ref()
    }

    /// Results that were not delivered, failures included.
    pub(crate) fn undelivered(&self) -> usize {
        self.outputs.len() + self.failures.len()
    }

    /// Claims up to `most` items as the portion, which is empty. Returns false if there are none, or the run was
    /// stopped.
    pub(crate) fn claim(&mut self, most: usize, portion: &mut Portion<I, O>) -> bool {
        self.pass_due();
        let until_passed = self.passed.front().map_or(self.inputs.len(), |(before, _)| before - self.life.begun());
        let items = most.min(until_passed);
        if items == 0 || self.permit.is_stopped() {
            return false;
        }
        portion.life = self.life.claim(items);
        self.holds_first = false;
        let (from, to) = (self.inputs.queue(), portion.inputs.queue());
        if items == from.len() {
            // All that is left: no item is moved.
            mem::swap(from, to);
            if self.outputs.is_empty() {
                mem::swap(&mut self.outputs, &mut portion.outbox.outputs);
            }
        } else {
            to.extend(from.drain(..items));
        }
        true
    }

    /// Merges what came of the portion. Items of it that have not begun are unclaimed again.
    pub(crate) fn merge(&mut self, portion: &mut Portion<I, O>) {
        self.life.merge(portion.life);
        let (from, to) = (portion.inputs.queue(), self.inputs.queue());
        if to.is_empty() {
            // The memory of all items of the batch came with them, and is given back to its pool in the end.
            mem::swap(from, to);
        } else {
            while let Some(input) = from.pop_back() {
                to.push_front(input);
            }
        }
        let before = self.outputs.len();
        let Outbox { outputs, failures, mark } = &mut portion.outbox;
        *mark = 0;
        self.failures.extend(failures.drain(..).map(|(at, error)| (before + at, error)));
        if before == 0 && self.outputs.capacity() < outputs.capacity() {
            mem::swap(&mut self.outputs, outputs);
        } else {
            self.outputs.append(outputs);
        }
    }

    /// An item of the portion that was merged last ran for so long, as was measured by itself. The time of the others is
    /// their mean.
    pub(crate) fn item_ran(&mut self, metrics: &Metrics, time: Duration) {
        metrics.ran(time, 1);
        self.measured += 1;
        self.measured_time += time;
    }

    /// Everything that is in `outbox` leaves, while the last item of the portion runs. What the batch held before the
    /// portion must have been delivered. `outputs` is for further results.
    pub(crate) fn flush(&mut self, outbox: &mut Outbox<O>, outputs: Vec<O>) -> Part<O> {
        let Outbox { outputs: results, failures, mark } = outbox;
        *mark = 0;
        let (outputs, failures) = (mem::replace(results, outputs), mem::take(failures));
        self.part(outputs, failures)
    }

    /// Merges a portion whose last item is suspended: it is the next one again, and what it has emitted leaves. Also
    /// returns what has ended before it. `None` if the portion ended otherwise.
    #[allow(clippy::type_complexity, reason = "two values, used at once")]
    pub(crate) fn suspend(
        &mut self,
        portion: &mut Portion<I, O>,
        buffer: impl Fn() -> Vec<O>,
    ) -> Option<(Option<EndedBatch<I, O>>, Option<Part<O>>)> {
        let item = portion.suspended.take()?;
        let mark = portion.outbox.mark;
        // With no item before it, all is its own: nothing is moved.
        let outputs = match mark {
            0 => mem::replace(&mut portion.outbox.outputs, buffer()),
            _ => portion.outbox.outputs.split_off(mark),
        };
        self.merge(portion);
        self.inputs.queue().push_front(item);
        self.holds_first = true;
        let before = if self.undelivered() > 0 { self.deliver(buffer()) } else { None };
        let part = (!outputs.is_empty()).then(|| self.part(outputs, VecDeque::new()));
        Some((before, part))
    }

    fn part(&mut self, outputs: Vec<O>, failures: VecDeque<(usize, ItemError)>) -> Part<O> {
        let part = Part { first: self.life.first(), part: self.part, outputs, failures, permit: self.permit.of_part() };
        self.part += 1;
        part
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

    /// Takes half of the items that are not claimed, from the end, for another worker. `None` if there are none, or the
    /// run was stopped.
    pub(crate) fn share(&mut self) -> Option<Batch<I>> {
        let items = (self.inputs.len() - usize::from(self.holds_first)).div_ceil(2);
        if items == 0 || self.permit.is_stopped() {
            return None;
        }
        let stay = self.inputs.len() - items;
        let inputs = self.inputs.queue().split_off(stay).into();
        let before = self.life.begun() + self.life.claimed() + stay;
        // A failure between the two parts stays with the first.
        let passed_stay = self.passed.partition_point(|(at, _)| *at <= before);
        let mut passed = self.passed.split_off(passed_stay);
        passed.iter_mut().for_each(|(at, _)| *at -= before);
        let items = items + passed.len();
        let first = self.life.share(items);
        let permit = self.permit.split_off(items);
        Some(self.rest(first, inputs, passed, permit))
    }

    /// Gives back the items that have not begun, unless the run was stopped. No portion is claimed.
    pub(crate) fn give_back(&mut self) -> Option<Batch<I>> {
        // Failures behind the last item: no portion follows that would pass them on.
        self.pass_due();
        let rest = self.life.give_back(self.permit.is_stopped())?;
        let (inputs, mut passed) = (mem::take(&mut self.inputs), mem::take(&mut self.passed));
        self.holds_first = false;
        passed.iter_mut().for_each(|(at, _)| *at -= self.life.begun());
        let permit = self.permit.split_off(rest.items);
        Some(self.rest(rest.first, inputs, passed, permit))
    }

    /// Items from `first` on, as a batch of their own.
    fn rest(&mut self, first: u64, inputs: Inputs<I>, passed: Passed, permit: Permit) -> Batch<I> {
        let expected_nanos = self.expected_nanos;
        // All that is left of this batch: parts of its first item's results may have left.
        let (part, credit) = match first == self.life.first() {
            true => (mem::take(&mut self.part), self.credit.take()),
            false => (0, None),
        };
        Batch { first, part, inputs, passed, expected_nanos, permit, credit, queued_at: self.queued_at }
    }

    /// The items that have ended leave, if there are any. Their results are in `outputs` then, and further ones go into
    /// the empty vector that it was.
    pub(crate) fn deliver(&mut self, outputs: Vec<O>) -> Option<EndedBatch<I, O>> {
        let Delivered { first, items, began, ends } = self.life.deliver()?;
        self.passed.iter_mut().for_each(|(at, _)| *at -= began);
        let mut permit = self.permit.split_ended(items);
        // Their time is measured with the batch.
        permit.record(ends.completed, ends.failed, 0, Duration::ZERO);
        let outputs = mem::replace(&mut self.outputs, outputs);
        let failures = mem::take(&mut self.failures);
        let part = mem::take(&mut self.part);
        Some(EndedBatch { first, part, unbegun: Inputs::default(), outputs, failures, permit })
    }

    /// Ends the batch, at `now` by the worker's clock. What has neither begun nor been given back is skipped.
    pub(crate) fn end<W>(mut self, executor: &Executor<W>, now: Instant) -> EndedBatch<I, O> {
        self.pass_due();
        let Self { life, part, inputs, passed, mut permit, began, outputs, failures, queued_at, .. } = self;
        let busy = now.saturating_duration_since(began);
        let BatchEnd { ends, ran } = life.end();
        let metrics = &executor.owner().metrics;
        metrics.batch_ended(executor.id(), busy, ran);
        // Those that have not begun here wait on, or were skipped.
        metrics.waited(began.saturating_duration_since(queued_at), ran);
        let others = ran.saturating_sub(self.measured);
        if others > 0 {
            let mean = busy.saturating_sub(self.measured_time).as_nanos() / others as u128;
            metrics.ran(Duration::from_nanos(u64::try_from(mean).unwrap_or(u64::MAX)), others);
        }
        permit.record(ends.completed, ends.failed, ran, busy);
        if ends.skipped > 0 {
            permit.record_reason();
        }
        discard_all(passed);
        EndedBatch { first: life.first(), part, unbegun: inputs, outputs, failures, permit }
    }
}

impl<I, O: 'static> Portion<I, O> {
    pub(crate) fn new() -> Self {
        let life = BatchLife::begin(0, 0);
        Self { life, inputs: Inputs::default(), outbox: Outbox::new(), suspended: None }
    }

    /// Runs the items that were claimed, at most until `due` by the coarse clock has passed, or one is suspended; the
    /// item that runs when the time has passed ends. Returns false if the items are cancelled, or no `Work` can be
    /// built. `waiter` is what waits for these items alone.
    #[inline]
    pub(crate) fn run<W, C>(&mut self, executor: &mut Executor<W>, due: u64, waiter: &C) -> bool
    where
        W: Turns<I, Output = O>,
        C: Runner<O>,
    {
        loop {
            if !executor.prepare() {
                return false;
            }
            match executor.lend(|work, state, progress| self.run_items(due, work, &WithRun { state, waiter }, progress))
            {
                Ok(goes_on) => return goes_on,
                Err(message) => {
                    let index = self.life.current_index();
                    log::warn!("item {index} panicked, the work of worker {} is rebuilt: {message}", executor.id());
                    self.fail(ItemError::panicked(index, message));
                    self.life.item_ended(ItemEnd::Failed);
                    if self.inputs.len() == 0 {
                        return true;
                    }
                }
            }
        }
    }

    /// Runs the work on the items. Returns false if they are cancelled.
    #[inline]
    fn run_items<W, C>(&mut self, due: u64, work: &mut W, runner: &C, progress: &Progress) -> bool
    where
        W: Turns<I, Output = O>,
        C: Runner<O>,
    {
        let mut hot = Hot::new(self);
        loop {
            // Asked here directly, though the item can ask the same through its job: a call through a vtable for each
            // item would cost as much as all the rest of the loop.
            if hot.life.may_begin(runner.is_cancelled()).is_err() {
                return false;
            }
            let Some(input) = hot.inputs.pop_front() else { return true };
            let Portion { outbox, .. } = hot.portion;
            outbox.mark = outbox.outputs.len();
            // Before the work is called: if it panics, the item has begun, and `run` ends it.
            let index = hot.life.item_began();
            progress.item_began(index);
            let end = match work.turn(input, &mut Job::new(outbox, runner, index)) {
                Ok(Turn::Ended) => ItemEnd::Done,
                Ok(Turn::Suspended(suspended)) => {
                    hot.life.item_suspended();
                    hot.portion.suspended = Some(suspended);
                    return true;
                }
                Err(error) => hot.portion.returned_error(index, error, runner.is_cancelled()),
            };
            hot.life.item_ended(end);
            // One of these items took long, so another one may.
            if CLOCK.has_reached(due) {
                return true;
            }
        }
    }

    /// The work returned an error for the item that ran.
    #[cold]
    fn returned_error(&mut self, index: u64, error: BoxError, is_cancelled: bool) -> ItemEnd {
        // A `Stopped` that the work got from somewhere else, while its own item goes on, is an error like any other.
        if is_cancelled && error.is::<Stopped>() {
            discard_all(self.outbox.outputs.drain(self.outbox.mark..));
            return ItemEnd::Skipped(SkipReason::Stopped);
        }
        self.fail(ItemError::failed(index, error));
        ItemEnd::Failed
    }

    /// Puts a failure in the place of what the item had emitted.
    fn fail(&mut self, error: ItemError) {
        let Outbox { outputs, failures, mark } = &mut self.outbox;
        discard_all(outputs.drain(*mark..));
        failures.push_back((*mark, error));
    }

    /// The index of its first item.
    pub(crate) fn first(&self) -> u64 {
        self.life.first()
    }

    /// How the items ended that have run.
    pub(crate) fn ends(&self) -> Ends {
        self.life.ends()
    }

    /// Those of the items that have run, and whose results have not left.
    pub(crate) fn failures(&self) -> impl Iterator<Item = &ItemError> {
        self.outbox.failures.iter().map(|(_, error)| error)
    }

    /// Items that were claimed and have not begun.
    pub(crate) fn len(&self) -> usize {
        self.inputs.len()
    }
}

impl<I, O> EndedBatch<I, O> {
    /// What is sent on to the aggregator of a pipeline. Memory that is not needed any more goes to the pools.
    pub(crate) fn into_outcomes(self, inputs: &BufferPool<I>, outputs: &Arc<BufferPool<O>>) -> Outcomes<O> {
        let Self { first, part, unbegun, outputs: results, failures, permit } = self;
        inputs.put(unbegun.into_buffer());
        let items = permit.items();
        Outcomes { first, part, items, chunk: chunk(results, failures, permit, outputs) }
    }
}

impl<O> Part<O> {
    /// What is sent on to the aggregator, counted as results of `batch`, if that goes on.
    pub(crate) fn into_outcomes(
        self,
        outputs: &Arc<BufferPool<O>>,
        credit: &Arc<Credit>,
        batch: Option<Arc<BatchCredit>>,
    ) -> Outcomes<O> {
        let Self { first, part, outputs: results, failures, permit } = self;
        Outcomes { first, part, items: 0, chunk: chunk(results, failures, permit, outputs).counted(credit, batch) }
    }
}

fn chunk<O>(
    mut results: Vec<O>,
    mut failures: VecDeque<(usize, ItemError)>,
    permit: Permit,
    outputs: &Arc<BufferPool<O>>,
) -> Chunk<O> {
    if permit.is_abandoned() {
        // No consumer will take them. They are dropped here, since elsewhere that would keep an arbiter.
        discard_all(results.drain(..));
        discard_all(failures.drain(..));
        outputs.put(mem::take(&mut results));
    }
    Chunk::new(results, failures, Arc::clone(outputs), permit)
}

/// The state of the innermost loop. It changes with each item, which is several times as fast in registers as behind a
/// reference; `Drop` writes it back, also on unwind.
struct Hot<'a, I, O> {
    portion: &'a mut Portion<I, O>,
    life: BatchLife,
    inputs: VecDeque<I>,
}

impl<'a, I, O> Hot<'a, I, O> {
    fn new(portion: &'a mut Portion<I, O>) -> Self {
        let (life, inputs) = (portion.life.between_items(), mem::take(portion.inputs.queue()));
        Self { portion, life, inputs }
    }
}

impl<I, O> Drop for Hot<'_, I, O> {
    fn drop(&mut self) {
        *self.portion.inputs.queue() = mem::take(&mut self.inputs);
        self.portion.life = self.life;
    }
}

/// Tells an item that it is cancelled once its run is stopped, or its waiter is gone.
struct WithRun<'a, C> {
    state: &'a State,
    waiter: &'a C,
}

impl<O, C: Runner<O>> Runner<O> for WithRun<'_, C> {
    #[inline]
    fn is_cancelled(&self) -> bool {
        self.state.is_stopped() || self.waiter.is_cancelled()
    }

    fn flush(&self, outbox: &mut Outbox<O>) {
        self.waiter.flush(outbox);
    }
}

/// Where nothing waits for a single item, and results leave when their item has ended.
#[cfg(feature = "testing")]
pub(crate) struct NoWaiter;

#[cfg(feature = "testing")]
impl<O> Runner<O> for NoWaiter {
    #[inline]
    fn is_cancelled(&self) -> bool {
        false
    }
}
