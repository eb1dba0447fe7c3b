//! Why a handler has no result, as an answer.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, ContentType, RETRY_AFTER};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use thiserror::Error;

use super::failure::chain;
use crate::error::{ItemError, PipelineError};
use crate::logging;
use crate::pool::{Pool, SubmitError};

/// Why [`submit`](super::submit) and [`submit_within`](super::submit_within) have no result, or
/// [`Streams`](super::Streams) no permit. A handler may return it with `?`.
///
/// | | answer |
/// |---|---|
/// | [`Full`](Self::Full) | 503, `Retry-After` |
/// | [`Late`](Self::Late) | 504 |
/// | [`Failed`](Self::Failed) | 500 |
/// | [`Closed`](Self::Closed) | 503 |
/// | [`OwnPool`](Self::OwnPool) | 500 |
///
/// The answer to a failed item says that it failed and nothing else: the panic's message or the work's error goes to the
/// log, at level `warn`. Whoever wants to tell more takes it from [`item_error`](Self::item_error) and answers otherwise.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Refused {
    /// All credit is taken, or all permits for streams are out.
    #[error("the server is busy: try again in {} s", seconds(*retry_after))]
    Full {
        /// How long an item that is submitted now would wait, by [`Pool::expected_wait`]; zero before any was measured.
        /// From [`submit_within`](super::submit_within) it is at most the deadline, and from
        /// [`Streams::permit`](super::Streams::permit) what the application chose.
        /// The header has it in whole seconds, at least 1.
        retry_after: Duration,
    },
    /// The result was not there in time.
    #[error("not done within {deadline:?}")]
    Late {
        /// The time that it had.
        deadline: Duration,
    },
    /// The work on the item panicked or returned an error.
    #[error(transparent)]
    Failed(ItemError),
    /// The pool is at its end, or no more streams are begun.
    #[error("the server is about to end: try again elsewhere")]
    Closed {
        /// What ended the pool, if nobody asked for it.
        #[source]
        error: Option<PipelineError>,
    },
    /// The caller is a worker of the same pool.
    #[error("submitted by a worker of the same pool")]
    OwnPool,
}

impl Refused {
    pub(super) fn by<I: Send + 'static, O: Send + 'static>(pool: &Pool<I, O>, error: SubmitError<I>) -> Self {
        match error {
            SubmitError::Full(_) => Self::Full { retry_after: pool.expected_wait().unwrap_or_default() },
            SubmitError::Failed(error) => Self::Failed(error),
            SubmitError::OwnPool(_) => Self::OwnPool,
            SubmitError::Lost { error, .. } => Self::Closed { error: Some(error) },
            SubmitError::Closed(_) | SubmitError::Stopped { .. } => Self::Closed { error: None },
        }
    }

    /// The error of the item, if it is the item's work that failed.
    pub fn item_error(&self) -> Option<&ItemError> {
        match self {
            Self::Failed(error) => Some(error),
            _ => None,
        }
    }
}

impl ResponseError for Refused {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Full { .. } | Self::Closed { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Late { .. } => StatusCode::GATEWAY_TIMEOUT,
            Self::Failed(_) | Self::OwnPool => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponseBuilder::new(self.status_code());
        response.insert_header(ContentType::plaintext()).insert_header((CACHE_CONTROL, "no-store"));
        match self {
            Self::Full { retry_after } => {
                response.insert_header((RETRY_AFTER, seconds(*retry_after)));
                response.body(format!("{self}\n"))
            }
            Self::Late { .. } | Self::Closed { .. } => response.body(format!("{self}\n")),
            Self::Failed(_) | Self::OwnPool => {
                logging::warn!("answered with 500: {}", chain(self));
                response.body("the request could not be worked on\n")
            }
        }
    }
}

/// Whole seconds, not fewer than it takes and at least 1.
fn seconds(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_told_in_whole_seconds_that_suffice() {
        let millis = |millis| seconds(Duration::from_millis(millis));
        assert_eq!((millis(0), millis(1), millis(1000), millis(1001)), (1, 1, 1, 2));
        assert_eq!(seconds(Duration::MAX), u64::MAX);
    }
}
