//! The pace of a consumer: how many results it takes per second, which can be changed while the results come.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::Stream;
use futures::task::AtomicWaker;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// One per millisecond, the resolution of a timer.
pub(crate) const MAX_PACE: u32 = 1000;

/// The most results per second; 0: no limit. Clones share it.
#[derive(Clone)]
pub(crate) struct Pace {
    shared: Arc<Shared>,
}

struct Shared {
    per_second: AtomicU32,
    /// The task of the consumer, which may wait for the tick of the old pace.
    consumer: AtomicWaker,
}

impl Pace {
    pub(crate) fn new(per_second: u32) -> Self {
        Self { shared: Arc::new(Shared { per_second: AtomicU32::new(per_second), consumer: AtomicWaker::new() }) }
    }

    pub(crate) fn get(&self) -> u32 {
        // The number alone counts: nothing else is published with it.
        self.shared.per_second.load(Ordering::Relaxed)
    }

    pub(crate) fn set(&self, per_second: u32) {
        self.shared.per_second.store(per_second, Ordering::Relaxed);
        // Orders the store before what the woken task reads.
        self.shared.consumer.wake();
    }
}

/// Yields the results at this pace. Backpressure then slows the pipeline down.
pub(crate) struct Paced<S> {
    results: S,
    pace: Pace,
    /// The pace of `ticks`.
    current: u32,
    ticks: Option<Interval>,
    /// True if the tick of the next result is over.
    is_due: bool,
}

impl<S> Paced<S> {
    pub(crate) fn new(results: S, pace: Pace) -> Self {
        let current = pace.get();
        Self { results, pace, current, ticks: ticks(current), is_due: false }
    }
}

fn ticks(per_second: u32) -> Option<Interval> {
    let mut ticks = interval(Duration::from_secs(1).checked_div(per_second)?);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    Some(ticks)
}

impl<S: Stream + Unpin> Stream for Paced<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let this = &mut *self;
        // Before the pace is read, so that no change is missed.
        this.pace.shared.consumer.register(cx.waker());
        let pace = this.pace.get();
        if pace != this.current {
            this.current = pace;
            this.ticks = ticks(pace);
        }
        if !this.is_due
            && let Some(ticks) = &mut this.ticks
        {
            ready!(ticks.poll_tick(cx));
        }
        this.is_due = true;
        let result = ready!(Pin::new(&mut this.results).poll_next(cx));
        this.is_due = false;
        Poll::Ready(result)
    }
}
