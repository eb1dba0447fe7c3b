//! How many messages an actor handles before it yields.

use actix::fut::wrap_future;
use actix::{Actor, AsyncContext, Context};

/// actix handles all messages that wait before it lets the arbiter's other tasks run, and with its feature
/// `mailbox_assert`, which anything in the dependency graph may have set, the 256th in one go panics the actor.
const MOST: u8 = 128;

/// Counts the messages that an actor handles, and makes it yield to the arbiter's other tasks after every [`MOST`].
#[derive(Debug, Default)]
pub(crate) struct Burst(u8);

impl Burst {
    /// To be called for each message.
    pub(crate) fn count<A>(&mut self, ctx: &mut Context<A>)
    where
        A: Actor<Context = Context<A>>,
    {
        self.0 += 1;
        if self.0 == MOST {
            self.0 = 0;
            // No message is handled while the context waits.
            ctx.wait(wrap_future(tokio::task::yield_now()));
        }
    }
}
