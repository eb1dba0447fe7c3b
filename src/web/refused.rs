//! The error of a handler that has no result, which is a response.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, ContentType, RETRY_AFTER};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use thiserror::Error;

use crate::error::{ItemError, PipelineError};
use crate::pool::{Pool, RunError, SubmitError};

/// The error of [`submit`](super::submit), [`submit_within`](super::submit_within) and
/// [`Streams::permit`](super::Streams::permit), and what a [`RunError`] becomes with `?`. It is a response: a handler can
/// return it with `?`.
///
/// | error | response |
/// |---|---|
/// | [`Full`](Self::Full) | 503, `Retry-After` |
/// | [`Late`](Self::Late) | 504 |
/// | [`Failed`](Self::Failed), [`Panicked`](Self::Panicked) | 500 |
/// | [`Closed`](Self::Closed) | 503 |
/// | [`OwnPool`](Self::OwnPool) | 500 |
///
/// The responses are text. With the middleware [`refusals`](super::refusals()) they are JSON for clients that prefer
/// it; with [`refusals_with`](super::refusals_with) the application writes them.
///
/// The response for a failed item says only that it failed. The panic's message or the error of the work is logged at
/// level `warn`. To send more to the client, take it from [`item_error`](Self::item_error).
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Refused {
    /// The window of the pool is full, or all permits for streams are taken.
    #[error("the server is busy: try again in {} s", seconds(*retry_after))]
    Full {
        /// The time after which to try again, as [`Pool::expected_wait`] estimates it; zero before the first
        /// measurement. From [`submit_within`](super::submit_within) it is at most the deadline. From
        /// [`Streams::permit`](super::Streams::permit) it is [`Streams::retry_after`](super::Streams::retry_after). The
        /// header has it in whole seconds, rounded up, at least 1.
        retry_after: Duration,
    },
    /// There was no result before the deadline.
    #[error("no result within {deadline:?}")]
    Late {
        /// The time from the submit to the deadline.
        deadline: Duration,
    },
    /// The work on the item panicked or returned an error.
    #[error(transparent)]
    Failed(ItemError),
    /// A closure that was run on [`Workers`](crate::Workers) panicked.
    #[error("the closure panicked: {message}")]
    Panicked {
        /// The message of the panic.
        message: String,
    },
    /// The pool or the streams are closed, or the worker threads could not be started.
    #[error("the server is shutting down: try again later")]
    Closed {
        /// The error that ended the pool, if one did.
        #[source]
        error: Option<PipelineError>,
    },
    /// The caller runs on a worker thread of the same pool or set.
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

    /// The error of the item of a pool, if its work failed.
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
            Self::Failed(_) | Self::Panicked { .. } | Self::OwnPool => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Returns true if the server or its work is at fault. The cause is then logged, and not sent to the client.
    pub(super) fn is_fault(&self) -> bool {
        self.status() == StatusCode::INTERNAL_SERVER_ERROR
    }

    /// The text for the client.
    pub(super) fn message(&self) -> String {
        if self.is_fault() { "the request could not be processed".to_owned() } else { self.to_string() }
    }

    /// The value of `Retry-After`, if there is one.
    pub(super) fn retry_seconds(&self) -> Option<u64> {
        match self {
            Self::Full { retry_after } => Some(seconds(*retry_after)),
            _ => None,
        }
    }

    /// The status and the headers of the response, for a body of text.
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
        self.log_outside_middleware();
        self.build().body(format!("{}\n", self.message()))
    }
}

impl From<RunError> for Refused {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Panicked { message } => Self::Panicked { message },
            RunError::Full { expected_wait } => Self::Full { retry_after: expected_wait.unwrap_or_default() },
            RunError::OwnWorkers => Self::OwnPool,
            RunError::Lost(error) => Self::Closed { error: Some(error) },
        }
    }
}

/// The same response as that of the [`Refused`] that it becomes.
impl ResponseError for RunError {
    fn status_code(&self) -> StatusCode {
        Refused::from(self.clone()).status()
    }

    fn error_response(&self) -> HttpResponse {
        Refused::from(self.clone()).error_response()
    }
}

/// The wait in whole seconds, rounded up, at least 1.
fn seconds(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_rounded_up_to_whole_seconds() {
        let millis = |millis| seconds(Duration::from_millis(millis));
        assert_eq!((millis(0), millis(1), millis(1000), millis(1001)), (1, 1, 1, 2));
        assert_eq!(seconds(Duration::MAX), u64::MAX);
    }
}
