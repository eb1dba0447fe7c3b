//! A connection to a NATS server, on a thread of its own.

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use async_nats::jetstream::context;
use async_nats::{Client, ConnectOptions, Event, ServerAddr};
use futures::future::LocalBoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::runtime;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::{oneshot, watch};
use tokio::task::LocalSet;

use crate::backend::Post;
use crate::backend::coordinator::{Coordinator, Patience};
use crate::backend::jetstream::complaint::Complaint;
use crate::backend::jetstream::coordinator_link::open_run;
use crate::backend::jetstream::link::Link;
use crate::backend::jetstream::names::{self, RunName};
use crate::backend::kinds::Kind;
use crate::engine::chunk::Outcomes;
use crate::error::{BoxError, StartError};
use crate::util::log;

/// How long a call of the server may take.
const REQUEST: Duration = Duration::from_secs(5);

/// How many publishes may wait for their acknowledgement: more than there are batches in a window.
const PUBLISHES: usize = 65_536;

type Task = Box<dyn FnOnce() -> LocalBoxFuture<'static, ()> + Send>;

/// A connection to a NATS server with JetStream, over which pipelines send their batches to nodes on other machines.
/// Cheap to clone.
///
/// It lives on a thread of its own, `fan-nats`, so it can be used under any runtime. The thread ends when the last clone was
/// dropped and the last pipeline or node on it has ended. A connection that is lost is made again, for as long as it takes;
/// meanwhile pipelines wait, up to [`outage`](NatsBuilder::outage).
///
/// ```no_run
/// use actix_fan::FanOutExt;
/// use actix_fan::remote::Nats;
/// use futures::StreamExt;
///
/// # actix::System::new().block_on(async {
/// let nats = Nats::connect("nats://127.0.0.1:4222").await?;
/// let mut primes = (0..1_000_000u64).fan_out().ordered().over(&nats).run::<u64>("primes/1")?;
/// while let Some(prime) = primes.next().await {
///     println!("{}", prime?);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct Nats {
    shared: Arc<Shared>,
}

struct Shared {
    tasks: UnboundedSender<Task>,
    client: Client,
    settings: Settings,
    /// The last thing that was said outside of a reply.
    complaint: Complaint,
    /// How often the connection was made.
    connections: watch::Receiver<u64>,
}

/// What is the same for all that uses a connection.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) ack_wait: Duration,
    pub(super) outage: Duration,
    pub(super) replicas: usize,
    pub(super) max_bytes: i64,
    /// True if the connection is made with TLS, whatever the server asks for.
    pub(super) tls: bool,
}

/// How a [`Nats`] connects: made by [`Nats::builder`].
#[derive(Debug)]
#[must_use = "it connects when `connect` is called"]
pub struct NatsBuilder {
    url: String,
    name: Option<String>,
    credentials: Option<PathBuf>,
    nkey: Option<PathBuf>,
    tls_ca: Option<PathBuf>,
    tls_client: Option<(PathBuf, PathBuf)>,
    inbox_prefix: Option<String>,
    settings: Settings,
}

