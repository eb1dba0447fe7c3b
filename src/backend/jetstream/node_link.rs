//! A node's link to coordinators over JetStream.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::consumer::{Consumer, pull};
use async_nats::jetstream::kv::{Entry, Operation, Watch};
use async_nats::jetstream::{AckKind, Message};
use async_nats::{StatusCode, Subscriber};
use bytes::Bytes;
use futures::StreamExt;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

use crate::backend::jetstream::coordinator_link::CANCELLED;
use crate::backend::jetstream::link::{Explained, Link};
use crate::backend::jetstream::names::{self, RunName};
use crate::backend::jetstream::streams::{KEPT, SIGN};
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

/// How much later than it should a pull ends on a server that no longer knows of it. No answer comes if the consumer is gone.
const OVERDUE: Duration = Duration::from_secs(2);

/// How long the watch of cancelled runs may take to show what is there.
const WATCH: Duration = Duration::from_secs(5);
const WATCH_AGAIN: Duration = Duration::from_secs(1);

/// How long the end of a node may wait for its last answers and acknowledgements.
const FAREWELL: Duration = Duration::from_secs(3);

/// How long a job that was given back waits: until all pulls that were out have ended, of nodes that drain at a time. Otherwise
/// it could come to one of these again and again, as one that ends its nodes does.
const GIVEN_BACK: Duration = Duration::from_millis(750);

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
    cancelled: watch::Receiver<HashMap<String, Instant>>,
    /// What is known of the jobs of each kind, in the order of `kinds`.
    queues: Vec<Queue>,
    /// How often slots have asked for a job: each begins with another kind.
    asked: Cell<usize>,
    /// When a slot last looked for jobs of kinds that no slot waits for.
    looked: Cell<Instant>,
    /// Wakes a slot that waits because another slot waits for each kind.
    found: Notify,
    /// Pulls that were dropped, whose jobs are given back.
    returning: RefCell<JoinSet<()>>,
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
        let (sender, cancelled) = watch::channel(HashMap::new());
        let runs = Runs { link: link.clone(), sender };
        let watching = link.patiently(async || runs.watch().await).await?;
        tokio::task::spawn_local(runs.follow(watching));
        let queues = kinds.iter().map(|_| Queue::default()).collect();
        let opened = Self(Rc::new(Inner {
            link,
            kinds,
            consumers: RefCell::default(),
            cancelled,
            queues,
            asked: Cell::new(0),
            looked: Cell::new(Instant::now()),
            found: Notify::new(),
            returning: RefCell::default(),
            answered: RefCell::default(),
        }));
        for kind in &opened.0.kinds {
            opened.0.link.patiently(async || opened.consumer(kind).await).await?;
        }
        Ok(opened)
    }

    /// What is published without a connection waits in the client, which takes no more at some time.
    fn is_connected(&self) -> bool {
        self.0.link.client.connection_state() == State::Connected
    }

    /// Waits until there is a connection.
    async fn connected(&self) -> Result<(), LinkError> {
        let mut connections = self.0.link.connections.clone();
        connections.mark_unchanged();
        while !self.is_connected() {
            let changed = connections.changed().await;
            changed.map_err(|_| LinkError::new("there is no connection", "and none is made"))?;
        }
        Ok(())
    }

    async fn tell_run(&self, run: &RunName, message: Bytes) {
        if !self.is_connected() {
            return;
        }
        if let Err(error) = self.0.link.client.publish(names::nodes_of_run(run), message).await {
            log::debug!("the coordinator of run {run} could not be told of the node: {error}");
        }
    }

    /// Takes a job of a kind; `None` if there is none within `expires`.
    async fn take(&self, at: usize, expires: Duration) -> Result<Option<Delivery>, LinkError> {
        let Inner { kinds, queues, found, .. } = &*self.0;
        let pulled = self.forgetting(at, self.pull(&kinds[at], expires).await)?;
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

    /// A job of a kind; `None` if there is none within `expires`.
    async fn pull(&self, kind: &Kind, expires: Duration) -> Result<Option<Message>, LinkError> {
        let (link, what) = (&self.0.link, "a job could not be pulled");
        let mut connections = link.connections.clone();
        connections.mark_unchanged();
        let consumer = self.consumer(kind).await?;
        let inbox = link.client.new_inbox();
        let until = Instant::now() + expires + OVERDUE;
        let mut pull = Pull::listen(self, inbox.clone(), until).await?;
        // Without a heartbeat: jobs come one by one.
        let one = pull::BatchConfig { batch: 1, expires: Some(expires), ..Default::default() };
        consumer.request_batch(one, inbox.into()).await.explained(link, what)?;
        // The server forgets a pull when it restarts, and answers none whose consumer it has lost.
        tokio::select! {
            biased;
            answer = pull.answer() => answer,
            Ok(()) = connections.changed() => Err(link.explain(what, "the connection was made again meanwhile")),
            () = sleep_until(until) => {
                Err(link.explain(what, "the server did not answer, so it may have lost the consumer"))
            }
        }
    }
}

