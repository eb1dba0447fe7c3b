//! Why a handler has no result, as an answer.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, ContentType, RETRY_AFTER};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use thiserror::Error;

use crate::error::{ItemError, PipelineError};
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
/// The answers are text; with the middleware [`refusals`](super::refusals()) they are JSON for clients that prefer it, or
/// what the application makes of them.
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

impl Refused {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Full { .. } | Self::Closed { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Late { .. } => StatusCode::GATEWAY_TIMEOUT,
            Self::Failed(_) | Self::OwnPool => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Returns true if the server, or its work, is at fault: the log is told why, the client isn't.
    pub(super) fn is_fault(&self) -> bool {
        self.status() == StatusCode::INTERNAL_SERVER_ERROR
    }

    /// What the client is told.
    pub(super) fn told(&self) -> String {
        if self.is_fault() { "the request could not be worked on".to_owned() } else { self.to_string() }
    }

    pub(super) fn retry_seconds(&self) -> Option<u64> {
        match self {
            Self::Full { retry_after } => Some(seconds(*retry_after)),
            _ => None,
        }
    }

    /// The answer, up to its body, which is text unless that is changed.
    pub(super) fn build(&self) -> HttpResponseBuilder {
        let mut response = HttpResponseBuilder::new(self.status());
        response.insert_header(ContentType::plaintext()).insert_header((CACHE_CONTROL, "no-store"));
        if let Some(seconds) = self.retry_seconds() {
            response.insert_header((RETRY_AFTER, seconds));
        }
        response
    }
}

impl ResponseError for Refused {
    fn status_code(&self) -> StatusCode {
        self.status()
    }

    fn error_response(&self) -> HttpResponse {
        self.log_unless_looked_at();
        self.build().body(format!("{}\n", self.told()))
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