/// Why a connection was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// A file with credentials or certificates could not be read.
    #[error("{} could not be used as {what}", path.display())]
    File {
        /// What it is: `credentials`, for example.
        what: &'static str,
        /// Its path.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A setting is out of range.
    #[error("{0}")]
    Setting(String),
    /// The server could not be reached, or has refused the connection.
    #[error("{url} could not be connected to")]
    Server {
        /// Without a password that it may hold.
        url: String,
        /// Why.
        #[source]
        source: BoxError,
    },
    /// The operating system has refused the thread.
    #[error("the thread of the connection could not be started")]
    Thread(#[source] std::io::Error),
}

impl Nats {
    /// Connects to the server at `url`, such as `nats://127.0.0.1:4222` or `tls://nats.example.com`; several are separated
    /// by commas. An address may have a user's name and password, as in `nats://user:password@host`, but a file with
    /// [credentials](NatsBuilder::credentials_file) is seen by fewer eyes. It can be awaited under any runtime.
    ///
    /// # Errors
    ///
    /// [`ConnectError`], at once: a connection that can't be made now is not tried again.
    pub async fn connect(url: impl Into<String>) -> Result<Self, ConnectError> {
        Self::builder(url).connect().await
    }

    /// Starts to build a connection.
    pub fn builder(url: impl Into<String>) -> NatsBuilder {
        let settings = Settings {
            ack_wait: Duration::from_secs(30),
            outage: Duration::from_secs(120),
            replicas: 1,
            max_bytes: 1 << 30,
            tls: false,
        };
        NatsBuilder {
            url: url.into(),
            name: None,
            credentials: None,
            nkey: None,
            tls_ca: None,
            tls_client: None,
            inbox_prefix: None,
            settings,
        }
    }

    /// Runs a task on the thread of the connection.
    pub(super) fn spawn<F>(&self, task: impl FnOnce(Link) -> F + Send + 'static)
    where
        F: Future<Output = ()> + 'static,
    {
        let link = self.link();
        // If the thread is gone, which ends with its last task alone, the task is dropped.
        drop(self.shared.tasks.send(Box::new(move || Box::pin(task(link)))));
    }

    /// Runs a task on the thread of the connection, and waits for it. `None` if it has panicked.
    pub(super) async fn call<T, F>(&self, task: impl FnOnce(Link) -> F + Send + 'static) -> Option<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        self.spawn(move |link| async move { drop(sender.send(task(link).await)) });
        receiver.await.ok()
    }

    pub(super) fn link(&self) -> Link {
        let Shared { client, settings, complaint, connections, .. } = &*self.shared;
        let context = context::ContextBuilder::new()
            .timeout(REQUEST)
            .ack_timeout(REQUEST)
            .max_ack_inflight(PUBLISHES)
            .build(client.clone());
        let (client, settings, complaint) = (client.clone(), settings.clone(), complaint.clone());
        Link { client, context, settings, complaint, connections: connections.clone() }
    }

    /// How a run of nodes' works of this kind is opened, on the thread of the connection.
    ///
    /// # Errors
    ///
    /// [`StartError::RunId`] if the name can't be one.
    pub(crate) fn opening(&self, kind: Kind, run_id: Option<String>) -> Result<Opening, StartError> {
        let run = match run_id {
            None => None,
            Some(id) => Some(RunName::parse(&id).ok_or(StartError::RunId(id))?),
        };
        Ok(Opening { kind, run })
    }

    /// Serves a run on the thread of the connection, until it ends.
    pub(crate) fn serve<I, O, A>(&self, coordinator: Coordinator<I, O, A>, Opening { kind, run }: Opening)
    where
        I: Serialize + Send + 'static,
        O: DeserializeOwned + Send + 'static,
        A: Post<Outcomes<O>> + Send + 'static,
    {
        let connection = self.clone();
        self.spawn(move |link| async move {
            coordinator.serve(open_run(link, kind, run)).await;
            drop(connection);
        });
    }

    pub(crate) fn patience(&self) -> Patience {
        let Settings { ack_wait, outage, .. } = self.shared.settings;
        Patience { answer: ack_wait.max(Duration::from_secs(2)), outage }
    }
}

impl fmt::Debug for Nats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let info = self.shared.client.server_info();
        f.debug_struct("Nats")
            .field("server", &info.server_name)
            .field("version", &info.version)
            .finish_non_exhaustive()
    }
}

/// A run that is about to be opened.
pub(crate) struct Opening {
    kind: Kind,
    /// Its name, if it was given one.
    run: Option<RunName>,
}

