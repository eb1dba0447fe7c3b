//! The fan-in: the actor that stands for the multiplexed stream.

use std::fmt;
use std::sync::Arc;

use actix::{Actor, ActorContext, Context, Handler, Message, MessageResult};
use tokio::sync::mpsc::UnboundedSender;

use crate::batch::{Chunk, Outcomes};
use crate::control::Control;
use crate::protocol::Reorder;
use crate::stats::Snapshot;

/// The actor to which every worker sends its outcomes, and which passes them on to the stream, in source order if that
/// was asked for.
///
/// It takes [`Outcomes`] from the workers and [`Snapshot`] from anyone; its address is
/// [`FanIn::aggregator`](crate::FanIn::aggregator). What waits in it is bounded by the window.
pub struct Aggregator<T> {
    control: Arc<Control>,
    /// Never holds more than the window, since what it holds keeps its credit.
    stream: UnboundedSender<Chunk<T>>,
    order: Option<Reorder<Chunk<T>>>,
}

/// Every batch has finished: the stream ends.
pub(crate) struct Finish;

impl Message for Finish {
    type Result = ();
}

impl<T> Aggregator<T> {
    pub(crate) fn new(control: &Arc<Control>, stream: UnboundedSender<Chunk<T>>, ordered: bool) -> Self {
        Self { control: Arc::clone(control), stream, order: ordered.then(Reorder::new) }
    }

    fn emit(&self, chunk: Chunk<T>) {
        if !chunk.is_spent() {
            // Without a consumer the chunk is dropped, which settles its ticket.
            let _ = self.stream.send(chunk);
        }
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

    fn handle(&mut self, outcomes: Outcomes<T>, _: &mut Self::Context) {
        let Outcomes { first, items, mut chunk } = outcomes;
        chunk.ticket.finish();
        let Some(order) = &mut self.order else {
            return self.emit(chunk);
        };
        order.insert(first, items, chunk);
        while let Some(chunk) = self.order.as_mut().and_then(Reorder::pop) {
            self.emit(chunk);
        }
    }
}

impl<T: Send + 'static> Handler<Finish> for Aggregator<T> {
    type Result = ();

    fn handle(&mut self, _: Finish, ctx: &mut Self::Context) {
        while let Some(chunk) = self.order.as_mut().and_then(Reorder::pop_over_gaps) {
            self.emit(chunk);
        }
        ctx.stop();
    }
}

impl<T: Send + 'static> Handler<Snapshot> for Aggregator<T> {
    type Result = MessageResult<Snapshot>;

    fn handle(&mut self, _: Snapshot, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.control.stats())
    }
}
