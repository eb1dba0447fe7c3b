//! How messages reach the workers and the other actors.

#[cfg(feature = "nats")]
pub(crate) mod coordinator;
#[cfg(feature = "nats")]
pub(crate) mod jetstream;
#[cfg(feature = "nats")]
pub(crate) mod kinds;
#[cfg(feature = "nats")]
pub(crate) mod lease;
#[cfg(feature = "nats")]
pub(crate) mod link;
#[cfg(feature = "nats")]
pub(crate) mod node;
#[cfg(feature = "nats")]
pub(crate) mod remote_error;
#[cfg(feature = "nats")]
pub(crate) mod remote_queue;
#[cfg(feature = "nats")]
pub(crate) mod wire;

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
