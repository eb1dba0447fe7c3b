//! How messages reach the workers and the other actors, and how the worker threads start.

pub(crate) mod threads;

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

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

/// The mailbox of an actor that has not started yet. It buffers messages until its [`Connector`] connects the actor.
pub(crate) struct PendingMailbox<M: Message<Result: Send> + Send>(Arc<Buffer<M>>);

/// Connects an actor to a [`PendingMailbox`]. If it is dropped instead, the mailbox drops its messages, and all later
/// ones.
pub(crate) struct Connector<M: Message<Result: Send> + Send>(Arc<Buffer<M>>);

struct Buffer<M: Message<Result: Send> + Send> {
    /// Set under the lock of `messages`: a `post` that finds it unset then finds `messages`, and none is left behind
    /// there.
    recipient: OnceLock<Recipient<M>>,
    /// `None` once the actor is connected, or the connector was dropped.
    messages: Mutex<Option<Vec<M>>>,
}

/// Makes a mailbox for an actor that is about to start.
pub(crate) fn pending_mailbox<M: Message<Result: Send> + Send>() -> (PendingMailbox<M>, Connector<M>) {
    let buffer = Arc::new(Buffer { recipient: OnceLock::new(), messages: Mutex::new(Some(Vec::new())) });
    (PendingMailbox(Arc::clone(&buffer)), Connector(buffer))
}

impl<M: Message<Result: Send> + Send> Post<M> for PendingMailbox<M> {
    fn post(&self, message: M) {
        // The lock is taken only until the actor is connected.
        if self.0.recipient.get().is_none() {
            let mut messages = self.0.messages.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(messages) = &mut *messages {
                return messages.push(message);
            }
        }
        if let Some(recipient) = self.0.recipient.get() {
            recipient.do_send(message);
        }
    }
}

impl<M: Message<Result: Send> + Send> Connector<M> {
    /// Sends the buffered messages to `recipient`, and has all later ones sent there. A message that is posted
    /// meanwhile may overtake buffered ones.
    pub(crate) fn connect(self, recipient: Recipient<M>) {
        let messages = {
            let mut messages = self.0.messages.lock().unwrap_or_else(PoisonError::into_inner);
            // Never set before, since `connect` consumes the only connector.
            let _ = self.0.recipient.set(recipient.clone());
            messages.take()
        };
        messages.into_iter().flatten().for_each(|message| recipient.do_send(message));
    }
}

impl<M: Message<Result: Send> + Send> Drop for Connector<M> {
    fn drop(&mut self) {
        let messages = self.0.messages.lock().unwrap_or_else(PoisonError::into_inner).take();
        // After the lock is released: messages hold values of the user's, whose `Drop` must not run under it.
        drop(messages);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use actix::{Actor, Context, Handler, System};

    use super::*;

    #[derive(Clone)]
    struct Note(Arc<AtomicUsize>);
    impl Message for Note {
        type Result = ();
    }

    struct Reader;
    impl Actor for Reader {
        type Context = Context<Self>;
    }
    impl Handler<Note> for Reader {
        type Result = ();
        fn handle(&mut self, Note(read): Note, _: &mut Context<Self>) {
            read.fetch_add(1, SeqCst);
        }
    }

    #[test]
    fn messages_posted_before_the_actor_starts_reach_it() {
        let read = Arc::new(AtomicUsize::new(0));
        System::new().block_on(async {
            let (mailbox, connector) = pending_mailbox();
            (0..3).for_each(|_| mailbox.post(Note(Arc::clone(&read))));
            let reader = Reader.start();
            connector.connect(reader.clone().recipient());
            mailbox.post(Note(Arc::clone(&read)));
            reader.send(Note(Arc::clone(&read))).await.unwrap();
        });
        assert_eq!(read.load(SeqCst), 5);
    }

    #[test]
    fn a_mailbox_that_is_never_connected_drops_its_messages_and_later_ones() {
        let read = Arc::new(AtomicUsize::new(0));
        let (mailbox, connector) = pending_mailbox();
        mailbox.post(Note(Arc::clone(&read)));
        assert_eq!(Arc::strong_count(&read), 2);
        drop(connector);
        assert_eq!(Arc::strong_count(&read), 1);
        mailbox.post(Note(Arc::clone(&read)));
        assert_eq!((Arc::strong_count(&read), read.load(SeqCst)), (1, 0));
    }
}
