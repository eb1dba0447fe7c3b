//! A node's link to coordinators over JetStream.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use async_nats::jetstream::consumer::{Consumer, pull};
use async_nats::jetstream::{AckKind, Message};
use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use crate::backend::jetstream::cancelled::Cancelled;
use crate::backend::jetstream::link::{Explained, Link};
use crate::backend::jetstream::names::{self, RunName};
use crate::backend::jetstream::pull::{GIVEN_BACK, Pulls};
use crate::backend::kinds::Kind;
use crate::backend::link::{Delivered, LinkError, NodeLink, Settled};
use crate::util::log;

/// How long a slot waits for a job of one kind before it asks again, or goes on to another kind. A node that drains waits for
/// as long: what the server has promised to a pull comes, and is given back.
const PULL: Duration = Duration::from_millis(500);

/// How long it waits for a job of a kind of which there were jobs a moment ago: another slot may have it by now.
const PULL_OF_QUEUED: Duration = Duration::from_millis(50);

/// How often a node whose slots are busy with some kinds looks whether there are jobs of the others.
const LOOK: Duration = Duration::from_millis(250);

/// How long the end of a node may wait for its last answers and acknowledgements.
const FAREWELL: Duration = Duration::from_secs(3);

/// A run that was answered within this time is told of the node's end: others have taken the node for gone. Older ones are
/// forgotten once there are so many.
const RECENT: Duration = Duration::from_secs(60);
const RECENT_RUNS: usize = 256;

/// A node over JetStream.
#[derive(Clone)]
pub(super) struct JobsLink(Rc<Inner>);

struct Inner {
    link: Link,
    kinds: Vec<Kind>,
    /// Made for the first job, and again after an error.
    consumers: RefCell<HashMap<Kind, Consumer<pull::Config>>>,
    cancelled: Cancelled,
    pulls: Pulls,
    /// What is known of the jobs of each kind, in the order of `kinds`.
    queues: Vec<Queue>,
    /// How often slots have asked for a job: each begins with another kind.
    asked: Cell<usize>,
    /// When a slot last looked for jobs of kinds that no slot waits for.
    looked: Cell<Instant>,
    /// Wakes a slot that waits because another slot waits for each kind.
    found: Notify,
    /// The runs that were answered, each with the time of the last answer.
    answered: RefCell<HashMap<RunName, Instant>>,
}

/// What a node knows of the jobs of one kind.
#[derive(Default)]
struct Queue {
    /// True if the last pull had a job: there may be more. Any number of slots pull at a time.
    is_filled: Cell<bool>,
    /// True while a slot waits for a job. One is enough, however many slots have nothing to do.
    is_watched: Cell<bool>,
}

/// A slot that waits for a job of one kind. When it ends, another slot may wait for it.
struct Watching<'a>(&'a Queue, &'a Notify);

impl<'a> Watching<'a> {
    fn begin(queue: &'a Queue, found: &'a Notify) -> Self {
        queue.is_watched.set(true);
        Self(queue, found)
    }
}

