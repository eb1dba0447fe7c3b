//! Why a submit has no result.

use std::fmt;
use std::time::Duration;

use thiserror::Error;

use crate::error::{ItemError, PipelineError};
use crate::pool::calls::BoxedCall;
use crate::util::panic::discard;

/// Why an item that was submitted to a [`Pool`](crate::Pool) has no result.
///
/// An item whose work never began comes back: see [`into_item`](Self::into_item).
///
/// With the feature `serde` it is `Serialize`, without the item: `{"error":TEXT,"kind":KIND,"causes":[TEXT]}`, where
/// KIND is the variant's name in snake case; [`Failed`](Self::Failed) is serialized as its [`ItemError`].
#[derive(Error)]
#[non_exhaustive]
pub enum SubmitError<I> {
    /// The window is full. Only [`Pool::try_submit`](crate::Pool::try_submit) says so; the others wait.
    #[error("the pool is full: try again later, or wait with `submit`")]
    Full(I),
    /// The pool was drained or stopped before it took the item, or the results have no receiver any more.
    #[error("the pool is closed: it takes in no more items")]
    Closed(I),
    /// The caller is a thread that works for the pool, or that belongs to the set of threads on which the pool works. It
    /// would wait for itself as soon as all of them do.
    #[error(
        "submitted by a thread that works for the same pool or set, which would wait for itself: submit to a pool on \
         other threads"
    )]
    OwnPool(I),
    /// The work on the item panicked, returned an error, or emitted another number of results than one.
    #[error(transparent)]
    Failed(ItemError),
    /// The pool was stopped first.
    #[error("the pool was stopped before the item was done")]
    Stopped {
        /// The item, unless its work had begun or [`Pool::shutdown`](crate::Pool::shutdown) handed it to its caller.
        item: Option<I>,
    },
    /// The pool ended without being asked to, as when the actix System stops.
    #[error("the pool ended before the item was done")]
    Lost {
        /// The item, unless its work had begun.
        item: Option<I>,
        /// What ended the pool.
        #[source]
        error: PipelineError,
    },
}

impl<I> SubmitError<I> {
    /// Returns true if the window was full, so that another try may succeed.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full(_))
    }

    /// Returns true if the pool takes in no more items, so that another try is in vain.
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Closed(_) | Self::Stopped { .. } | Self::Lost { .. })
    }

    /// The error of the item, if it is the item's work that failed.
    pub fn item_error(&self) -> Option<&ItemError> {
        match self {
            Self::Failed(error) => Some(error),
            _ => None,
        }
    }

    /// The item, if its work never began.
    pub fn into_item(self) -> Option<I> {
        match self {
            Self::Full(item) | Self::Closed(item) | Self::OwnPool(item) => Some(item),
            Self::Stopped { item } | Self::Lost { item, .. } => item,
            Self::Failed(_) => None,
        }
    }
}

/// Without the item, which need not be `Debug`.
impl<I> fmt::Debug for SubmitError<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(_) => f.write_str("Full"),
            Self::Closed(_) => f.write_str("Closed"),
            Self::OwnPool(_) => f.write_str("OwnPool"),
            Self::Failed(error) => f.debug_tuple("Failed").field(error).finish(),
            Self::Stopped { item } => f.debug_struct("Stopped").field("item_is_back", &item.is_some()).finish(),
            Self::Lost { item, error } => {
                f.debug_struct("Lost").field("item_is_back", &item.is_some()).field("error", error).finish()
            }
        }
    }
}

/// Why a closure that was given to a set of [`Workers`](crate::Workers) has no result: [`Workers::run`](crate::Workers::run).
///
/// With the feature `serde` it is `Serialize`: `{"error":TEXT,"kind":KIND,"causes":[TEXT]}`, where KIND is the variant's
/// name in snake case. With the feature `web` it is a response: 500 or 503, without the message of a panic.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum RunError {
    /// The closure panicked.
    #[error("the closure panicked: {message}")]
    Panicked {
        /// The message of the panic.
        message: String,
    },
    /// As many closures are queued or run as there may be. Only [`Workers::try_run`](crate::Workers::try_run) says so; the
    /// others wait.
    #[error("too many closures are queued: try again later, or wait with `run`")]
    Full {
        /// How long a closure would wait until it begins, by what is before it; `None` before the first was measured.
        expected_wait: Option<Duration>,
    },
    /// The caller is a thread of the same set, which would wait for itself as soon as all of its threads do.
    #[error(
        "run from a thread of the same set, which would wait for itself: call the closure in place, or run it on another set"
    )]
    OwnWorkers,
    /// The set can run nothing: the operating system refused one of its threads.
    #[error("the worker threads can't run it")]
    Lost(#[source] PipelineError),
}

impl RunError {
    pub(super) fn of(error: SubmitError<BoxedCall>) -> Self {
        match error {
            SubmitError::Failed(error) => {
                Self::Panicked { message: error.panic_message().map_or_else(|| error.to_string(), str::to_owned) }
            }
            SubmitError::OwnPool(call) => {
                discard(call);
                Self::OwnWorkers
            }
            SubmitError::Lost { item, error } => {
                discard(item);
                Self::Lost(error)
            }
            // Neither the pool nor its handle leaves this crate: it is full for `try_run` alone, and not stopped.
            SubmitError::Full(call) | SubmitError::Closed(call) | SubmitError::Stopped { item: Some(call) } => {
                discard(call);
                Self::Lost(LOST)
            }
            SubmitError::Stopped { item: None } => Self::Lost(LOST),
        }
    }

    /// Returns true if too many closures were queued, so that another try may succeed.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full { .. })
    }

    /// The message of the panic, if the closure panicked.
    pub fn panic_message(&self) -> Option<&str> {
        match self {
            Self::Panicked { message } => Some(message),
            _ => None,
        }
    }
}

const LOST: PipelineError = PipelineError::ActorLost { actor: "a worker thread" };

/// What fails an item of a [`Pool`](crate::Pool) whose [`Work`](crate::Work) did not [`emit`](crate::Job::emit) exactly
/// one result; it is the item's [`work_error`](ItemError::work_error).
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the work emitted {emitted} results: in a pool each item has exactly one")]
#[non_exhaustive]
pub struct NotOneResult {
    /// How many it emitted.
    pub emitted: usize,
}
