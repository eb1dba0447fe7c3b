//! What the tasks on the thread of a connection use of it.

use std::fmt;
use std::time::{Duration, Instant};

use async_nats::Client;
use async_nats::connection::State;
use async_nats::jetstream::Context;
use tokio::sync::watch;

use crate::backend::jetstream::complaint::Complaint;
use crate::backend::jetstream::connection::Settings;
use crate::backend::jetstream::streams::MAX_MESSAGE;
use crate::backend::link::LinkError;
use crate::util::log;

/// How long a cluster may take to elect a leader: it takes some seconds. What begins meanwhile waits for it.
const ELECTION: Duration = Duration::from_secs(60);

/// How soon it is asked again.
const AGAIN: Duration = Duration::from_millis(500);

/// A connection, as its tasks see it. Cheap to clone.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) client: Client,
    pub(super) context: Context,
    pub(super) settings: Settings,
    pub(super) complaint: Complaint,
    /// How often the connection was made.
    pub(super) connections: watch::Receiver<u64>,
}

impl Link {
    /// An error, with what was said outside of a reply.
    pub(super) fn explain(&self, what: &str, error: impl fmt::Display) -> LinkError {
        match self.complaint.take() {
            Some(complaint) => LinkError(format!("{what}: {error} ({complaint})")),
            None => LinkError::new(what, error),
        }
    }

    /// Calls the server for what begins, and is not begun again if it fails: in a cluster again and again for a while. One that
    /// elects a leader refuses what it does later, doesn't answer, or knows nothing yet of a stream that it has just created.
    pub(super) async fn patiently<T>(&self, call: impl AsyncFn() -> Result<T, LinkError>) -> Result<T, LinkError> {
        let (began, patience) = (Instant::now(), self.settings.outage.min(ELECTION));
        loop {
            let refusals = self.complaint.refusals();
            let error = match call().await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            // Where a permission is missing, no leader changes that.
            let is_refused = self.complaint.refusals() > refusals;
            if is_refused || self.client.server_info().cluster.is_none() || began.elapsed() > patience {
                return Err(error);
            }
            log::warn!("the cluster may have no leader, and is asked again: {error}");
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Changes when the connection is made again. The server may have been restarted, and know nothing of what it was asked
    /// before.
    pub(super) fn reconnected(&self) -> watch::Receiver<u64> {
        let mut connections = self.connections.clone();
        connections.mark_unchanged();
        connections
    }

    /// What is published without a connection waits in the client, which takes no more at some time.
    pub(super) fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// Waits until there is a connection.
    pub(super) async fn connected(&self) -> Result<(), LinkError> {
        let mut reconnected = self.reconnected();
        while !self.is_connected() {
            let changed = reconnected.changed().await;
            changed.map_err(|_| LinkError::new("there is no connection", "and none is made"))?;
        }
        Ok(())
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
