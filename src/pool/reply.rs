//! The way back of a result: straight from the worker's thread to whoever waits.

use std::sync::Arc;

use futures::task::AtomicWaker;
use tokio::sync::{mpsc, oneshot};

use crate::halt::Waits;
use crate::pool::error::SubmitError;
use crate::ticket::Ticket;
use crate::unwind::discard;

pub(super) type Answer<I, O> = Result<O, SubmitError<I>>;

/// Who waits for an item.
pub(super) enum Reply<I, O> {
    /// The future of one submit.
    One(oneshot::Sender<Answer<I, O>>),
    /// A stream of results, fed by a sink.
    Many(Fed<I, O>),
}

/// The way from a sink's items to the stream that belongs to it.
pub(super) struct Fed<I, O> {
    /// Holds no more than the window and what was refused, since an answer keeps its credit.
    pub(super) answers: mpsc::UnboundedSender<Answered<I, O>>,
    /// The sink, while an item of its waits for credit.
    pub(super) turn: Arc<AtomicWaker>,
}

impl<I, O> Clone for Fed<I, O> {
    fn clone(&self) -> Self {
        Self { answers: self.answers.clone(), turn: Arc::clone(&self.turn) }
    }
}

/// An answer on its way to a stream, with the credit of its item.
pub(super) struct Answered<I, O> {
    pub(super) answer: Answer<I, O>,
    pub(super) ticket: Option<Ticket>,
}

impl<I, O> Reply<I, O> {
    /// Answers, which ends the item. The credit is free before the answer can be seen, or goes with it to the stream.
    pub(super) fn send(self, answer: Answer<I, O>, ticket: Option<Ticket>) {
        match self {
            Self::One(reply) => {
                drop(ticket);
                // Whoever waited is gone: nobody else wants it.
                if let Err(answer) = reply.send(answer) {
                    discard(answer);
                }
            }
            Self::Many(Fed { answers, turn }) => {
                let mut answered = Answered { answer, ticket };
                answered.ticket.iter_mut().for_each(Ticket::finish);
                if let Err(mpsc::error::SendError(answered)) = answers.send(answered) {
                    discard(answered);
                }
                turn.wake();
            }
        }
    }
}

impl<I, O> Reply<I, O> {
    /// Whether it belongs to a stream that is gone.
    pub(super) fn is_fed_in_vain(&self) -> bool {
        matches!(self, Self::Many(fed) if fed.answers.is_closed())
    }

    pub(super) fn wake_sink(&self) {
        if let Self::Many(fed) = self {
            fed.turn.wake();
        }
    }
}

impl<I: Send, O: Send> Waits for Reply<I, O> {
    fn is_gone(&self) -> bool {
        match self {
            Self::One(reply) => reply.is_closed(),
            Self::Many(fed) => fed.answers.is_closed(),
        }
    }
}
