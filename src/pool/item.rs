//! An item on its way through a pool.

use crate::engine::intake::Run;
use crate::engine::permit::Permit;
use crate::engine::state::State;
use crate::pool::error::SubmitError;
use crate::pool::request::Reply;

/// An item and whoever waits for its result.
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
