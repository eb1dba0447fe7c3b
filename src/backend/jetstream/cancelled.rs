//! How a node learns that a run is cancelled: it watches the records of runs.

use std::collections::HashMap;
use std::future::pending;
use std::time::Duration;

use async_nats::jetstream::kv::{Entry, Operation, Watch};
use bytes::Bytes;
use futures::StreamExt;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use crate::backend::jetstream::coordinator_link::CANCELLED;
use crate::backend::jetstream::link::{Explained, Link};
use crate::backend::jetstream::names::RunName;
use crate::backend::jetstream::streams::{KEPT, SIGN};
use crate::backend::link::LinkError;
use crate::util::log;

/// How long the watch may take to show what is there, and how soon another one is tried.
const WATCH: Duration = Duration::from_secs(5);
const WATCH_AGAIN: Duration = Duration::from_secs(1);

/// The runs that are cancelled.
#[derive(Clone)]
pub(super) struct Cancelled(watch::Receiver<Runs>);

/// By their names, each with the time from which on that is known.
type Runs = HashMap<String, Instant>;

/// Follows which runs are cancelled.
struct Following {
    link: Link,
    sender: watch::Sender<Runs>,
}

impl Cancelled {
    /// Follows them, by a task on this thread that ends with the last clone.
    ///
    /// # Errors
    ///
    /// If the node could not learn that a run is cancelled.
    pub(super) async fn follow(link: &Link) -> Result<Self, LinkError> {
        let (sender, runs) = watch::channel(Runs::new());
        let following = Following { link: link.clone(), sender };
        let watch = link.patiently(async || following.watch().await).await?;
        tokio::task::spawn_local(following.follow(watch));
        Ok(Self(runs))
    }

    /// Ready once a run is cancelled.
    pub(super) async fn wait(mut self, run: RunName) {
        // An error if the node ends.
        if self.0.wait_for(|runs| runs.contains_key(run.as_str())).await.is_err() {
            pending().await
        }
    }
}

impl Following {
    /// A watch that works: it has shown what is there.
    async fn watch(&self) -> Result<Watch, LinkError> {
        let runs = self.link.runs().await?;
        let watch = runs.watch_with_history(">").await;
        let mut watch = watch.explained(&self.link, "cancelled runs could not be watched")?;
        let deaf = || self.link.explain("the watch of cancelled runs shows nothing", "it may need a permission");
        // A permission that is missing is no error: the watch would just show nothing.
        let signed = runs.put(SIGN, Bytes::from_static(b"here")).await;
        let sign = signed.explained(&self.link, "the bucket of runs could not be signed")?;
        let follow = async {
            while let Some(next) = watch.next().await {
                let entry = next.map_err(|error| LinkError::new("the watch of cancelled runs has failed", error))?;
                let is_signed = entry.revision >= sign;
                self.note(entry);
                if is_signed {
                    return Ok(());
                }
            }
            Err(deaf())
        };
        timeout(WATCH, follow).await.map_err(|_| deaf())??;
        Ok(watch)
    }

    fn note(&self, entry: Entry) {
        let is_cancelled = entry.operation == Operation::Put && entry.value == CANCELLED;
        self.sender.send_if_modified(|runs| {
            // Of a record that becomes too old a watch shows nothing.
            runs.retain(|_, noted| noted.elapsed() < KEPT);
            if is_cancelled {
                runs.insert(entry.key, Instant::now()).is_none()
            } else {
                runs.remove(&entry.key).is_some()
            }
        });
    }

    /// Follows the watch while the node lives, and makes another one where it ends, or the connection was made again: a
    /// server that has lost the bucket would show no more of a new one until it is as long as the old one was.
    async fn follow(self, mut watch: Watch) {
        let mut reconnected = self.link.reconnected();
        loop {
            let next = tokio::select! {
                next = watch.next() => next,
                Ok(()) = reconnected.changed() => None,
                () = self.sender.closed() => return,
            };
            match next {
                Some(Ok(entry)) => self.note(entry),
                Some(Err(error)) => log::warn!("the watch of cancelled runs has failed: {error}"),
                None => loop {
                    match self.watch().await {
                        Ok(again) => {
                            watch = again;
                            break;
                        }
                        Err(error) => log::warn!("cancelled runs can't be watched, which is tried again: {error}"),
                    }
                    tokio::select! {
                        () = sleep(WATCH_AGAIN) => {}
                        () = self.sender.closed() => return,
                    }
                },
            }
        }
    }
}
