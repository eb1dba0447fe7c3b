//! Where messages go.

use actix::{Message, Recipient};

/// An actor that takes messages of this kind, or whatever stands in for it.
pub(crate) trait Post<M> {
    /// Never waits. Where nobody takes messages any more, this one is dropped.
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
