//! A view of a stream for eyes: how many results there were, and the newest of them.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_fan::ItemError;
use futures::Stream;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// The most that one event carries.
pub(crate) const MAX_NEWEST: usize = 1000;
/// Between two events. The load on the client is the same at any rate: a screen can't show more, and a person can't read more.
const PERIOD: Duration = Duration::from_millis(100);
/// The most results taken in one poll, so that a stream that is always ready leaves the event loop to others.
const BURST: usize = 1024;

/// What was found since the event before.
pub(crate) struct Found {
    /// In all.
    count: u64,
    /// The newest, oldest first.
    numbers: Vec<u64>,
}

impl Found {
    pub(crate) fn write(&self, out: &mut Vec<u8>) -> io::Result<()> {
        write!(out, r#"{{"count":{},"numbers":["#, self.count)?;
        for (place, number) in self.numbers.iter().enumerate() {
            write!(out, r#"{}"{number}""#, if place > 0 { "," } else { "" })?;
        }
        write!(out, "]}}")
    }
}

/// Takes every result as soon as it is there, and yields at most one [`Found`] per period. Failures pass at once.
pub(crate) struct Newest<S> {
    results: S,
    most: usize,
    ticks: Interval,
    count: u64,
    /// Not told yet.
    numbers: VecDeque<u64>,
    is_told: bool,
    has_ended: bool,
}

impl<S> Newest<S> {
    pub(crate) fn new(results: S, most: usize) -> Self {
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let most = most.min(MAX_NEWEST);
        Self { results, most, ticks, count: 0, numbers: VecDeque::new(), is_told: true, has_ended: false }
    }

    fn keep(&mut self, number: u64) {
        self.count += 1;
        self.is_told = false;
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
                Poll::Ready(Some(Err(failure))) => return Poll::Ready(Some(Err(failure))),
                Poll::Ready(None) => this.has_ended = true,
                Poll::Pending => break,
            }
        }
        if this.is_told {
            return if this.has_ended { Poll::Ready(None) } else { Poll::Pending };
        }
        // The first of a slow search is told at once: its tick was long ago.
        if !this.has_ended && this.ticks.poll_tick(cx).is_pending() {
            return Poll::Pending;
        }
        this.is_told = true;
        Poll::Ready(Some(Ok(Found { count: this.count, numbers: this.numbers.drain(..).collect() })))
    }
}
