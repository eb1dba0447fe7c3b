//! The decisions of a pipeline or a pool, as plain state without threads, clocks or actors. `README.md` in this folder
//! describes the protocol as a whole.

mod admission;
mod batch_life;
mod batch_size;
mod bottleneck;
mod ending;
mod fair_queue;
mod fifo;
mod ledger;
mod reorder_buffer;
mod service_time;
mod window;

use std::mem;
use std::time::Duration;

pub(crate) use admission::{AdmissionQueue, Left, Position};
pub(crate) use batch_life::{BatchEnd, BatchLife, Delivered, ItemEnd};
pub(crate) use batch_size::BatchSize;
#[cfg(feature = "nats")]
pub(crate) use batch_size::Distance;
pub(crate) use bottleneck::BoundTimes;
pub(crate) use ending::Ending;
pub(crate) use fair_queue::{FairQueue, RunKey, Serve};
pub(crate) use ledger::{Ends, Ledger};
pub(crate) use reorder_buffer::ReorderBuffer;
pub(crate) use window::{bytes_of, default_window};

use batch_size::Sizer;
use ending::Delivery;
use fifo::Fifo;
use service_time::ServiceTime;

/// Which items a run still takes in and begins. A phase is only ever followed by a later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Items are taken from the source, or from submits, while there are permits.
    Running,
    /// The source ended, or a drain was requested: no item is taken in, items in flight run.
    Draining,
    /// No item is taken in, and items that have not begun are skipped.
    Stopped,
}

/// The state shared by the admitting side, the workers' permits and the consumer.
#[derive(Clone, Debug)]
pub(crate) struct Protocol {
    workers: usize,
    /// Permits in all: the most items in flight.
    window: usize,
    phase: Phase,
    /// How the run ends. Meaningless while it is running.
    ending: Ending,
    delivery: Delivery,
    ledger: Ledger,
    /// Batches that are queued or running, or whose outcomes are on their way to the aggregator.
    outstanding: usize,
    /// Of those outstanding: their outcomes are on their way.
    ended: usize,
    /// Of those outstanding: they go on once results are taken.
    parked: usize,
    /// Items that have finished and wait for the end of one before them.
    held_back: usize,
    /// How many items the source was asked for the last time.
    asked: usize,
    sizer: Sizer,
    service: ServiceTime,
}

impl Protocol {
    pub(crate) fn new(workers: usize, window: usize, batch: BatchSize, item_bytes: usize) -> Self {
        Self {
            workers,
            window,
            phase: Phase::Running,
            ending: Ending::Complete,
            delivery: Delivery::Stream,
            ledger: Ledger::default(),
            outstanding: 0,
            ended: 0,
            parked: 0,
            held_back: 0,
            asked: 0,
            sizer: Sizer::new(batch, workers, window, item_bytes),
            service: ServiceTime::default(),
        }
    }

    /// The same for workers at another distance.
    #[cfg(feature = "nats")]
    pub(crate) fn at(mut self, distance: Distance) -> Self {
        self.sizer = self.sizer.at(distance, self.window);
        self
    }

    /// The protocol of a run that only passes items on, and so counts them and records how it ends. It takes up
    /// to `batch` items at a time. Its window has no bound: it takes items only when its consumer polls for one.
    pub(crate) fn without_workers(batch: usize) -> Self {
        Self::new(1, usize::MAX, BatchSize::Fixed(batch), 0)
    }

    /// How many items the source may be asked for now. 0 means: wait until a batch completes or permits are released.
    pub(crate) fn demand(&self) -> usize {
        if self.phase != Phase::Running
            || self.outstanding >= self.workers.saturating_mul(self.sizer.depth(&self.service))
        {
            return 0;
        }
        // Fewer than none after the window was lowered: those come back first.
        let permits = self.window.saturating_sub(self.ledger.in_flight);
        let size = self.sizer.size(&self.service);
        // A batch smaller than planned costs as much to hand over as a full one, so it must keep a worker from idling.
        if permits < size && self.outstanding >= self.workers { 0 } else { permits.min(size) }
    }

    /// Takes a batch of `items` in, to be queued for the workers; returns the index of its first item.
    pub(crate) fn hand_out(&mut self, items: usize) -> u64 {
        // What the source was asked for is taken in, also if the window was lowered meanwhile.
        debug_assert!(
            items <= self.window.saturating_sub(self.ledger.in_flight).max(self.asked),
            "the window was exceeded"
        );
        self.outstanding += 1;
        self.ledger.take(items)
    }

