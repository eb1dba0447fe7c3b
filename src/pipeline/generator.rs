//! The head of the pipeline: the actor that asks the source for items.

use std::fmt;
use std::pin::Pin;
use std::task::{self, Poll};

use actix::fut::ActorFuture;
use actix::{Actor, ActorContext, AsyncContext, Context, Handler, MessageResult};

use crate::engine::home::Seat;
use crate::engine::run::Run;
use crate::pipeline::burst::Burst;
use crate::pipeline::feed::Feeds;
use crate::stats::{Snapshot, Stats};
use crate::stop::Stop;

/// The actor that takes items from the source while there are permits for them, and sends them to the workers in
/// batches.
///
/// Its address ([`FanIn::generator`](crate::FanIn::generator)) names no type of the pipeline, so any actor can keep it
/// in a field. It takes [`Stop`] and [`Snapshot`]. The actor ends by itself once every batch has completed; a `Stop`
/// after that finds its mailbox closed, which is harmless.
///
/// It runs on the arbiter where the pipeline was started, or on one of this crate if it is
/// [detached](crate::FanOut::detached). So does the source, which is asked for items in time
/// slices of about 100 us. Between them the arbiter runs its other tasks.
pub struct Generator {
    run: Run,
    feed: Box<dyn Feeds>,
    burst: Burst,
    /// Its place among detached pipelines, if it is one.
    #[allow(dead_code, reason = "its drop frees the place")]
    seat: Option<Seat>,
}

impl Generator {
    pub(crate) fn new(run: &Run, feed: impl Feeds + 'static) -> Self {
        Self { run: run.clone(), feed: Box::new(feed), burst: Burst::default(), seat: None }
    }

    /// For a detached pipeline.
    pub(crate) fn seated(mut self, seat: Seat) -> Self {
        self.seat = Some(seat);
        self
    }

    /// Returns ready once every batch has completed and no more will be handed out.
    pub(crate) fn poll(&mut self, cx: &mut task::Context<'_>) -> Poll<()> {
        self.feed.poll(cx)
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
        ctx.spawn(Feeding);
    }
}

impl Drop for Generator {
    fn drop(&mut self) {
        // Without an error the stream would never end, since nothing else ends it. Does nothing if the run is complete.
        self.run.lose("the generator");
    }
}

impl Handler<Stop> for Generator {
    type Result = ();

    fn handle(&mut self, stop: Stop, ctx: &mut Self::Context) {
        self.burst.count(ctx);
        self.run.advance(stop.into());
    }
}

impl Handler<Snapshot> for Generator {
    type Result = MessageResult<Snapshot>;

    fn handle(&mut self, _: Snapshot, ctx: &mut Self::Context) -> Self::Result {
        self.burst.count(ctx);
        let stats: Stats = self.run.stats();
        MessageResult(stats)
    }
}

/// Drives the feed in the generator's context until every batch has completed.
struct Feeding;

impl ActorFuture<Generator> for Feeding {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        generator: &mut Generator,
        ctx: &mut Context<Generator>,
        cx: &mut task::Context<'_>,
    ) -> Poll<()> {
        let polled = generator.poll(cx);
        if polled.is_ready() {
            ctx.stop();
        }
        polled
    }
}