impl NatsBuilder {
    /// How the connection is called in the server's reports.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// A file with credentials: a JWT and its key, as `nsc` writes it.
    pub fn credentials_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.credentials = Some(path.into());
        self
    }

    /// A file with the seed of an nkey.
    pub fn nkey_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.nkey = Some(path.into());
        self
    }

    /// A file with the certificates, in PEM, of the authorities that may have signed the server's. TLS is required then. By
    /// default those of the operating system are trusted.
    pub fn tls_ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.tls_ca = Some(path.into());
        self
    }

    /// Files with a certificate for this client and its key, in PEM.
    pub fn tls_client_files(mut self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.tls_client = Some((certificate.into(), key.into()));
        self
    }

    /// The subjects on which replies come: `_INBOX` by default. Where permissions allow an identity only inboxes of its own,
    /// its prefix belongs here.
    pub fn inbox_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.inbox_prefix = Some(prefix.into());
        self
    }

    /// How soon a job of which a node gives no sign goes to another one, 1 s to 1 h: 30 s by default. Nodes give a sign each
    /// third of it. A small value has a lost node noticed early, and asks more of the server. It is set once, when the first
    /// node creates the consumer of a kind.
    pub fn ack_wait(mut self, ack_wait: Duration) -> Self {
        self.settings.ack_wait = ack_wait;
        self
    }

    /// How long a pipeline waits for a server that gives no sign, or keeps nothing that it is sent, before it ends with
    /// [`PipelineError::Remote`](crate::PipelineError::Remote): 120 s by default.
    pub fn outage(mut self, outage: Duration) -> Self {
        self.settings.outage = outage;
        self
    }

    /// On how many servers of a cluster each message is kept, 1 to 5: 1 by default. It is set once, when the streams are
    /// created.
    pub fn replicas(mut self, replicas: usize) -> Self {
        self.settings.replicas = replicas;
        self
    }

    /// The most bytes of jobs, and of outcomes, that the server keeps: 1 GiB by default. The server may reserve as much
    /// space. It is set once, when the streams are created.
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.settings.max_bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self
    }

    /// Connects.
    ///
    /// # Errors
    ///
    /// [`ConnectError`].
    pub async fn connect(self) -> Result<Nats, ConnectError> {
        let Settings { ack_wait, replicas, .. } = self.settings;
        if !(Duration::from_secs(1)..=Duration::from_secs(3600)).contains(&ack_wait) {
            return Err(ConnectError::Setting(format!("ack_wait is {ack_wait:?}: it must be 1 s to 1 h")));
        }
        if !(1..=5).contains(&replicas) {
            return Err(ConnectError::Setting(format!("replicas is {replicas}: it must be 1 to 5")));
        }
        let (complaint, (connected_again, connections)) = (Complaint::default(), watch::channel(0));
        let is_tls = |url: &str| ["tls://", "wss://"].iter().any(|scheme| url.trim().starts_with(scheme));
        let tls = self.tls_ca.is_some() || self.tls_client.is_some() || self.url.split(',').all(is_tls);
        let settings = Settings { tls, ..self.settings.clone() };
        let (url, options) = (self.url.clone(), self.options(&complaint, connected_again)?);
        let (tasks, mut waiting) = unbounded_channel::<Task>();
        let (connected, connection) = oneshot::channel();
        thread::Builder::new()
            .name("fan-nats".to_owned())
            .spawn(move || {
                let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
                    Ok(runtime) => runtime,
                    Err(error) => return drop(connected.send(Err(ConnectError::Thread(error)))),
                };
                LocalSet::new().block_on(&runtime, async move {
                    let servers: Vec<&str> = url.split(',').collect();
                    let client = match options.connect(&servers[..]).await {
                        Ok(client) => client,
                        Err(error) => {
                            let source = Box::new(error);
                            return drop(
                                connected.send(Err(ConnectError::Server { url: without_secret(&url), source })),
                            );
                        }
                    };
                    if connected.send(Ok(client)).is_err() {
                        return;
                    }
                    let mut running = tokio::task::JoinSet::new();
                    loop {
                        tokio::select! {
                            task = waiting.recv() => match task {
                                Some(task) => drop(running.spawn_local(task())),
                                None => break,
                            },
                            Some(_) = running.join_next(), if !running.is_empty() => {}
                        }
                    }
                    while running.join_next().await.is_some() {}
                });
            })
            .map_err(ConnectError::Thread)?;
        let gone = || ConnectError::Thread(std::io::Error::other("it has ended"));
        let client = connection.await.map_err(|_| gone())??;
        log::info!("connected to the NATS server {}", client.server_info().server_name);
        Ok(Nats { shared: Arc::new(Shared { tasks, client, settings, complaint, connections }) })
    }

    fn options(self, complaint: &Complaint, connections: watch::Sender<u64>) -> Result<ConnectOptions, ConnectError> {
        let complaint = complaint.clone();
        let mut options = ConnectOptions::new()
            .name(self.name.unwrap_or_else(|| format!("actix-fan-{}", names::random(6))))
            .request_timeout(Some(REQUEST))
            .subscription_capacity(PUBLISHES)
            .event_callback(move |event| {
                match &event {
                    Event::ServerError(error) => {
                        log::warn!("the NATS server complains: {error}");
                        complaint.set(format!("the server says: {error}"), true);
                    }
                    Event::Connected => {
                        connections.send_modify(|connections| *connections += 1);
                        complaint.clear();
                        if *connections.borrow() > 1 {
                            log::info!("NATS: connected again");
                        }
                    }
                    // Comes for each connection that could not be made, every four seconds.
                    Event::ClientError(error) => {
                        let text = format!("no connection to the server can be made: {error}");
                        if complaint.set(text.clone(), false) {
                            log::warn!("NATS: {text}, which is tried again until it can");
                        }
                    }
                    Event::Disconnected | Event::SlowConsumer(_) => log::warn!("NATS: {event}"),
                    _ => log::debug!("NATS: {event}"),
                }
                std::future::ready(())
            });
        // The client does not look at them itself.
        let first = self.url.split(',').next().and_then(|url| url.trim().parse::<ServerAddr>().ok());
        if let Some(address) = first
            && let (Some(user), Some(password)) = (address.username(), address.password())
        {
            options = options.user_and_password(user.to_owned(), password.to_owned());
        }
        if let Some(prefix) = self.inbox_prefix {
            options = options.custom_inbox_prefix(prefix);
        }
        if let Some(path) = self.credentials {
            let text = read("credentials", &path)?;
            options = options.credentials(&text).map_err(|source| file("credentials", path)(source))?;
        }
        if let Some(path) = self.nkey {
            options = options.nkey(read("the seed of an nkey", &path)?.trim().to_owned());
        }
        if let Some(path) = self.tls_ca {
            read("certificates", &path)?;
            options = options.add_root_certificates(path).require_tls(true);
        }
        if let Some((certificate, key)) = self.tls_client {
            read("a certificate", &certificate)?;
            read("a certificate's key", &key)?;
            options = options.add_client_certificate(certificate, key).require_tls(true);
        }
        Ok(options)
    }
}

fn read(what: &'static str, path: &PathBuf) -> Result<String, ConnectError> {
    std::fs::read_to_string(path).map_err(file(what, path.clone()))
}

fn file(what: &'static str, path: PathBuf) -> impl FnOnce(std::io::Error) -> ConnectError {
    move |source| ConnectError::File { what, path, source }
}

/// The address without a user's name and password.
fn without_secret(url: &str) -> String {
    let hide = |url: &str| match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        (None, Some((_, host))) => host.to_owned(),
        _ => url.to_owned(),
    };
    url.split(',').map(hide).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::without_secret;

    #[test]
    fn an_error_shows_no_password() {
        assert_eq!(without_secret("nats://me:secret@host:4222,tls://b"), "nats://host:4222,tls://b");
        assert_eq!(without_secret("me:secret@host"), "host");
        assert_eq!(without_secret("host:4222"), "host:4222");
    }
}
