//! The aggregator: the actor that passes the workers' outcomes on to the one stream.

use std::fmt;
use std::pin::Pin;
use std::task::{self, Poll};

use actix::fut::ActorFuture;
use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message, MessageResult};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::mpsc::error::SendError;

use crate::engine::chunk::{Chunk, Outcomes};
use crate::engine::discard::{self, Allowance};
use crate::engine::run::{PartGuard, Run};
use crate::pipeline::burst::Burst;
use crate::protocol::ReorderBuffer;
use crate::stats::Snapshot;
use crate::util::time_slice::TimeSlice;
use crate::util::waker::CaughtWaker;

/// The actor to which every worker sends its outcomes, and which passes them on to the stream, in source order if that
/// was asked for.
///
/// It answers a [`Snapshot`]; its address is [`FanIn::aggregator`](crate::FanIn::aggregator). What waits in it is
/// bounded by the window.
pub struct Aggregator<T> {
    run: Run,
    // Dropped before `stream`, so that nothing is in flight here when the consumer sees the end.
    order: Option<Order<T>>,
    /// Unbounded, but never holds more items than the window, since each chunk in it holds its permit.
    stream: UnboundedSender<Chunk<T>>,
    slice: TimeSlice,
    burst: Burst,
    // Dropped last, after what is held back for order.
    _part: PartGuard,
}

/// What is held back for order.
struct Order<T> {
    waiting: ReorderBuffer<Chunk<T>>,
    /// The number of items in it, and the one that the run was told.
    items: usize,
    told: usize,
    /// True while more is due than could be passed on in one time slice: [`Releasing`] goes on with it.
    releasing: bool,
    /// True once [`Finish`] has come; it waits for `releasing`.
    finished: bool,
}

/// Every batch has completed: the stream ends.
pub(crate) struct Finish;

impl Message for Finish {
    type Result = ();
}

impl<T: Send + 'static> Aggregator<T> {
    /// `slice` bounds how long it passes on what it held back for order before it yields.
    pub(crate) fn new(run: &Run, stream: UnboundedSender<Chunk<T>>, ordered: bool, slice: TimeSlice) -> Self {
        let order = ordered.then(|| Order {
            waiting: ReorderBuffer::new(),
            items: 0,
            told: 0,
            releasing: false,
            finished: false,
        });
        Self { run: run.clone(), order, stream, slice, burst: Burst::default(), _part: PartGuard::of(run) }
    }

    /// Takes outcomes and passes on what is due. Returns false if more is due than could be passed on in one time
    /// slice: then the caller spawns [`Releasing`], and sets `releasing`.
    pub(crate) fn accept(&mut self, Outcomes { first, part, items, mut chunk }: Outcomes<T>) -> bool {
        chunk.permit.complete();
        match &mut self.order {
            None => {
                self.emit(chunk);
                true
            }
            Some(order) => {
                order.items += items;
                order.waiting.insert(first, part, items, chunk);
                order.releasing || self.release()
            }
        }
    }

    /// Passes on what is due, for one time slice. Returns true if that was all.
    fn release(&mut self) -> bool {
        while !self.slice.is_spent() {
            match self.order.as_mut().and_then(|order| order.waiting.pop()) {
                Some(chunk) => {
                    self.order.iter_mut().for_each(|order| order.items -= chunk.permit.items());
                    self.emit(chunk);
                }
                None => {
                    self.slice.end();
                    self.tell();
                    return true;
                }
            }
        }
        false
    }

    /// Tells the run how many items are held back for order, if that has changed.
    fn tell(&mut self) {
        if let Some(order) = &mut self.order
            && order.told != order.items
        {
            order.told = order.items;
            self.run.state.protocol().hold_back(order.items);
        }
    }

    fn emit(&self, chunk: Chunk<T>) {
        if chunk.is_spent() {
            return;
        }
        // Without a consumer the chunk is dropped, which releases its permit.
        if let Err(SendError(chunk)) = self.stream.send(chunk)
            && !Allowance::new().covers(&chunk)
            && !self.slice.is_endless()
        {
            discard::elsewhere(chunk, &self.run);
        }
    }
}

impl<T> fmt::Debug for Aggregator<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aggregator").field("ordered", &self.order.is_some()).finish_non_exhaustive()
    }
}

impl<T> Drop for Aggregator<T> {
    fn drop(&mut self) {
        // Before `stream` is dropped, which ends the stream: the consumer then finds the error. Without it the workers
        // would go on for a stream that gets nothing. Does nothing if the run is complete.
        self.run.lose("the aggregator");
    }
}

impl<T: Send + 'static> Actor for Aggregator<T> {
    type Context = Context<Self>;
}

impl<T: Send + 'static> Handler<Outcomes<T>> for Aggregator<T> {
    type Result = ();

    fn handle(&mut self, outcomes: Outcomes<T>, ctx: &mut Self::Context) {
        self.burst.count(ctx);
        if !self.accept(outcomes) {
            self.order.as_mut().expect("it is ordered").releasing = true;
            ctx.spawn(Releasing(CaughtWaker::default()));
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

    fn handle(&mut self, _: Snapshot, ctx: &mut Self::Context) -> Self::Result {
        self.burst.count(ctx);
        MessageResult(self.run.stats())
    }
}

/// Goes on passing on what is due, one time slice per poll.
struct Releasing(CaughtWaker);

impl<T: Send + 'static> ActorFuture<Aggregator<T>> for Releasing {
    type Output = ();

    fn poll(
        mut self: Pin<&mut Self>,
        aggregator: &mut Aggregator<T>,
        ctx: &mut Context<Aggregator<T>>,
        cx: &mut task::Context<'_>,
    ) -> Poll<()> {
        // Workers wake this task with every message. Such a wake-up must not end the yield.
        if self.0.is_yielding(cx) {
            return Poll::Pending;
        }
        if !aggregator.release() {
            self.0.yield_now(cx);
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
