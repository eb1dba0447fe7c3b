//! What the tasks on the thread of a connection use of it.

use std::fmt;

use async_nats::Client;
use async_nats::jetstream::Context;
use tokio::sync::watch;

use crate::backend::jetstream::connection::{Complaint, Settings};
use crate::backend::jetstream::streams::MAX_MESSAGE;
use crate::backend::link::LinkError;

/// A connection, as its tasks see it. Cheap to clone.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) client: Client,
    pub(super) context: Context,
    pub(super) settings: Settings,
    pub(super) complaint: Complaint,
    /// Changes when the connection was made again. The server may have been restarted, and know nothing of what it was
    /// asked before.
    pub(super) connections: watch::Receiver<u64>,
}

impl Link {
    /// An error, with what the server said outside of its reply.
    pub(super) fn explain(&self, what: &str, error: impl fmt::Display) -> LinkError {
        match self.complaint.take() {
            Some(complaint) => LinkError(format!("{what}: {error} (the server says: {complaint})")),
            None => LinkError::new(what, error),
        }
    }

    /// The longest message that the server and the streams take.
    pub(super) fn max_message(&self) -> usize {
        self.client.max_payload().min(MAX_MESSAGE as usize)
    }
}

/// A result whose error is [explained](Link::explain).
pub(super) trait Explained<T> {
    fn explained(self, link: &Link, what: &str) -> Result<T, LinkError>;
}

impl<T, E: fmt::Display> Explained<T> for Result<T, E> {
    fn explained(self, link: &Link, what: &str) -> Result<T, LinkError> {
        self.map_err(|error| link.explain(what, error))
    }
}
