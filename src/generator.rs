//! The head of the pipeline: the actor that asks the source for items.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};

use actix::fut::ActorFuture;
use actix::{Actor, ActorContext, AsyncContext, Context, Handler, MessageResult, Recipient};
use futures::{Stream, StreamExt};

use crate::aggregator::Finish;
use crate::batch::{Batch, Passed, Spares};
use crate::control::Control;
use crate::error::{ItemError, PipelineError};
use crate::protocol::Phase;
use crate::slice::{SLICE, Slice};
use crate::stats::{Snapshot, Stats};
use crate::stop::Stop;
use crate::ticket::Ticket;
use crate::unwind::{catch, discard};

/// The actor that takes items from the source, while it holds credit for them, and sends them to the pool in batches.
///
/// Its address ([`FanIn::generator`](crate::FanIn::generator)) names no type of the pipeline, so any actor can keep it
/// in a field. It takes [`Stop`] and [`Snapshot`]. The actor ends by itself once every batch has finished; a `Stop`
/// after that finds its mailbox closed, which is harmless.
///
/// It runs on the arbiter where the pipeline was started, and so does the source: it is asked for items in slices of
/// about 100 us, between which the arbiter's other tasks get their turn.
pub struct Generator {
    control: Arc<Control>,
    pump: Box<dyn Pump>,
}

impl Generator {
    pub(crate) fn new<S, I>(
        control: &Arc<Control>,
        source: S,
        pool: Recipient<Batch<I>>,
        aggregator: Recipient<Finish>,
        inputs: Arc<Spares<I>>,
    ) -> Self
    where
        S: Stream<Item = Result<I, ItemError>> + Unpin + 'static,
        I: Send + 'static,
    {
        let feed = Feed { source: Some(source), pool, aggregator, inputs, slice: Slice::new(SLICE) };
        Self { control: Arc::clone(control), pump: Box::new(feed) }
    }
}

impl fmt::Debug for Generator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generator").finish_non_exhaustive()
    }
}

impl Actor for Generator {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.spawn(Pumping);
    }
}

impl Drop for Generator {
    fn drop(&mut self) {
        // Unless it is complete, the workers would run the whole queue though nobody is left to take the outcomes.
        self.control.fail(PipelineError::SystemStopped, Phase::Stopped);
    }
}

impl Handler<Stop> for Generator {
    type Result = ();

    fn handle(&mut self, stop: Stop, _: &mut Self::Context) {
        self.control.advance(stop.into());
    }
}

impl Handler<Snapshot> for Generator {
    type Result = MessageResult<Snapshot>;

    fn handle(&mut self, _: Snapshot, _: &mut Self::Context) -> Self::Result {
        let stats: Stats = self.control.stats();
        MessageResult(stats)
    }
}

/// Drives the pump in the generator's context until everything has finished.
struct Pumping;

impl ActorFuture<Generator> for Pumping {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        generator: &mut Generator,
        ctx: &mut Context<Generator>,
        cx: &mut task::Context<'_>,
    ) -> Poll<()> {
        let polled = generator.pump.poll(&generator.control, cx);
        if polled.is_ready() {
            ctx.stop();
        }
        polled
    }
}

/// A feed whose types are forgotten.
trait Pump {
    /// Ready once every batch has finished and no more will be handed out.
    fn poll(&mut self, control: &Arc<Control>, cx: &mut task::Context<'_>) -> Poll<()>;
}

struct Feed<S, I: Send + 'static> {
    source: Option<S>,
    pool: Recipient<Batch<I>>,
    aggregator: Recipient<Finish>,
    inputs: Arc<Spares<I>>,
    slice: Slice,
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

impl<S, I> Pump for Feed<S, I>
where
    S: Stream<Item = Result<I, ItemError>> + Unpin + 'static,
    I: Send + 'static,
{
    fn poll(&mut self, control: &Arc<Control>, cx: &mut task::Context<'_>) -> Poll<()> {
        control.register(cx.waker());
        while let Some(source) = &mut self.source {
            if !control.is_running() {
                discard(self.source.take());
                break;
            }
            let demand = control.protocol().demand();
            if demand == 0 {
                self.slice.end();
                return Poll::Pending;
            }
            let mut inputs = self.inputs.get();
            let mut passed = Passed::new();
            let pulled = catch(|| pull(source, demand, &mut inputs, &mut passed, &mut self.slice, control, cx));
            let items = inputs.len() + passed.len();
            if items > 0 {
                let (first, ticket) = Ticket::hand_out(control, items);
                // A closed pool drops the batch, which counts its items as skipped.
                self.pool.do_send(Batch { first, inputs: inputs.into(), passed, ticket });
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
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Ok(Pulled::Ended) => control.advance(Phase::Draining),
                Ok(Pulled::Lost(error)) => control.fail(error, Phase::Draining),
                Err(message) => control.fail(PipelineError::SourcePanicked { message }, Phase::Draining),
            }
        }
        if control.protocol().is_finished() {
            control.complete();
            self.aggregator.do_send(Finish);
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

/// Asks the source for items until there are `demand` of them, or it has no more just now.
fn pull<S, I>(
    source: &mut S,
    demand: usize,
    inputs: &mut Vec<I>,
    passed: &mut Passed,
    slice: &mut Slice,
    control: &Control,
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
        let steps = 1 + slice.grant(left - 1);
        left -= steps;
        for _ in 0..steps {
            if !control.is_running() {
                return Pulled::Stopped;
            }
            match source.poll_next_unpin(cx) {
                Poll::Ready(Some(Ok(input))) => inputs.push(input),
                Poll::Ready(Some(Err(error))) => match error.pipeline_error() {
                    Some(lost) => return Pulled::Lost(lost.clone()),
                    None => passed.push_back((inputs.len(), error)),
                },
                Poll::Ready(None) => return Pulled::Ended,
                Poll::Pending => return Pulled::Pending,
            }
        }
    }
    Pulled::Full
}
