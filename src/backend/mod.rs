//! How messages reach the workers and the other actors.

use actix::{Message, Recipient};

/// The mailbox of an actor, or of its stand-in in tests and simulations.
pub(crate) trait Post<M> {
    /// Adds a message, without waiting. If the actor has ended, the message is dropped.
    fn post(&self, message: M);
}

impl<M> Post<M> for Recipient<M>
where
    M: Message<Result: Send> + Send,
{
    fn post(&self, message: M) {
        self.do_send(message);
    }
}
