//! Why a submit has no result.

use std::fmt;

use thiserror::Error;

use crate::error::{ItemError, PipelineError};

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

/// What fails an item of a [`Pool`](crate::Pool) whose [`Work`](crate::Work) did not [`emit`](crate::Job::emit) exactly
/// one result; it is the item's [`work_error`](ItemError::work_error).
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the work emitted {emitted} results: in a pool each item has exactly one")]
#[non_exhaustive]
pub struct NotOneResult {
    /// How many it emitted.
    pub emitted: usize,
}
