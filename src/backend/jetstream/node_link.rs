//! A node's link to coordinators over JetStream.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use async_nats::jetstream::consumer::{Consumer, pull};
use async_nats::jetstream::kv::{Entry, Operation, Watch};
use async_nats::jetstream::{AckKind, Message};
use bytes::Bytes;
use futures::StreamExt;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::backend::jetstream::coordinator_link::CANCELLED;
use crate::backend::jetstream::link::{Explained, Link};
use crate::backend::jetstream::names::{self, RunName};
use crate::backend::jetstream::streams::SIGN;
use crate::backend::kinds::Kind;
use crate::backend::link::{Delivered, LinkError, NodeLink, Settled};
use crate::util::log;

/// How long a slot waits for a job of one kind before it asks again: with several kinds, it goes on to the next one.
const PULL: Duration = Duration::from_secs(5);
const PULL_OF_SEVERAL: Duration = Duration::from_millis(250);

/// How long it waits for a job that was there a moment ago: another slot may have it by now.
const PULL_OF_QUEUED: Duration = Duration::from_millis(50);

/// How much later than it should a pull ends on a server that no longer knows of it. No answer comes if the consumer is gone.
const OVERDUE: Duration = Duration::from_secs(2);

/// How long the watch of cancelled runs may take to show what is there.
const WATCH: Duration = Duration::from_secs(5);
const WATCH_AGAIN: Duration = Duration::from_secs(1);

/// How long a job that was given back waits.
const GIVEN_BACK: Duration = Duration::from_millis(100);

/// A node over JetStream.
#[derive(Clone)]
pub(super) struct JobsLink(Rc<Inner>);

struct Inner {
    link: Link,
    kinds: Vec<Kind>,
    /// Made for the first job, and again after an error.
    consumers: RefCell<HashMap<Kind, Consumer<pull::Config>>>,
    cancelled: watch::Receiver<HashSet<String>>,
    /// How often slots have asked for a job.
    asked: Cell<usize>,
}

/// A job that was delivered.
pub(super) struct Delivery {
    message: Message,
    kind: Kind,
    run: RunName,
    first: u64,
    deliveries: u64,
}

impl Delivered for Delivery {
    fn kind(&self) -> &str {
        self.kind.as_str()
    }

    fn payload(&self) -> &[u8] {
        &self.message.payload
    }

    fn deliveries(&self) -> u64 {
        self.deliveries
    }
}

impl JobsLink {
    /// Opens the link. Its tasks run on this thread.
    ///
    /// # Errors
    ///
    /// Where the node could not learn that a run is cancelled, or has no access to the jobs.
    pub(super) async fn open(link: Link, kinds: Vec<Kind>) -> Result<Self, LinkError> {
        let (sender, cancelled) = watch::channel(HashSet::new());
        let runs = Runs { link: link.clone(), sender };
        let watching = runs.watch().await?;
        tokio::task::spawn_local(runs.follow(watching));
        let opened =
            Self(Rc::new(Inner { link, kinds, consumers: RefCell::default(), cancelled, asked: Cell::new(0) }));
        for kind in &opened.0.kinds {
            opened.consumer(kind).await?;
        }
        Ok(opened)
    }

    async fn consumer(&self, kind: &Kind) -> Result<Consumer<pull::Config>, LinkError> {
        if let Some(consumer) = self.0.consumers.borrow().get(kind) {
            return Ok(consumer.clone());
        }
        let consumer = self.0.link.consumer(kind).await?;
        self.0.consumers.borrow_mut().insert(kind.clone(), consumer.clone());
        Ok(consumer)
    }

    /// Returns true if jobs of a kind are queued. A pull that does not wait would tell as well, but one that comes a moment too
    /// late is kept by the server for ever.
    async fn are_queued(&self, kind: &Kind) -> Result<bool, LinkError> {
        let info = self.consumer(kind).await?.get_info().await;
        let info = info.explained(&self.0.link, "it can't be seen which jobs are queued")?;
        Ok(info.num_pending > 0)
    }

    /// A job of a kind; `None` if there is none within `expires`.
    async fn pull(&self, kind: &Kind, expires: Duration) -> Result<Option<Message>, LinkError> {
        let (link, what) = (&self.0.link, "a job could not be pulled");
        let mut connections = link.connections.clone();
        connections.mark_unchanged();
        let consumer = self.consumer(kind).await?;
        // Without a heartbeat, with which the client waits for five seconds more than it should.
        let messages = consumer.batch().max_messages(1).expires(expires).messages().await;
        let mut messages = messages.explained(link, what)?;
        // The server forgets a pull when it restarts, and answers none whose consumer it has lost.
        tokio::select! {
            biased;
            message = messages.next() => message.transpose().explained(link, what),
            Ok(()) = connections.changed() => Err(link.explain(what, "the connection was made again meanwhile")),
            () = sleep(expires + OVERDUE) => {
                Err(link.explain(what, "the server did not answer, so it may have lost the consumer"))
            }
        }
    }
}

