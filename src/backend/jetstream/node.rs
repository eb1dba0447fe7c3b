//! A node, as an application builds it.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use futures::FutureExt;
use futures::future::Shared;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use crate::backend::jetstream::Nats;
use crate::backend::jetstream::names;
use crate::backend::jetstream::node_link::JobsLink;
use crate::backend::kinds::{Kind, Kinds};
use crate::backend::link::LinkError;
use crate::backend::node::{Limits, NodeServer, Request, Runners, RunsJobs, Shown, run_job};
use crate::error::{BoxError, StartError, Stopped};
use crate::observe::Observer;
use crate::pool::{Pool, PoolBuilder, pool};
use crate::stats::Stats;
use crate::util::log;
use crate::work::closures::{FilterMap, Map, TryMap, sharing};
use crate::work::{Job, Work};

/// A process that works for pipelines on other machines.
///
/// A node has works, by name and version, and runs the batches of any pipeline that asks for one of them, on worker threads
/// of its own. Any number of nodes share the batches of any number of pipelines; they can come and go at any time.
///
/// ```no_run
/// use actix_fan::remote::{Nats, Node};
///
/// # fn is_prime(n: u64) -> bool { n == 2 }
/// # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
/// let nats = Nats::connect("nats://127.0.0.1:4222").await?;
/// let node = Node::builder()
///     .filter_map("primes/1", |n: u64| is_prime(n).then_some(n))
///     .start(&nats)
///     .await?;
/// node.finished().await;
/// # Ok(())
/// # }
/// ```
///
/// # Versions
///
/// The version belongs to the name: a node takes batches of the kinds that it has, and no others. Raise it when the type of
/// the items or of the results changes, or what the work does with them. Nodes with both versions serve during the change.
///
/// # End
///
/// [`drain`](Self::drain) has it take no more batches and end those that it has; [`leave`](Self::leave) has it give these
/// back. Dropping it is the latter. A node that dies gives nothing back: its batches go to others after
/// [`ack_wait`](crate::remote::NatsBuilder::ack_wait).
#[must_use = "dropping a node has it leave"]
pub struct Node {
    name: Arc<str>,
    phase: Arc<watch::Sender<Phase>>,
    /// What outcomes tell from now on.
    is_draining: Arc<AtomicBool>,
    ended: Shared<futures::future::BoxFuture<'static, ()>>,
    pool: Pool<Request, Vec<u8>>,
    jobs: Arc<AtomicU64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Serving,
    Draining,
    Leaving,
}

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// A kind is not a name and a version.
    #[error("{0:?} is no kind of work: a kind has 1 to 32 of a-z, 0-9, - and _, a slash and a version, as in primes/1")]
    Kind(String),
    /// A kind was registered twice.
    #[error("the kind {0} was registered twice")]
    Twice(String),
    /// No kind was registered.
    #[error("a node needs at least one kind of work: register one")]
    NoKind,
    /// The name of the node, or another setting, is out of range.
    #[error("{0}")]
    Setting(String),
    /// Its threads did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The server refused something, or did not answer.
    #[error("the node could not be set up: {0}")]
    Server(String),
}

/// How a [`Node`] is built: made by [`Node::builder`].
#[must_use = "a node serves once it is started"]
pub struct NodeBuilder {
    kinds: Kinds,
    /// The first thing that was wrong.
    error: Option<NodeError>,
    threads: Option<usize>,
    slots: Option<usize>,
    name: Option<String>,
    max_items: u32,
    pool: Box<dyn FnOnce(PoolBuilder) -> PoolBuilder + Send>,
}

impl Node {
    /// Starts to build a node.
    pub fn builder() -> NodeBuilder {
        NodeBuilder {
            kinds: Kinds::default(),
            error: None,
            threads: None,
            slots: None,
            name: None,
            max_items: 1 << 24,
            pool: Box::new(|pool| pool),
        }
    }

    /// What it is called in the statistics of pipelines: the name that it was given, and a part that is new at each start.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Takes no more batches, and ends when those that it has have ended.
    pub fn drain(&self) {
        self.advance(Phase::Draining);
    }

