//! An item on its way through a pool, and the way back of its result: straight from the worker's thread to where it is
//! awaited.

use std::sync::{Arc, PoisonError};

use futures::task::AtomicWaker;
use tokio::sync::{mpsc, oneshot};

use crate::engine::intake::Run;
use crate::engine::permit::Permit;
use crate::engine::state::State;
use crate::pool::error::SubmitError;
use crate::protocol::Position;
use crate::util::panic::discard;
use crate::util::sync::{Mutex, MutexGuard};
use crate::work::Cancel;

pub(super) type Answer<I, O> = Result<O, SubmitError<I>>;

/// An item, and where its result is awaited.
pub(super) struct Submitted<I, O> {
    pub(super) item: I,
    pub(super) reply: Reply<I, O>,
}

/// An item that was taken in: it has its credit and its index.
pub(super) struct Accepted<I, O> {
    pub(super) submitted: Submitted<I, O>,
    pub(super) index: u64,
    pub(super) permit: Permit,
}

impl<I, O> Submitted<I, O> {
    /// Sends the item back, without ever having had credit.
    pub(super) fn refuse(self, state: &State) {
        let answer = Err(refusal(self.item, state));
        self.reply.send(answer, None);
    }
}

impl<I, O> Accepted<I, O> {
    pub(super) fn new(run: &Run, index: u64, submitted: Submitted<I, O>) -> Self {
        Self { submitted, index, permit: Permit::new(run, 1) }
    }

    /// Ends the item unbegun, because everything was stopped.
    pub(super) fn stop(mut self, state: &State, hand_back: impl FnOnce(I) -> Option<I>) {
        let Submitted { item, reply } = self.submitted;
        self.permit.cancel();
        reply.send(Err(stopped(hand_back(item), state)), Some(self.permit));
    }
}

/// Why an item isn't taken in.
pub(super) fn refusal<I>(item: I, state: &State) -> SubmitError<I> {
    match state.error() {
        Some(error) => SubmitError::Lost { item: Some(item), error: error.clone() },
        None => SubmitError::Closed(item),
    }
}

/// Why an item that was taken in has no result.
pub(super) fn stopped<I>(item: Option<I>, state: &State) -> SubmitError<I> {
    match state.error() {
        Some(error) => SubmitError::Lost { item, error: error.clone() },
        None => SubmitError::Stopped { item },
    }
}

/// Where the answer to an item goes.
pub(super) enum Reply<I, O> {
    /// The future of one submit.
    One(oneshot::Sender<Answer<I, O>>),
    /// A stream of results, fed by a sink.
    Many {
        fed: Fed<I, O>,
        /// The place of the item that was fed before this one.
        before: Option<Position>,
    },
}

/// The way from a sink's items to the stream that belongs to it.
pub(super) struct Fed<I, O> {
    /// Holds no more than the window and what was refused, since an answer keeps its credit.
    pub(super) answers: mpsc::UnboundedSender<Answered<I, O>>,
    pub(super) channel: Arc<Channel>,
}

/// What a sink and its stream share.
#[derive(Default)]
pub(super) struct Channel {
    /// The sink, while an item of its waits for credit.
    pub(super) turn: AtomicWaker,
    trail: Mutex<Trail>,
}

/// Where the channel's items are in the admission queue: each knows the one before it, and these are the last two.
#[derive(Clone, Copy, Default)]
pub(super) struct Trail {
    pub(super) last: Option<Position>,
    pub(super) before: Option<Position>,
}

impl Trail {
    pub(super) fn add(&mut self, position: Position) {
        *self = Self { last: Some(position), before: self.last };
    }
}

impl Channel {
    pub(super) fn trail(&self) -> MutexGuard<'_, Trail> {
        self.trail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<I, O> Clone for Fed<I, O> {
    fn clone(&self) -> Self {
        Self { answers: self.answers.clone(), channel: Arc::clone(&self.channel) }
    }
}

/// An answer on its way to a stream, with the credit of its item.
pub(super) struct Answered<I, O> {
    /// `None` once it was taken.
    answer: Option<Answer<I, O>>,
    permit: Option<Permit>,
}

impl<I, O> Answered<I, O> {
    /// The answer, whose credit is free before it can be seen.
    pub(super) fn take(mut self) -> Answer<I, O> {
        drop(self.permit.take());
        self.answer.take().expect("only this takes it, once")
    }
}

impl<I, O> Drop for Answered<I, O> {
    fn drop(&mut self) {
        // A stream may be dropped between a worker's look whether it is there and the arrival of the answer. Then the
        // channel drops it, with its last sender, on whatever thread that is.
        discard(self.answer.take());
    }
}

impl<I, O> Reply<I, O> {
    /// Answers, which ends the item. The credit is free before the answer can be seen, or goes with it to the stream.
    pub(super) fn send(self, answer: Answer<I, O>, permit: Option<Permit>) {
        match self {
            Self::One(reply) => {
                drop(permit);
                // Whoever waited is gone: nobody else wants it.
                if let Err(answer) = reply.send(answer) {
                    discard(answer);
                }
            }
            Self::Many { fed: Fed { answers, channel }, .. } => {
                let mut answered = Answered { answer: Some(answer), permit };
                answered.permit.iter_mut().for_each(Permit::complete);
                // The stream is gone, and with it whoever wanted the answer.
                let _ = answers.send(answered);
                channel.turn.wake();
            }
        }
    }
}

impl<I, O> Reply<I, O> {
    pub(super) fn wake_sink(&self) {
        if let Self::Many { fed, .. } = self {
            fed.channel.turn.wake();
        }
    }
}

impl<I: Send, O: Send> Cancel for Reply<I, O> {
    /// Returns true if what waited for the answer was dropped.
    fn is_cancelled(&self) -> bool {
        match self {
            Self::One(reply) => reply.is_closed(),
            Self::Many { fed, .. } => fed.answers.is_closed(),
        }
    }
}