impl NodeLink for JobsLink {
    type Delivery = Delivery;

    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + 'static {
        sleep(duration)
    }

    fn max_message(&self) -> usize {
        self.0.link.max_message()
    }

    fn patience(&self) -> Duration {
        self.0.link.settings.ack_wait
    }

    async fn next(&self, slot: usize) -> Result<Option<Delivery>, LinkError> {
        let kinds = &self.0.kinds;
        // Each slot begins with another kind, and then with the one after that.
        let begin = slot.wrapping_add(self.0.asked.replace(self.0.asked.get().wrapping_add(1)));
        let in_turn = || (0..kinds.len()).map(|at| &kinds[begin.wrapping_add(at) % kinds.len()]);
        let has_several = kinds.len() > 1;
        // First those of which there are jobs, so that a kind without any does not slow down the others.
        let looks = in_turn().filter(|_| has_several).map(|kind| (kind, true));
        for (kind, looks) in looks.chain(in_turn().map(|kind| (kind, false))) {
            let message = async {
                if looks && !self.are_queued(kind).await? {
                    return Ok(None);
                }
                let expires = match (looks, has_several) {
                    (true, _) => PULL_OF_QUEUED,
                    (false, true) => PULL_OF_SEVERAL,
                    (false, false) => PULL,
                };
                self.pull(kind, expires).await
            };
            let message = match message.await {
                Ok(message) => message,
                Err(error) => {
                    // The consumer may be gone, with a server that has lost its files.
                    self.0.consumers.borrow_mut().remove(kind);
                    return Err(error);
                }
            };
            let Some(message) = message else { continue };
            let parsed = names::parse_job(&message.subject);
            let deliveries = message.info().ok().and_then(|info| u64::try_from(info.delivered).ok());
            match (parsed, deliveries) {
                (Some((kind, run, first)), Some(deliveries)) => {
                    return Ok(Some(Delivery { message, kind, run, first, deliveries }));
                }
                _ => {
                    log::warn!("a job on the subject {:?} is dropped, which no coordinator sends on", message.subject);
                    let _ = message.ack_with(AckKind::Term).await;
                    // There may be more at once.
                    return Ok(None);
                }
            }
        }
        Ok(None)
    }

    fn cancelled(&self, delivery: &Delivery) -> impl Future<Output = ()> + 'static {
        let (mut cancelled, run) = (self.0.cancelled.clone(), delivery.run.clone());
        async move {
            // An error if the node ends.
            if cancelled.wait_for(|cancelled| cancelled.contains(run.as_str())).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    async fn progress(&self, delivery: &Delivery) -> Result<(), LinkError> {
        let told = delivery.message.ack_with(AckKind::Progress).await;
        told.map_err(|error| LinkError::new("progress could not be told", error))
    }

    async fn answer(&self, delivery: &Delivery, outcomes: Vec<u8>) -> Result<(), LinkError> {
        let Inner { link, .. } = &*self.0;
        let (subject, what) = (names::result(&delivery.run, delivery.first), "outcomes could not be sent");
        let sent = link.context.publish(subject, outcomes.into()).await.explained(link, what)?;
        sent.await.map(drop).explained(link, what)
    }

    async fn settle(&self, delivery: &Delivery, how: Settled) -> Result<(), LinkError> {
        let kind = match how {
            Settled::Answered => AckKind::Ack,
            Settled::Dropped => AckKind::Term,
            Settled::GivenBack => AckKind::Nak(Some(GIVEN_BACK)),
        };
        let settled = delivery.message.ack_with(kind).await;
        settled.map_err(|error| LinkError::new("the server could not be told", error))
    }
}

/// Follows which runs are cancelled.
struct Runs {
    link: Link,
    sender: watch::Sender<HashSet<String>>,
}

impl Runs {
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
        self.sender.send_if_modified(|cancelled| {
            if is_cancelled { cancelled.insert(entry.key) } else { cancelled.remove(&entry.key) }
        });
    }

    /// Follows the watch while the node lives, and makes another one where it ends, or the connection was made again: a
    /// server that has lost the bucket would show no more of a new one until it is as long as the old one was.
    async fn follow(self, mut watch: Watch) {
        let mut connections = self.link.connections.clone();
        connections.mark_unchanged();
        loop {
            let next = tokio::select! {
                next = watch.next() => next,
                Ok(()) = connections.changed() => None,
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
