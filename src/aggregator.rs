//! The fan-in: the actor that stands for the multiplexed stream.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};

use actix::fut::ActorFuture;
use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message, MessageResult};
use tokio::sync::mpsc::UnboundedSender;

use crate::batch::{Chunk, Outcomes};
use crate::control::Control;
use crate::protocol::Reorder;
use crate::slice::Slice;
use crate::stats::Snapshot;
use crate::waker::poll_again;

/// The actor to which every worker sends its outcomes, and which passes them on to the stream, in source order if that
/// was asked for.
///
/// It takes [`Outcomes`] from the workers and [`Snapshot`] from anyone; its address is
/// [`FanIn::aggregator`](crate::FanIn::aggregator). What waits in it is bounded by the window.
pub struct Aggregator<T> {
    control: Arc<Control>,
    // Dropped before `stream`, so that nothing is in flight here when the consumer sees the end.
    order: Option<Order<T>>,
    /// Never holds more than the window, since what it holds keeps its credit.
    stream: UnboundedSender<Chunk<T>>,
}

/// What is held back.
struct Order<T> {
    waiting: Reorder<Chunk<T>>,
    slice: Slice,
    /// More is due than one turn could pass on: a future goes on with it.
    releasing: bool,
    /// The end waits for that.
    finished: bool,
}

/// Every batch has finished: the stream ends.
pub(crate) struct Finish;

impl Message for Finish {
    type Result = ();
}

impl<T> Aggregator<T> {
    /// `slice` is how long it may pass on in one go what it held back for order, where there is one.
    pub(crate) fn new(control: &Arc<Control>, stream: UnboundedSender<Chunk<T>>, order: Option<Slice>) -> Self {
        let order_by = |slice| Order { waiting: Reorder::new(), slice, releasing: false, finished: false };
        Self { control: Arc::clone(control), order: order.map(order_by), stream }
    }

    /// Takes outcomes and passes on what is due. False: more is due than one turn could pass on, and nobody is at it yet.
    pub(crate) fn accept(&mut self, Outcomes { first, items, mut chunk }: Outcomes<T>) -> bool {
        chunk.ticket.finish();
        let Some(order) = &mut self.order else {
            emit(&self.stream, chunk);
            return true;
        };
        order.waiting.insert(first, items, chunk);
        order.releasing || self.release()
    }

    /// Passes on what is due, for one turn. Whether that was all.
    fn release(&mut self) -> bool {
        let Some(order) = &mut self.order else { return true };
        while !order.slice.is_spent() {
            match order.waiting.pop() {
                Some(chunk) => emit(&self.stream, chunk),
                None => {
                    order.slice.end();
                    return true;
                }
            }
        }
        false
    }
}

fn emit<T>(stream: &UnboundedSender<Chunk<T>>, chunk: Chunk<T>) {
    if !chunk.is_spent() {
        // Without a consumer the chunk is dropped, which settles its ticket.
        let _ = stream.send(chunk);
    }
}

impl<T> fmt::Debug for Aggregator<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aggregator").field("ordered", &self.order.is_some()).finish_non_exhaustive()
    }
}

impl<T: Send + 'static> Actor for Aggregator<T> {
    type Context = Context<Self>;
}

impl<T: Send + 'static> Handler<Outcomes<T>> for Aggregator<T> {
    type Result = ();

    fn handle(&mut self, outcomes: Outcomes<T>, ctx: &mut Self::Context) {
        if !self.accept(outcomes) {
            self.order.as_mut().expect("it is ordered").releasing = true;
            ctx.spawn(Releasing);
        }
    }
}

impl<T: Send + 'static> Handler<Finish> for Aggregator<T> {
    type Result = ();

    fn handle(&mut self, _: Finish, ctx: &mut Self::Context) {
        match &mut self.order {
            Some(order) if order.releasing => order.finished = true,
            _ => ctx.stop(),
        }
    }
}

impl<T: Send + 'static> Handler<Snapshot> for Aggregator<T> {
    type Result = MessageResult<Snapshot>;

    fn handle(&mut self, _: Snapshot, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.control.stats())
    }
}

/// Goes on releasing, turn by turn.
struct Releasing;

impl<T: Send + 'static> ActorFuture<Aggregator<T>> for Releasing {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        aggregator: &mut Aggregator<T>,
        ctx: &mut Context<Aggregator<T>>,
        cx: &mut task::Context<'_>,
    ) -> Poll<()> {
        if !aggregator.release() {
            poll_again(cx);
            return Poll::Pending;
        }
        let order = aggregator.order.as_mut().expect("it is ordered");
        order.releasing = false;
        if order.finished {
            ctx.stop();
        }
        Poll::Ready(())
    }
}