/// A pull, from before it is sent. If it is dropped without an answer, as when the node drains, a job may be on its way: it is
/// given back, and need not wait until the server misses its acknowledgement. To unsubscribe would not do: the client drops
/// what the server sends before it knows of that.
struct Pull {
    jobs: JobsLink,
    /// When the server has answered, if it does.
    until: Instant,
    /// `None` once the answer has come.
    subscriber: Option<Subscriber>,
}

impl Pull {
    async fn listen(jobs: &JobsLink, inbox: String, until: Instant) -> Result<Self, LinkError> {
        let subscriber = jobs.0.link.client.subscribe(inbox).await;
        let subscriber = subscriber.explained(&jobs.0.link, "a job could not be pulled")?;
        Ok(Self { jobs: jobs.clone(), until, subscriber: Some(subscriber) })
    }

    async fn answer(&mut self) -> Result<Option<Message>, LinkError> {
        let link = &self.jobs.0.link;
        let subscriber = self.subscriber.as_mut().expect("there is one answer");
        let answer = subscriber.next().await;
        self.subscriber = None;
        let message = answer.ok_or_else(|| LinkError::new("a job could not be pulled", "the connection has ended"))?;
        match message.status {
            _ if is_job(&message) => Ok(Some(Message { context: link.context.clone(), message })),
            Some(StatusCode::TIMEOUT | StatusCode::NOT_FOUND) | None => Ok(None),
            Some(status) => {
                let said = message.description.as_deref().unwrap_or("no reason");
                Err(link.explain("a job could not be pulled", format_args!("{status}, {said}")))
            }
        }
    }
}

impl Drop for Pull {
    fn drop(&mut self) {
        let Some(mut subscriber) = self.subscriber.take() else { return };
        let (inner, until) = (&self.jobs.0, self.until);
        let context = inner.link.context.clone();
        let mut returning = inner.returning.borrow_mut();
        while returning.try_join_next().is_some() {}
        returning.spawn_local(async move {
            if let Ok(Some(message)) = timeout_at(until, subscriber.next()).await
                && is_job(&message)
                && let Err(error) = (Message { context, message }).ack_with(AckKind::Nak(Some(GIVEN_BACK))).await
            {
                log::warn!("a job could not be given back: {error}");
            }
        });
    }
}

/// Whether the answer to a pull is a job, and not the reason for which there is none.
fn is_job(message: &async_nats::Message) -> bool {
    matches!(message.status, None | Some(StatusCode::OK))
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
            self.connected().await?;
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
            // So an idle node sends as many requests as it has kinds, and not as it has slots.
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
        let (mut cancelled, run) = (self.0.cancelled.clone(), delivery.run.clone());
        async move {
            // An error if the node ends.
            if cancelled.wait_for(|cancelled| cancelled.contains_key(run.as_str())).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    async fn progress(&self, delivery: &Delivery) -> Result<(), LinkError> {
        if !self.is_connected() {
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
        self.connected().await?;
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
        let mut returning = self.0.returning.take();
        let closing = async {
            while returning.join_next().await.is_some() {}
            // The process may exit once the node has ended, and its last acknowledgements wait to be sent.
            self.0.link.client.flush().await
        };
        // Without a server this has no end.
        if !matches!(timeout(FAREWELL, closing).await, Ok(Ok(()))) {
            log::warn!("the server may not know of all that the node has ended or given back");
        }
    }
}

/// Follows which runs are cancelled.
struct Runs {
    link: Link,
    sender: watch::Sender<HashMap<String, Instant>>,
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
            // Of a record that becomes too old a watch shows nothing.
            cancelled.retain(|_, noted| noted.elapsed() < KEPT);
            if is_cancelled {
                cancelled.insert(entry.key, Instant::now()).is_none()
            } else {
                cancelled.remove(&entry.key).is_some()
            }
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
