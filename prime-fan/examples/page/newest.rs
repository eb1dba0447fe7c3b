//! A stream of results thinned out for a page: ten times per second the number of results and the newest ones.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_fan::ItemError;
use futures::Stream;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// The most results per event.
pub(crate) const MAX_NEWEST: usize = 1000;
/// The interval between two events. It limits the load on the client at any rate of results; a reader can't follow
/// more.
const PERIOD: Duration = Duration::from_millis(100);
/// The most results taken per poll, so that a stream that is always ready does not block the event loop.
const BURST: usize = 1024;

/// An event: the results since the one before.
pub(crate) struct Found {
    /// The number of results since the start.
    count: u64,
    /// The number of failures since the start.
    failures: u64,
    /// The newest results, oldest first.
    numbers: Vec<u64>,
}

impl Found {
    pub(crate) fn write(&self, out: &mut Vec<u8>) -> io::Result<()> {
        write!(out, r#"{{"count":{},"failures":{},"numbers":["#, self.count, self.failures)?;
        for (place, number) in self.numbers.iter().enumerate() {
            write!(out, r#"{}"{number}""#, if place > 0 { "," } else { "" })?;
        }
        write!(out, "]}}")
    }
}

/// Takes every result as soon as it is ready, and yields per period at most the newest failure and one [`Found`], which
/// counts all of them.
pub(crate) struct Newest<S> {
    results: S,
    most: usize,
    ticks: Interval,
    count: u64,
    /// The newest results that were not yielded yet.
    numbers: VecDeque<u64>,
    failures: u64,
    /// The newest failure, if it was not yielded yet.
    failure: Option<ItemError>,
    is_yielded: bool,
    has_ended: bool,
}

impl<S> Newest<S> {
    pub(crate) fn new(results: S, most: usize) -> Self {
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let most = most.min(MAX_NEWEST);
        Self {
            results,
            most,
            ticks,
            count: 0,
            numbers: VecDeque::new(),
            failures: 0,
            failure: None,
            is_yielded: true,
            has_ended: false,
        }
    }

    fn keep(&mut self, number: u64) {
        self.count += 1;
        self.is_yielded = false;
        if self.numbers.len() == self.most {
            self.numbers.pop_front();
        }
        if self.most > 0 {
            self.numbers.push_back(number);
        }
    }
}

impl<S: Stream<Item = Result<u64, ItemError>> + Unpin> Stream for Newest<S> {
    type Item = Result<Found, ItemError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let mut burst = 0;
        while !this.has_ended {
            if burst == BURST {
                cx.waker().wake_by_ref();
                break;
            }
            burst += 1;
            match Pin::new(&mut this.results).poll_next(cx) {
                Poll::Ready(Some(Ok(number))) => this.keep(number),
                Poll::Ready(Some(Err(failure))) => {
                    this.failures += 1;
                    this.failure = Some(failure);
                    this.is_yielded = false;
                }
                Poll::Ready(None) => this.has_ended = true,
                Poll::Pending => break,
            }
        }
        if this.is_yielded {
            return if this.has_ended { Poll::Ready(None) } else { Poll::Pending };
        }
        // The first result of a slow search is yielded at once: its tick is long past.
        if !this.has_ended && this.ticks.poll_tick(cx).is_pending() {
            return Poll::Pending;
        }
        if let Some(failure) = this.failure.take() {
            // The tick is spent: the next poll must not wait for another.
            this.ticks.reset_immediately();
            return Poll::Ready(Some(Err(failure)));
        }
        this.is_yielded = true;
        Poll::Ready(Some(Ok(Found {
            count: this.count,
            failures: this.failures,
            numbers: this.numbers.drain(..).collect(),
        })))
    }
}