impl Drop for Watching<'_> {
    fn drop(&mut self) {
        self.0.is_watched.set(false);
        self.1.notify_one();
    }
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
        let cancelled = Cancelled::follow(&link).await?;
        let pulls = Pulls::new(link.clone());
        let queues = kinds.iter().map(|_| Queue::default()).collect();
        let opened = Self(Rc::new(Inner {
            link,
            kinds,
            consumers: RefCell::default(),
            cancelled,
            pulls,
            queues,
            asked: Cell::new(0),
            looked: Cell::new(Instant::now()),
            found: Notify::new(),
            answered: RefCell::default(),
        }));
        for kind in &opened.0.kinds {
            opened.0.link.patiently(async || opened.consumer(kind).await).await?;
        }
        Ok(opened)
    }

    async fn tell_run(&self, run: &RunName, message: Bytes) {
        if !self.0.link.is_connected() {
            return;
        }
        if let Err(error) = self.0.link.client.publish(names::nodes_of_run(run), message).await {
            log::debug!("the coordinator of run {run} could not be told of the node: {error}");
        }
    }

    /// Takes a job of a kind; `None` if there is none within `expires`.
    async fn take(&self, at: usize, expires: Duration) -> Result<Option<Delivery>, LinkError> {
        let Inner { kinds, queues, found, pulls, .. } = &*self.0;
        let pulled = async { pulls.job(&self.consumer(&kinds[at]).await?, expires).await };
        let pulled = self.forgetting(at, pulled.await)?;
        queues[at].is_filled.set(pulled.is_some());
        let Some(message) = pulled else { return Ok(None) };
        // There may be another one. The slot that finds it wakes the next one.
        found.notify_one();
        let parsed = names::parse_job(&message.subject);
        let deliveries = message.info().ok().and_then(|info| u64::try_from(info.delivered).ok());
        match (parsed, deliveries) {
            (Some((kind, run, first)), Some(deliveries)) => {
                Ok(Some(Delivery { message, kind, run, first, deliveries }))
            }
            _ => {
                log::warn!("a job on the subject {:?} is dropped, which no coordinator sends on", message.subject);
                let _ = message.ack_with(AckKind::Term).await;
                Ok(None)
            }
        }
    }

    /// Has the consumer of a kind looked up again after an error: it may be gone, with a server that has lost its files.
    fn forgetting<T>(&self, at: usize, result: Result<T, LinkError>) -> Result<T, LinkError> {
        result.inspect_err(|_| drop(self.0.consumers.borrow_mut().remove(&self.0.kinds[at])))
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
    async fn are_queued(&self, at: usize) -> Result<bool, LinkError> {
        let asked = async {
            let info = self.consumer(&self.0.kinds[at]).await?.get_info().await;
            info.explained(&self.0.link, "it can't be seen which jobs are queued")
        };
        Ok(self.forgetting(at, asked.await)?.num_pending > 0)
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
        loop {
            self.0.link.connected().await?;
            let (kinds, queues) = (self.0.kinds.len(), &self.0.queues);
            let begin = slot.wrapping_add(self.0.asked.replace(self.0.asked.get().wrapping_add(1)));
            let in_turn = || (0..kinds).map(|at| begin.wrapping_add(at) % kinds);
            // While there are jobs of some kinds, no slot may be left that waits for one of the others.
            if queues.iter().any(|queue| queue.is_filled.get()) && self.0.looked.get().elapsed() >= LOOK {
                self.0.looked.set(Instant::now());
                for at in in_turn().filter(|&at| !queues[at].is_filled.get() && !queues[at].is_watched.get()) {
                    match self.are_queued(at).await {
                        Ok(are_queued) => queues[at].is_filled.set(are_queued),
                        // The others have jobs.
                        Err(error) => log::debug!("{error}"),
                    }
                }
            }
            for at in in_turn().filter(|&at| queues[at].is_filled.get()) {
                if let Some(delivery) = self.take(at, PULL_OF_QUEUED).await? {
                    return Ok(Some(delivery));
                }
            }
            // One request per kind, however many slots are idle.
            match in_turn().find(|&at| !queues[at].is_watched.get()) {
                Some(at) => {
                    let _watching = Watching::begin(&queues[at], &self.0.found);
                    return self.take(at, PULL).await;
                }
                None => self.0.found.notified().await,
            }
        }
    }

    fn cancelled(&self, delivery: &Delivery) -> impl Future<Output = ()> + 'static {
        self.0.cancelled.clone().wait(delivery.run.clone())
    }

    async fn progress(&self, delivery: &Delivery) -> Result<(), LinkError> {
        if !self.0.link.is_connected() {
            return Err(LinkError::new("progress could not be told", "there is no connection"));
        }
        let told = delivery.message.ack_with(AckKind::Progress).await;
        told.map_err(|error| LinkError::new("progress could not be told", error))
    }

    async fn answer(&self, delivery: &Delivery, outcomes: Vec<u8>) -> Result<(), LinkError> {
        let Inner { link, answered, .. } = &*self.0;
        {
            let (now, mut runs) = (Instant::now(), answered.borrow_mut());
            if runs.len() >= RECENT_RUNS {
                runs.retain(|_, at| now - *at < RECENT);
            }
            runs.insert(delivery.run.clone(), now);
        }
        let (subject, what) = (names::result(&delivery.run, delivery.first), "outcomes could not be sent");
        self.0.link.connected().await?;
        let sent = link.context.publish(subject, outcomes.into()).await.explained(link, what)?;
        sent.await.map(drop).explained(link, what)
    }

    async fn tell(&self, delivery: &Delivery, message: Vec<u8>) {
        self.tell_run(&delivery.run, message.into()).await;
    }

    async fn farewell(&self, message: Vec<u8>) {
        let (now, runs, message) = (Instant::now(), self.0.answered.take(), Bytes::from(message));
        for (run, _) in runs.into_iter().filter(|(_, at)| now - *at < RECENT) {
            self.tell_run(&run, message.clone()).await;
        }
    }

    async fn settle(&self, delivery: &Delivery, how: Settled) -> Result<(), LinkError> {
        let kind = match how {
            Settled::Answered => AckKind::Ack,
            Settled::Dropped => AckKind::Term,
            Settled::GivenBack => AckKind::Nak(Some(GIVEN_BACK)),
        };
        let settled = timeout(FAREWELL, delivery.message.ack_with(kind)).await;
        let settled = settled.map_err(|_| LinkError::new("the server could not be told", "there is no connection"))?;
        settled.map_err(|error| LinkError::new("the server could not be told", error))
    }

    async fn close(&self) {
        let closing = async {
            self.0.pulls.end().await;
            // The process may exit once the node has ended, and its last acknowledgements wait to be sent.
            self.0.link.client.flush().await
        };
        // Without a server this has no end.
        if !matches!(timeout(FAREWELL, closing).await, Ok(Ok(()))) {
            log::warn!("the server may not know of all that the node has ended or given back");
        }
    }
}
