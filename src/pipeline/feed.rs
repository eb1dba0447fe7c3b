//! The feed: asks the source for items while there are permits for them, and sends them on in batches.

use std::sync::Arc;
use std::task::{self, Poll};
use std::time::Instant;

use futures::{Stream, StreamExt};

use crate::backend::Post;
use crate::engine::batch::{Batch, Passed};
use crate::engine::credit::Credit;
use crate::engine::permit::Permit;
use crate::engine::run::{Intake, PartGuard, Run};
use crate::engine::state::State;
use crate::error::{ItemError, PipelineError};
use crate::pipeline::aggregator::Finish;
use crate::pipeline::intake::SourceIntake;
use crate::protocol::Phase;
use crate::util::buffer_pool::BufferPool;
use crate::util::panic::{catch, discard};
use crate::util::time_slice::TimeSlice;
use crate::util::waker::CaughtWaker;

/// A feed of any source, for the generator, whose type names none.
pub(crate) trait Feeds {
    /// Ready once every batch has completed and none will be handed out.
    fn poll(&mut self, cx: &mut task::Context<'_>) -> Poll<()>;
}

/// The source, and where its items and its end are sent.
pub(crate) struct Feed<S, I, Q, A> {
    intake: Arc<SourceIntake>,
    run: Run,
    credit: Arc<Credit>,
    source: Option<S>,
    queue: Q,
    aggregator: A,
    inputs: Arc<BufferPool<I>>,
    slice: TimeSlice,
    waker: CaughtWaker,
    // Dropped last, after the source.
    _part: PartGuard,
}

impl<S, I, Q, A> Feed<S, I, Q, A> {
    /// `slice` bounds how long the source is asked before this yields.
    pub(crate) fn new(
        intake: &Arc<SourceIntake>,
        credit: Arc<Credit>,
        source: S,
        queue: Q,
        aggregator: A,
        inputs: Arc<BufferPool<I>>,
        slice: TimeSlice,
    ) -> Self {
        let (intake, run) = (Arc::clone(intake), intake.run());
        let part = PartGuard::of(&run);
        let waker = CaughtWaker::default();
        Self { intake, run, credit, source: Some(source), queue, aggregator, inputs, slice, waker, _part: part }
    }
}

impl<S, I, Q, A> Drop for Feed<S, I, Q, A> {
    fn drop(&mut self) {
        // `Some` if the arbiter ended before the source did. Its `Drop` may panic.
        discard(self.source.take());
    }
}

/// Why the source is not asked for another item of this batch.
enum Pulled {
    /// An earlier stage ended before its source did.
    Lost(PipelineError),
    Full,
    Stopped,
    Pending,
    Spent,
    Ended,
}

impl<S, I, Q, A> Feeds for Feed<S, I, Q, A>
where
    S: Stream<Item = Result<I, ItemError>> + Unpin,
    Q: Post<Batch<I>>,
    A: Post<Finish>,
{
    fn poll(&mut self, cx: &mut task::Context<'_>) -> Poll<()> {
        let Self { intake, run, .. } = self;
        let state = &intake.core().state;
        // Before the state is read: a change after the read then wakes this task.
        intake.register(&mut self.waker, cx);
        if state.is_running() && self.waker.is_yielding(cx) {
            return Poll::Pending;
        }
        while let Some(source) = &mut self.source {
            if !state.is_running() {
                discard(self.source.take());
                break;
            }
            // Items may have any number of results, which the window does not bound.
            let demand = state.protocol().ask(self.credit.has_room());
            if demand == 0 {
                self.slice.end();
                return Poll::Pending;
            }
            let mut inputs = self.inputs.get();
            let mut passed = Passed::new();
            let pulled = catch(|| pull(source, demand, &mut inputs, &mut passed, &mut self.slice, state, cx));
            let items = inputs.len() + passed.len();
            if items > 0 {
                let (first, expected_nanos, permit) = Permit::hand_out(run, items);
                let observed = run.observed();
                let good = inputs.len();
                if let Some(observed) = observed {
                    observed.taken(good);
                    observed.source_failed(passed.len());
                }
                // If the workers are gone the batch is dropped, and its permit counts the items as skipped.
                self.queue.post(Batch {
                    first,
                    part: 0,
                    inputs: inputs.into(),
                    passed,
                    expected_nanos,
                    permit,
                    credit: None,
                    queued_at: Instant::now(),
                });
                if let Some(observed) = observed {
                    observed.handed_over(first, good);
                }
            } else {
                self.inputs.put(inputs);
            }
            match pulled {
                Ok(Pulled::Full | Pulled::Stopped) => {}
                Ok(Pulled::Pending) => {
                    self.slice.end();
                    return Poll::Pending;
                }
                Ok(Pulled::Spent) => {
                    self.waker.yield_now(cx);
                    return Poll::Pending;
                }
                Ok(Pulled::Ended) => run.source_ended(),
                Ok(Pulled::Lost(error)) => run.fail(error, Phase::Draining),
                Err(message) => run.fail(PipelineError::SourcePanicked { message }, Phase::Draining),
            }
        }
        if state.protocol().is_finished() {
            intake.set_complete();
            self.aggregator.post(Finish);
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

/// Asks the source for items until there are `demand` of them, or it has no more at the moment.
fn pull<S, I>(
    source: &mut S,
    demand: usize,
    inputs: &mut Vec<I>,
    passed: &mut Passed,
    slice: &mut TimeSlice,
    state: &State,
    cx: &mut task::Context<'_>,
) -> Pulled
where
    S: Stream<Item = Result<I, ItemError>> + Unpin,
{
    let mut left = demand;
    while left > 0 {
        if slice.is_spent() {
            return Pulled::Spent;
        }
        let grant = slice.grant(left - 1);
        let mut steps = 1 + grant.steps;
        left -= steps;
        while steps > 0 {
            if !state.is_running() {
                return Pulled::Stopped;
            }
            steps -= 1;
            match source.poll_next_unpin(cx) {
                Poll::Ready(Some(Ok(input))) => inputs.push(input),
                Poll::Ready(Some(Err(error))) => match error.pipeline_error() {
                    Some(lost) => return Pulled::Lost(lost.clone()),
                    None => passed.push_back((inputs.len(), error)),
                },
                Poll::Ready(None) => return Pulled::Ended,
                Poll::Pending => return Pulled::Pending,
            }
            if grant.has_expired() {
                left += steps;
                break;
            }
        }
    }
    Pulled::Full
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::task::Waker;
    use std::time::Instant;

    use futures::stream;

    use super::*;
    use crate::protocol::{BatchSize, Protocol};
    use crate::util::clock::Clock;
    use crate::util::time_slice::TIME_SLICE;

    #[test]
    fn a_source_that_becomes_slow_is_not_asked_again_in_the_same_time_slice() {
        let state = State::new(Protocol::new(1, 1000, BatchSize::Fixed(1000), 8));
        for quick in 0..300 {
            let clock = Clock::at(Instant::now());
            let slow = std::cell::Cell::new(0);
            let mut source = stream::iter((0..1000).map(|n| {
                if n >= quick {
                    slow.set(slow.get() + 1);
                    let began = Instant::now();
                    while began.elapsed() <= TIME_SLICE {
                        std::hint::spin_loop();
                    }
                    clock.go_on_to(Instant::now());
                }
                Ok(n)
            }));
            let (mut inputs, mut slice) = (Vec::new(), TimeSlice::on(clock, TIME_SLICE));
            let mut cx = task::Context::from_waker(Waker::noop());
            while slow.get() == 0 {
                let pulled = pull(&mut source, 1000, &mut inputs, &mut Passed::new(), &mut slice, &state, &mut cx);
                assert!(matches!(pulled, Pulled::Spent));
            }
            assert_eq!(slow.get(), 1, "after {quick} quick items");
        }
    }
}
