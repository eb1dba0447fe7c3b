//! Wrappers of the user's source and work that record what is asked of them.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures::Stream;

use crate::engine::run::Run;
use crate::error::BoxError;
use crate::stop::{Stop, StopHandle};
use crate::work::Job;
use crate::work::turn::{Turn, Turns};

/// A source that records if it is polled after a stop.
pub(super) struct WatchedSource<S> {
    pub(super) source: S,
    pub(super) log: Log,
    pub(super) run: Run,
}

impl<S: Stream + Unpin> Stream for WatchedSource<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        // Recorded, and checked after the step: a panic here would count as one of the source.
        if !self.run.state.is_running() {
            self.log.entries().asked_after_stop = true;
        }
        Pin::new(&mut self.source).poll_next(cx)
    }
}

/// What the source and the works of all workers have recorded.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Entries>>);

#[derive(Default)]
pub(super) struct Entries {
    /// Indices of items in the order in which they began.
    pub(super) begun: Vec<u64>,
    /// The index of an item for each of its turns.
    pub(super) turns: Vec<u64>,
    /// The first item that began after a stop.
    pub(super) begun_after_stop: Option<u64>,
    /// True if the source was polled after a stop or a drain.
    pub(super) asked_after_stop: bool,
}

impl Log {
    pub(super) fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A work that records its items, and stops the pipeline at those where a stop was planned.
pub(super) struct WatchedWork<W> {
    pub(super) work: W,
    pub(super) log: Log,
    pub(super) handle: StopHandle,
    /// At which items which stop was planned.
    pub(super) stops: Arc<[(u64, Stop)]>,
}

impl<I, W: Turns<I>> Turns<I> for WatchedWork<W> {
    type Output = W::Output;

    fn turn(&mut self, input: I, job: &mut Job<'_, Self::Output>) -> Result<Turn<I>, BoxError> {
        let index = job.index();
        let has_begun = W::has_begun(&input);
        {
            let mut entries = self.log.entries();
            entries.turns.push(index);
            if !has_begun {
                entries.begun.push(index);
                if self.handle.is_stopped() {
                    entries.begun_after_stop.get_or_insert(index);
                }
            }
        }
        if !has_begun {
            for (_, stop) in self.stops.iter().filter(|(at, _)| *at == index) {
                self.handle.apply(*stop);
            }
        }
        self.work.turn(input, job)
    }
}
