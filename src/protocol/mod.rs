//! Everything that a pipeline or a pool decides, as plain state without threads, clocks or actors. `README.md` beside this
//! file tells the protocol as a whole.

mod admission;
mod batch_size;
mod ending;
mod fifo;
mod ledger;
mod reorder_buffer;
mod service_time;
mod window;

use std::time::Duration;

pub(crate) use admission::{AdmissionQueue, Left, Position};
pub(crate) use batch_size::BatchSize;
pub(crate) use ending::Ending;
pub(crate) use ledger::{Ends, Ledger};
pub(crate) use reorder_buffer::ReorderBuffer;
pub(crate) use window::{bytes_of, default_window};

use batch_size::Sizer;
use ending::Outlet;
use fifo::Fifo;
use service_time::ServiceTime;

/// Whether items are still taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// The source is polled, or submits are taken, while there is credit.
    Running,
    /// The source ended, or a drain was asked for: nothing more is taken in, what is in flight runs.
    Draining,
    /// Nothing more is taken in, and what has not begun is skipped.
    Stopped,
}

/// The state that whoever takes items in, the workers' permits and the consumer share.
#[derive(Clone, Debug)]
pub(crate) struct Protocol {
    workers: usize,
    window: usize,
    phase: Phase,
    /// How it ends; says something once the phase has moved on.
    ending: Ending,
    outlet: Outlet,
    ledger: Ledger,
    /// Batches queued or running.
    outstanding: usize,
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
            outlet: Outlet::Stream,
            ledger: Ledger::default(),
            outstanding: 0,
            sizer: Sizer::new(batch, workers, window, item_bytes),
            service: ServiceTime::default(),
        }
    }

    /// Of a run that only passes items on: it counts them and knows how it ends. No window bounds what it takes, since it
    /// takes no more than was asked for.
    pub(crate) fn without_workers() -> Self {
        Self::new(1, usize::MAX, BatchSize::Fixed(1), 0)
    }

    /// How many items the source may be asked for now. 0 means: wait until a batch finishes or the consumer takes one.
    pub(crate) fn demand(&self) -> usize {
        if self.phase != Phase::Running
            || self.outstanding >= self.workers.saturating_mul(self.sizer.depth(&self.service))
        {
            return 0;
        }
        let credit = self.window - self.ledger.in_flight;
        let size = self.sizer.size(&self.service);
        // A scrap of credit is worth a batch only when a worker would idle otherwise.
        if credit < size && self.outstanding >= self.workers { 0 } else { credit.min(size) }
    }

    /// Hands a batch of `items` out; returns the index of its first item.
    pub(crate) fn hand_out(&mut self, items: usize) -> u64 {
        debug_assert!(items <= self.window - self.ledger.in_flight, "the window was exceeded");
        self.outstanding += 1;
        self.ledger.take(items)
    }

    /// Takes one item in that came by itself, if there is credit for it; returns its index.
    pub(crate) fn admit(&mut self) -> Option<u64> {
        let credit = self.phase == Phase::Running && self.ledger.in_flight < self.window;
        credit.then(|| self.hand_out(1))
    }

    /// A batch was cut in two, and the second part will be queued again.
    pub(crate) fn split(&mut self) {
        self.outstanding += 1;
    }

    /// A batch is neither queued nor running any more. `measured` tells how many of its items ran, and for how long.
    pub(crate) fn complete(&mut self, measured: Option<(usize, Duration)>) {
        debug_assert!(self.outstanding > 0, "a batch finished twice");
        self.outstanding -= 1;
        if let Some((items, busy)) = measured {
            self.service.observe(items, busy);
        }
    }

    /// The consumer took a finished batch, or the batch was given up: its credit is free again.
    pub(crate) fn release(&mut self, ends: Ends) {
        self.ledger.release(ends);
    }

    /// Nothing will be handed out any more, and nothing is queued or running.
    pub(crate) fn is_finished(&self) -> bool {
        self.phase != Phase::Running && self.outstanding == 0
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    pub(crate) fn ledger(&self) -> Ledger {
        self.ledger
    }

    pub(crate) fn window(&self) -> usize {
        self.window
    }

    pub(crate) fn mean_service(&self) -> Option<Duration> {
        self.service.mean()
    }

    /// How long an item that comes now waits until it begins, if `queued` of those handed out and `waiting` others have
    /// not begun either.
    pub(crate) fn expected_wait(&self, queued: usize, waiting: usize) -> Option<Duration> {
        let running = self.outstanding.saturating_sub(queued);
        self.service.wait(queued + waiting, running, self.workers)
    }

    pub(crate) fn batch_size(&self) -> usize {
        self.sizer.size(&self.service)
    }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
