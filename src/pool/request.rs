//! Requests of a pool's callers, and their answers, which go straight from the worker thread to the caller.

use std::sync::{Arc, PoisonError};
use std::time::Instant;

use futures::task::AtomicWaker;
use tokio::sync::{mpsc, oneshot};

use crate::engine::permit::Permit;
use crate::engine::run::Run;
use crate::engine::state::State;
use crate::observe::Submitted;
use crate::pool::error::SubmitError;
use crate::protocol::Position;
use crate::stats::SkipReason;
use crate::util::panic::discard;
use crate::util::sync::{Mutex, MutexGuard};
use crate::work::Runner;

pub(super) type Answer<I, O> = Result<O, SubmitError<I>>;

/// An item that its caller submitted or fed into a channel. It waits for a permit.
pub(super) struct Request<I, O> {
    pub(super) item: I,
    pub(super) reply: Reply<I, O>,
    /// When it was submitted.
    pub(super) at: Instant,
    /// If the pool is observed.
    pub(super) submitted: Option<Box<Submitted>>,
}

/// A request that has its permit and its index.
pub(super) struct Admitted<I, O> {
    pub(super) request: Request<I, O>,
    pub(super) index: u64,
    pub(super) permit: Permit,
}

impl<I, O> Request<I, O> {
    /// Returns the item to its caller, because the pool takes no more items.
    pub(super) fn refuse(self, state: &State) {
        let answer = Err(refusal(self.item, state));
        Answered::new(self.reply, answer, None).send();
    }
}

impl<I, O> Admitted<I, O> {
    pub(super) fn new(run: Run, index: u64, request: Request<I, O>) -> Self {
        Self { request, index, permit: Permit::new(run, 1) }
    }

    /// Ends the request before it began, because the pool was stopped. The caller gets the item that `hand_back`
    /// returns.
    pub(super) fn stop(mut self, state: &State, hand_back: impl FnOnce(I) -> Option<I>) {
        let Request { item, reply, .. } = self.request;
        self.permit.cancel(SkipReason::Stopped);
        Answered::new(reply, Err(stopped(hand_back(item), state)), Some(self.permit)).send();
    }
}

/// The error of an item that the pool doesn't take in.
pub(super) fn refusal<I>(item: I, state: &State) -> SubmitError<I> {
    match state.error() {
        Some(error) => SubmitError::Lost { item: Some(item), error: error.clone() },
        None => SubmitError::Closed(item),
    }
}

/// The error of an item that was taken in and has no result.
pub(super) fn stopped<I>(item: Option<I>, state: &State) -> SubmitError<I> {
    match state.error() {
        Some(error) => SubmitError::Lost { item, error: error.clone() },
        None => SubmitError::Stopped { item },
    }
}

/// Where the answer to a request goes.
pub(super) enum Reply<I, O> {
    /// To the future of one submit.
    Submission(oneshot::Sender<Answer<I, O>>),
    /// To the stream of the channel into which the item was fed.
    Stream {
        sender: AnswerSender<I, O>,
        /// The position of the item that was fed before this one.
        previous: Option<Position>,
    },
}

/// Sends answers from the requests of a sink to its stream.
pub(super) struct AnswerSender<I, O> {
    /// Has no bound of its own: an answer keeps its permit here, so that the window bounds it. Refused items have none,
    /// but come at most once.
    pub(super) answers: mpsc::UnboundedSender<AnswerWithPermit<I, O>>,
    pub(super) channel: Arc<Channel>,
}

/// The state that a sink and its stream share.
#[derive(Default)]
pub(super) struct Channel {
    /// Wakes the task of the sink, whose last item waits for a permit.
    pub(super) sink: AtomicWaker,
    tail: Mutex<Tail>,
}

/// The positions of the channel's last two requests. Each request knows the one before it, so all of them are found
/// from here.
#[derive(Clone, Copy, Default)]
pub(super) struct Tail {
    pub(super) last: Option<Position>,
    pub(super) previous: Option<Position>,
}

impl Tail {
    pub(super) fn push(&mut self, position: Position) {
        *self = Self { last: Some(position), previous: self.last };
    }
}

impl Channel {
    pub(super) fn tail(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<I, O> Clone for AnswerSender<I, O> {
    fn clone(&self) -> Self {
        Self { answers: self.answers.clone(), channel: Arc::clone(&self.channel) }
    }
}

/// An answer that waits in a stream, with the permit of its item, if it had one.
pub(super) struct AnswerWithPermit<I, O> {
    /// `None` after [`take`](Self::take).
    answer: Option<Answer<I, O>>,
    permit: Option<Permit>,
}

impl<I, O> AnswerWithPermit<I, O> {
    /// Releases the permit and returns the answer.
    pub(super) fn take(mut self) -> Answer<I, O> {
        // First: a caller that has its answer can count on the permit being free.
        drop(self.permit.take());
        self.answer.take().expect("only `take` takes it, and consumes the answer")
    }
}

impl<I, O> Drop for AnswerWithPermit<I, O> {
    fn drop(&mut self) {
        // A stream may be dropped after a worker has seen that it exists, and before the worker sends the answer. Then
        // the channel drops the answer, on the thread that drops the last sender. The user's `Drop` may panic there.
        discard(self.answer.take());
    }
}

/// A request whose item has ended, and its answer, which is to be sent.
#[must_use = "its caller waits for the answer"]
pub(super) struct Answered<I, O> {
    reply: Reply<I, O>,
    answer: Answer<I, O>,
    /// Goes with the answer to the stream.
    permit: Option<Permit>,
}

impl<I, O> Answered<I, O> {
    /// Ends the item. Its permit is released before the answer can be seen, or it goes with the answer to the stream.
    pub(super) fn new(reply: Reply<I, O>, answer: Answer<I, O>, mut permit: Option<Permit>) -> Self {
        match reply {
            Reply::Submission(_) => drop(permit.take()),
            // The work has ended, so a drain need not wait until the consumer takes the answer.
            Reply::Stream { .. } => permit.iter_mut().for_each(Permit::complete),
        }
        Self { reply, answer, permit }
    }

    /// Sends the answer if it goes to a stream; returns it otherwise.
    pub(super) fn send_to_stream(self) -> Option<Self> {
        match self.reply {
            Reply::Submission(_) => Some(self),
            Reply::Stream { .. } => {
                self.send();
                None
            }
        }
    }

    /// Sends the answer, and wakes the task that waits for it.
    pub(super) fn send(self) {
        let Self { reply, answer, permit } = self;
        match reply {
            Reply::Submission(reply) => {
                // An error if the submission was dropped.
                if let Err(answer) = reply.send(answer) {
                    discard(answer);
                }
            }
            Reply::Stream { sender: AnswerSender { answers, channel }, .. } => {
                // An error if the stream was dropped; the answer is discarded then.
                let _ = answers.send(AnswerWithPermit { answer: Some(answer), permit });
                // A refused request no longer waits for a permit.
                channel.sink.wake();
            }
        }
    }
}

impl<I, O> Reply<I, O> {
    pub(super) fn wake_sink(&self) {
        if let Self::Stream { sender, .. } = self {
            sender.channel.sink.wake();
        }
    }
}

impl<I: Send, O: Send> Runner<O> for Reply<I, O> {
    /// Returns true if the submission or the stream that waits for the answer was dropped.
    fn is_cancelled(&self) -> bool {
        match self {
            Self::Submission(reply) => reply.is_closed(),
            Self::Stream { sender, .. } => sender.answers.is_closed(),
        }
    }
}