    /// Gives back the batches that it has, and ends. Items that run are cancelled: see
    /// [`Job::is_stopped`](crate::Job::is_stopped).
    pub fn leave(&self) {
        self.advance(Phase::Leaving);
    }

    fn advance(&self, phase: Phase) {
        self.is_draining.store(true, Relaxed);
        self.phase.send_if_modified(|now| {
            let is_later = phase > *now;
            *now = phase.max(*now);
            is_later
        });
    }

    /// Waits until it has ended, by [`drain`](Self::drain) or [`leave`](Self::leave).
    pub fn finished(&self) -> impl Future<Output = ()> + Send + 'static {
        self.ended.clone()
    }

    /// Batches that have ended here.
    pub fn batches(&self) -> u64 {
        self.jobs.load(Relaxed)
    }

    /// The numbers of its threads: each batch is an item.
    pub fn stats(&self) -> Stats {
        self.pool.stats()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.leave();
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("name", &self.name).field("batches", &self.batches()).finish_non_exhaustive()
    }
}

impl NodeBuilder {
    /// Adds a work under a name and a version, as in `primes/1`. Each thread has its own [`Work`], which `factory` builds
    /// there, and again after a panic: as [`FanOut::with`](crate::FanOut::with).
    ///
    /// A kind that is none, or was registered before, is an error of [`start`](Self::start).
    pub fn register<I, W, F>(mut self, kind: &str, factory: F) -> Self
    where
        I: DeserializeOwned + 'static,
        W: Work<I, Output: Serialize>,
        F: Fn() -> W + Send + Sync + 'static,
    {
        let added = match Kind::parse(kind) {
            None => Err(NodeError::Kind(kind.to_owned())),
            Some(kind) if self.kinds.add(kind.clone(), factory) => Ok(()),
            Some(kind) => Err(NodeError::Twice(kind.to_string())),
        };
        self.error = self.error.or(added.err());
        self
    }

    /// Adds a closure that turns each item into one result.
    pub fn map<I, O, F>(self, kind: &str, f: F) -> Self
    where
        I: DeserializeOwned + 'static,
        O: Serialize + Send + 'static,
        F: Fn(I) -> O + Send + Sync + 'static,
    {
        self.register(kind, sharing(f, Map))
    }

    /// Adds a closure that turns each item into one result or an error.
    pub fn try_map<I, O, E, F>(self, kind: &str, f: F) -> Self
    where
        I: DeserializeOwned + 'static,
        O: Serialize + Send + 'static,
        E: Into<BoxError>,
        F: Fn(I) -> Result<O, E> + Send + Sync + 'static,
    {
        self.register(kind, sharing(f, TryMap))
    }

    /// Adds a closure that turns each item into one result or none.
    pub fn filter_map<I, O, F>(self, kind: &str, f: F) -> Self
    where
        I: DeserializeOwned + 'static,
        O: Serialize + Send + 'static,
        F: Fn(I) -> Option<O> + Send + Sync + 'static,
    {
        self.register(kind, sharing(f, FilterMap))
    }

    /// How many worker threads it has: one per core by default.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// How many batches it has at a time, 1 to 10,000: two per thread by default, so that a thread that has ended one finds
    /// another.
    pub fn slots(mut self, slots: usize) -> Self {
        self.slots = Some(slots);
        self
    }

    /// What it is called: 1 to 40 of `A-Z`, `a-z`, `0-9`, `-`, `_` and `.`. By default `node`. A part that is new at each
    /// start is added.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The most items of a batch. Each item of a larger one fails.
    pub fn max_items(mut self, items: u32) -> Self {
        self.max_items = items;
        self
    }

    /// An observer of its threads, to which each batch is an item: see [`observe`](crate::observe).
    pub fn observe(mut self, observer: Arc<dyn Observer>) -> Self {
        let pool = self.pool;
        self.pool = Box::new(move |builder| pool(builder).observe(observer));
        self
    }

