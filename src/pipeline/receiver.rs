//! The consumer's end of a pipeline: the chunks that the aggregator passes on, taken apart into results.

use std::fmt;
use std::future::poll_fn;
use std::mem;
use std::task::{Context, Poll};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::engine::chunk::Chunk;
use crate::engine::discard::{self, Allowance};
use crate::engine::run::{Run, WorkerGuard};
use crate::error::{ItemError, PipelineError};
use crate::protocol::Phase;
use crate::stats::Stats;
use crate::util::time_slice::{Grant, TimeSlice};
use crate::util::waker::CaughtWaker;

/// The consumer's end. Dropping it stops the pipeline at once.
pub(crate) struct Receiver<T: Send + 'static> {
    run: Run,
    chunks: UnboundedReceiver<Chunk<T>>,
    current: Option<Chunk<T>>,
    /// How many results of `current` may be taken with no other check than that of the time.
    grant: Grant,
    /// The steps of `grant` when it was given.
    granted: usize,
    /// Results taken before the grant.
    emitted: u64,
    slice: TimeSlice,
    state: State,
    waker: CaughtWaker,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// Every chunk was taken. If the run failed, its error is still to be returned.
    Ended,
    /// The error was returned too, if there was one.
    Told,
}

impl<T: Send + 'static> Receiver<T> {
    /// `slice` bounds how long results are taken before this yields.
    pub(crate) fn new(run: Run, chunks: UnboundedReceiver<Chunk<T>>, slice: TimeSlice) -> Self {
        Self {
            run,
            chunks,
            current: None,
            grant: Grant::of(0),
            granted: 0,
            emitted: 0,
            slice,
            state: State::Open,
            waker: CaughtWaker::default(),
        }
    }

    pub(crate) fn run(&self) -> &Run {
        &self.run
    }

    pub(crate) fn stats(&self) -> Stats {
        self.run.metrics.set_emitted(self.emitted());
        self.run.stats()
    }

    /// The next result.
    #[inline]
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, ItemError>>> {
        if self.grant.steps > 0
            && !self.grant.has_expired()
            && let Some(value) = self.current.as_mut().and_then(Chunk::next_value)
        {
            self.grant.steps -= 1;
            return Poll::Ready(Some(Ok(value)));
        }
        self.poll_result(cx)
    }

    /// The bounds of [`Stream::size_hint`](futures::Stream::size_hint).
    pub(crate) fn size_hint(&self) -> (usize, Option<usize>) {
        match self.state {
            State::Open => (self.current.as_ref().map_or(0, Chunk::len), None),
            State::Ended if self.run.state.error().is_some() => (1, Some(1)),
            State::Ended | State::Told => (0, Some(0)),
        }
    }

    /// The rest of the current chunk, or the next one.
    pub(crate) async fn next_chunk(&mut self) -> Option<Chunk<T>> {
        let chunk = poll_fn(|cx| self.poll_chunk(cx)).await?;
        self.emitted += chunk.values_left() as u64;
        self.run.metrics.set_emitted(self.emitted);
        Some(chunk)
    }

    /// Drops all results that are left, as they come: one time slice per poll.
    pub(crate) async fn dry(&mut self) {
        poll_fn(|cx| self.poll_dry(cx)).await;
    }

    fn poll_dry(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.state == State::Open && self.waits_for_itself() {
                // The caller returns an error, and nothing has happened.
                return Poll::Pending;
            }
            match self.poll_chunk(cx) {
                Poll::Ready(Some(mut chunk)) => {
                    if !chunk.discard(&mut self.slice) {
                        self.current = Some(chunk);
                        self.waker.yield_now(cx);
                        return Poll::Pending;
                    }
                }
                Poll::Ready(None) => return Poll::Ready(()),
                Poll::Pending => {
                    self.slice.end();
                    return Poll::Pending;
                }
            }
        }
    }

    fn emitted(&self) -> u64 {
        self.emitted + (self.granted - self.grant.steps) as u64
    }

    /// Ends the grant, and publishes the count of what was taken in it.
    fn end_grant(&mut self) {
        self.emitted = self.emitted();
        (self.grant, self.granted) = (Grant::of(0), 0);
        self.run.metrics.set_emitted(self.emitted);
    }

    /// The next result, with all the checks that one result per grant needs. Out of line, so that the check of the
    /// others stays small enough to be inlined.
    #[inline(never)]
    fn poll_result(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, ItemError>>> {
        self.end_grant();
        while self.current.is_none() {
            match self.poll_chunk(cx) {
                Poll::Ready(Some(chunk)) => self.current = Some(chunk),
                Poll::Ready(None) => return Poll::Ready(self.lost()),
                Poll::Pending => {
                    self.slice.end();
                    return Poll::Pending;
                }
            }
        }
        if self.slice.is_spent() {
            self.waker.yield_now(cx);
            return Poll::Pending;
        }
        Poll::Ready(self.take_result())
    }

    /// A result of the current chunk. The chunk's permit is released with the last one.
    fn take_result(&mut self) -> Option<Result<T, ItemError>> {
        let chunk = self.current.as_mut()?;
        let result = chunk.next();
        self.emitted += u64::from(matches!(result, Some(Ok(_))));
        self.run.metrics.set_emitted(self.emitted);
        if chunk.is_spent() {
            self.current = None;
        } else {
            self.grant = self.slice.grant(chunk.values_ahead());
            self.granted = self.grant.steps;
        }
        result
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Chunk<T>>> {
        self.end_grant();
        if let Some(chunk) = self.current.take() {
            return Poll::Ready(Some(chunk));
        }
        if self.state != State::Open {
            return Poll::Ready(None);
        }
        let chunk = match self.chunks.poll_recv(&mut self.waker.context(cx)) {
            Poll::Ready(chunk) => chunk,
            Poll::Pending if self.waits_for_itself() => {
                // The error is the next item, and the last.
                self.run.fail(PipelineError::OwnWorker, Phase::Stopped);
                self.state = State::Ended;
                return Poll::Ready(None);
            }
            Poll::Pending => return Poll::Pending,
        };
        if chunk.is_none() {
            // An error unless the run is complete. The aggregator reports it too when it is dropped, but its channel
            // may have ended before that.
            self.run.lose("the aggregator");
            self.run.end_seen();
            self.state = State::Ended;
        }
        Poll::Ready(chunk)
    }

    /// Returns true if this thread belongs to the set that has yet to work for the run. Results on their way from there
    /// may be waited for: they pass through other threads.
    fn waits_for_itself(&self) -> bool {
        self.run.is_served_here() && !self.run.state.protocol().is_finished()
    }

    /// The last item of a stream that ended too early.
    fn lost(&mut self) -> Option<Result<T, ItemError>> {
        if self.state == State::Told {
            return None;
        }
        self.state = State::Told;
        let error = self.run.state.error()?;
        Some(Err(ItemError::lost(self.run.stats().taken, error.clone())))
    }
}

impl<T: Send + 'static> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.end_grant();
        // Before `abandon`: a task that waits for the end must not see it while this thread still has results to drop.
        let _guard = WorkerGuard::of_another_thread(&self.run);
        if self.state == State::Open {
            self.run.abandon();
            self.run.stop_upstream();
        }
        self.chunks.close();
        let mut allowance = Allowance::new();
        while let Some(chunk) = self.current.take().or_else(|| self.chunks.try_recv().ok()) {
            if !allowance.covers(&chunk) && !self.slice.is_endless() {
                let (_, none) = unbounded_channel();
                discard::elsewhere((chunk, mem::replace(&mut self.chunks, none)), &self.run);
                return;
            }
        }
    }
}

impl<T: Send + 'static> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("state", &self.state).field("emitted", &self.emitted).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use actix::System;
    use futures::FutureExt;

    use crate::FanOutExt;

    /// Says that it is being dropped, and waits.
    struct Slow(mpsc::Sender<()>, mpsc::Receiver<()>);

    impl Drop for Slow {
        fn drop(&mut self) {
            self.0.send(()).unwrap();
            self.1.recv().unwrap();
        }
    }

    #[test]
    fn a_stream_that_is_being_dropped_has_not_ended_while_it_holds_a_result() {
        System::new().block_on(async {
            let (drops, is_dropping) = mpsc::channel();
            let (go_on, goes_on) = mpsc::channel();
            let slow = Slow(drops, goes_on);
            let results = [slow].fan_out().workers(1).map(|slow| slow).unwrap();
            let stop = results.stop_handle();
            stop.workers_stopped().await;
            let dropping = thread::spawn(move || drop(results));
            is_dropping.recv().unwrap();
            assert!(stop.finished().now_or_never().is_none(), "a result is there yet");
            go_on.send(()).unwrap();
            stop.finished().await.unwrap();
            dropping.join().unwrap();
        });
    }
}