    /// Takes one submitted item in, if there is a permit for it; returns its index.
    pub(crate) fn admit(&mut self) -> Option<u64> {
        let has_permit = self.phase == Phase::Running && self.ledger.in_flight < self.window;
        has_permit.then(|| self.hand_out(1))
    }

    /// Counts the second part of a batch that was split, which is queued again, as a batch of its own.
    pub(crate) fn split(&mut self) {
        self.outstanding += 1;
    }

    /// Counts the first part of a batch that goes on: its items have ended, and its outcomes are on their way.
    pub(crate) fn split_ended(&mut self, items: usize) {
        self.split();
        self.end_batch(items);
    }

    /// A batch of `items` has ended at its worker, and its outcomes are on their way.
    pub(crate) fn end_batch(&mut self, items: usize) {
        self.ended += 1;
        debug_assert!(self.ended <= self.outstanding, "a batch ended twice");
        self.ledger.finish(items);
    }

    /// Completes a batch that has [ended](Self::end_batch).
    pub(crate) fn complete_ended(&mut self, measured: Option<(usize, Duration)>) {
        debug_assert!(self.ended > 0, "a batch completed that had not ended");
        self.ended -= 1;
        self.complete(measured);
    }

    /// Completes a batch: it is no longer queued or running. `measured` is how many of its items ran, and for how long.
    pub(crate) fn complete(&mut self, measured: Option<(usize, Duration)>) {
        debug_assert!(self.outstanding > 0, "a batch completed twice");
        self.outstanding -= 1;
        if let Some((items, busy)) = measured {
            self.service.observe(items, busy);
        }
    }

    /// Releases the permits of items that ended: the consumer took their results, or they were cancelled.
    pub(crate) fn release(&mut self, ends: Ends) {
        self.ledger.release(ends);
    }

    /// Returns true if no batch is queued or running, and none will be handed out.
    pub(crate) fn is_finished(&self) -> bool {
        self.phase != Phase::Running && self.outstanding == 0
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    pub(crate) fn ledger(&self) -> Ledger {
        self.ledger
    }

    /// Batches that are queued or running.
    #[cfg(feature = "testing")]
    pub(crate) fn outstanding(&self) -> usize {
        self.outstanding
    }

    pub(crate) fn window(&self) -> usize {
        self.window
    }

    /// How many workers may run batches at a time.
    pub(crate) fn workers(&self) -> usize {
        self.workers
    }

    /// Batches of a fixed size had `asked` items before that was limited to a worker's share of the window, which is to
    /// be done again when that changes.
    pub(crate) fn with_batches_of(mut self, asked: BatchSize) -> Self {
        self.sizer.set_asked(asked);
        self
    }

    /// The size of batches that the user asked for, if it is a fixed one.
    pub(crate) fn fixed_batch(&self) -> Option<usize> {
        self.sizer.fixed()
    }

    /// Changes the window. Items in flight beyond a smaller one keep their permits; no other is taken in before fewer
    /// than that are in flight.
    /// Returns the window before.
    pub(crate) fn set_window(&mut self, window: usize) -> usize {
        self.sizer.resize(self.workers, window);
        mem::replace(&mut self.window, window)
    }

    /// Changes how many workers may run batches at a time. Returns their number before.
    pub(crate) fn set_workers(&mut self, workers: usize) -> usize {
        self.sizer.resize(workers, self.window);
        mem::replace(&mut self.workers, workers)
    }

    /// The window, if it has a bound.
    pub(crate) fn limit(&self) -> Option<usize> {
        (self.window < usize::MAX).then_some(self.window)
    }

    pub(crate) fn mean_service(&self) -> Option<Duration> {
        self.service.mean()
    }

    /// How long an item submitted now would wait until it begins. Before it are `queued` items that have a permit, and
    /// `waiting` items that have none. `None` before the first measurement.
    pub(crate) fn expected_wait(&self, queued: usize, waiting: usize) -> Option<Duration> {
        let running = self.outstanding.saturating_sub(queued);
        self.service.expected_wait(queued + waiting, running, self.workers)
    }

    /// The time to plan with per item; `None` before the first measurement.
    pub(crate) fn expected(&self) -> Option<Duration> {
        self.service.planned_nanos().map(|nanos| Duration::from_nanos(nanos as u64))
    }

    /// The time to plan with per item, in nanoseconds; 0 before the first measurement.
    pub(crate) fn expected_nanos(&self) -> f64 {
        self.service.planned_nanos().unwrap_or(0.0)
    }

    pub(crate) fn batch_size(&self) -> usize {
        self.sizer.size(&self.service)
    }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