    /// Starts it: it takes batches until it ends. It can be awaited under any runtime.
    ///
    /// # Errors
    ///
    /// [`NodeError`]. It does not start unless it could learn of cancelled runs.
    pub async fn start(self, nats: &Nats) -> Result<Node, NodeError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        if self.kinds.is_empty() {
            return Err(NodeError::NoKind);
        }
        let given = self.name.unwrap_or_else(|| "node".to_owned());
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if !(1..=40).contains(&given.len()) || !given.bytes().all(is_name) {
            let text = format!("the name {given:?} is no name of a node: it has 1 to 40 of A-Z, a-z, 0-9, -, _ and .");
            return Err(NodeError::Setting(text));
        }
        let mut builder = pool();
        if let Some(threads) = self.threads {
            builder = builder.workers(threads);
        }
        let kinds = self.kinds.clone();
        let builder = (self.pool)(builder.thread_name("fan-node").name("node"));
        let pool = builder.with(move || JobWork { runners: Runners::new(kinds.clone()) })?;
        let slots = self.slots.unwrap_or(pool.stats().workers.len() * 2);
        if !(1..=10_000).contains(&slots) {
            return Err(NodeError::Setting(format!("slots is {slots}: it must be 1 to 10,000")));
        }
        // New at each start: what an earlier process of the name has left is not this one's.
        let name: Arc<str> = format!("{given}-{}", names::random(6)).into();
        let (phase, phases) = watch::channel(Phase::Serving);
        let is_draining = Arc::new(AtomicBool::new(false));
        let jobs = Arc::new(AtomicU64::new(0));
        let kinds: Vec<Kind> = self.kinds.iter().cloned().collect();
        let names_of_kinds = kinds.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let runs = PoolRuns { pool: pool.clone(), jobs: Arc::clone(&jobs) };
        let limits = Limits { max_items: self.max_items };
        let shown = Shown::new(Arc::clone(&name), slots as u32, Arc::clone(&is_draining));
        // The connection stays open until the node has given back its jobs, also if the `Node` is dropped.
        let connection = nats.clone();
        let opened = nats.call(move |link| async move {
            let link = JobsLink::open(link, kinds).await?;
            let (ended, ends) = tokio::sync::oneshot::channel::<()>();
            tokio::task::spawn_local(async move {
                let server = NodeServer::new(link, runs, shown, limits);
                let reach = |phase: Phase| {
                    let mut phases = phases.clone();
                    async move { drop(phases.wait_for(|now| *now >= phase).await) }.boxed_local().shared()
                };
                server.serve(reach(Phase::Draining), reach(Phase::Leaving)).await;
                drop((ended, connection));
            });
            Ok::<_, LinkError>(ends)
        });
        let ends = match opened.await {
            Some(Ok(ends)) => ends,
            Some(Err(error)) => return Err(NodeError::Server(error.0)),
            None => return Err(NodeError::Server("the thread of the connection has ended".to_owned())),
        };
        log::info!("node {name} serves {names_of_kinds} with {slots} slots");
        let ended_pool = pool.clone();
        let ended = async move {
            drop(ends.await);
            ended_pool.drain();
        };
        Ok(Node { name, phase: Arc::new(phase), is_draining, ended: ended.boxed().shared(), pool, jobs })
    }
}

impl fmt::Debug for NodeBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeBuilder").field("kinds", &self.kinds).finish_non_exhaustive()
    }
}

/// Runs batches on one thread.
struct JobWork {
    runners: Runners,
}

impl Work<Request> for JobWork {
    type Output = Vec<u8>;

    fn run(&mut self, request: Request, job: &mut Job<'_, Vec<u8>>) -> Result<(), BoxError> {
        let outcomes = {
            let job = &*job;
            run_job(&mut self.runners, &request, &|| job.is_stopped())?
        };
        job.emit(outcomes);
        Ok(())
    }
}

struct PoolRuns {
    pool: Pool<Request, Vec<u8>>,
    jobs: Arc<AtomicU64>,
}

impl RunsJobs for PoolRuns {
    async fn run(&self, request: Request) -> Result<Vec<u8>, Stopped> {
        let trace = request.trace.clone();
        let ran = self.pool.submit_of(request, trace.as_ref()).await;
        let outcomes = ran.map_err(|error| {
            log::warn!("a batch did not end: {error}");
            Stopped
        })?;
        self.jobs.fetch_add(1, Relaxed);
        Ok(outcomes)
    }
}
