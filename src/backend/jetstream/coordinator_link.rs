//! A run's link to its nodes over JetStream.

use std::collections::HashSet;
use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use async_nats::Subscriber;
use async_nats::jetstream::context::PublishError;
use async_nats::jetstream::kv::{Entry, Operation, Store, Watch};
use async_nats::jetstream::message::{PublishMessage, StreamMessage};
use async_nats::jetstream::stream::{LastRawMessageErrorKind, Stream};
use async_nats::jetstream::{self, ErrorCode};
use bytes::Bytes;
use futures::{FutureExt, StreamExt, TryStreamExt};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::sleep;

use crate::backend::jetstream::link::{Explained, Link};
use crate::backend::jetstream::names::{self, RunName};
use crate::backend::kinds::Kind;
use crate::backend::link::{CoordinatorLink, LinkError, Opened, Sending, Sent, Stored};
use crate::backend::wire::ReceivedOutcomes;
use crate::util::log;

/// How many stored messages are read at a time. Each may have 1 MiB, and a server closes the connection of a client that has
/// more than 64 MiB to take. After a connection was lost, the outcomes of all batches that had left may be asked for at once.
const READS: usize = 16;

/// A run over JetStream.
#[derive(Clone)]
pub(super) struct RunLink(Rc<Inner>);

struct Inner {
    link: Link,
    kind: Kind,
    run: RunName,
    /// Of this coordinator: another one that takes the run over has another one.
    incarnation: String,
    jobs: Stream,
    results: Stream,
    runs: Store,
    /// For each read of what is stored: see [`READS`].
    reads: Semaphore,
    /// True if what is stored is kept beyond the end of the run.
    keeps: bool,
    began: Instant,
}

/// What the bucket says about a run.
fn open(incarnation: &str) -> Bytes {
    format!("open {incarnation}").into()
}

pub(super) const CANCELLED: &[u8] = b"cancelled";

/// Returns true if a run's record says something else than that the coordinator of this incarnation has it.
fn is_of_another(entry: &Entry, incarnation: &str) -> bool {
    entry.operation == Operation::Put && entry.value != open(incarnation)
}

/// Opens a run. One that was given a name may have been begun by another coordinator: then it goes on, and that one ends.
pub(super) async fn open_run(link: Link, kind: Kind, given: Option<RunName>) -> Result<Opened<RunLink>, LinkError> {
    let keeps = given.is_some();
    let run = given.unwrap_or_else(RunName::random);
    link.patiently(async || open_once(link.clone(), kind.clone(), run.clone(), keeps).await).await
}

async fn open_once(link: Link, kind: Kind, run: RunName, keeps: bool) -> Result<Opened<RunLink>, LinkError> {
    let (jobs, results, runs) = (link.jobs().await?, link.results().await?, link.runs().await?);
    let incarnation = names::random(12);
    let record = runs.put(run.as_str(), open(&incarnation)).await;
    let revision = record.explained(&link, "the run could not be recorded")?;
    let watch = runs.watch_from_revision(run.as_str(), revision).await;
    let watch = watch.explained(&link, "the record of the run could not be watched")?;
    let subscribed = link.client.subscribe(names::results_of_run(&run)).await;
    let subscriber = subscribed.explained(&link, "outcomes could not be subscribed to")?;
    let told = link.client.subscribe(names::nodes_of_run(&run)).await;
    let told = told.explained(&link, "what nodes tell could not be subscribed to")?;
    // Before the journal is read: what comes in between is seen by both, and taken once.
    link.client.flush().await.explained(&link, "the subscription was not confirmed")?;
    let reads = Semaphore::new(READS);
    let began = Instant::now();
    let inner = Inner { link, kind, run, incarnation, jobs, results, runs, reads, keeps, began };
    // Those of an earlier coordinator.
    inner.purge_jobs().await?;
    let journal = if keeps { inner.journal().await? } else { Vec::new() };
    if !journal.is_empty() {
        log::info!("the run {} goes on: outcomes of {} batches are stored", inner.run, journal.len());
    }
    let (sender, taken) = oneshot::channel();
    let Inner { link, run, runs, incarnation, .. } = &inner;
    let record = Record { link: link.clone(), run: run.clone(), runs: runs.clone(), incarnation: incarnation.clone() };
    tokio::task::spawn_local(record.follow(watch, sender));
    let outcomes = RunOutcomes { subscriber, told, taken: Some(taken) };
    Ok(Opened { link: RunLink(Rc::new(inner)), outcomes, journal })
}

impl Inner {
    /// The batches whose outcomes are stored.
    async fn journal(&self) -> Result<Vec<Stored>, LinkError> {
        let what = "the journal of the run could not be read";
        let subjects = self.subjects(&self.results, names::results_of_run(&self.run), what).await?;
        // Several at a time: each takes a round trip.
        let heads = futures::stream::iter(subjects).map(|subject| async move {
            let message = self.last(&self.results, &subject).await?;
            let parsed = message.as_ref().and_then(|message| ReceivedOutcomes::parse(&message.payload).ok());
            Ok(parsed.map(|outcomes| Stored { first: outcomes.head.first, items: outcomes.head.items }))
        });
        let stored: Vec<Option<Stored>> = heads.buffer_unordered(READS).try_collect().await?;
        Ok(stored.into_iter().flatten().collect())
    }

    /// The subjects of a stream that match, and have messages.
    async fn subjects(&self, stream: &Stream, matching: String, what: &str) -> Result<Vec<String>, LinkError> {
        let info = stream.info_with_subjects(matching).await.explained(&self.link, what)?;
        info.map_ok(|(subject, _)| subject).try_collect().await.explained(&self.link, what)
    }

    /// The last message of a subject.
    async fn last(&self, stream: &Stream, subject: &str) -> Result<Option<StreamMessage>, LinkError> {
        let _permit = self.reads.acquire().await;
        match stream.get_last_raw_message_by_subject(subject).await {
            Ok(message) => Ok(Some(message)),
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(self.link.explain("what is stored could not be read", error)),
        }
    }

    /// Returns false if another coordinator has taken the run over, which goes on.
    async fn record_cancelled(&self) -> Result<bool, LinkError> {
        let (Self { link, run, runs, .. }, what) = (self, "the run could not be cancelled");
        // The server may have lost the record, and the bucket with it. In a new bucket another coordinator's record may have the
        // number that this one's had, so the number alone tells nothing.
        link.runs_stream().await?;
        let entry = runs.entry(run.as_str()).await.explained(link, what)?;
        let revision = match entry {
            Some(entry) if entry.operation == Operation::Put && entry.value == CANCELLED => return Ok(true),
            Some(entry) if is_of_another(&entry, &self.incarnation) => return Ok(false),
            Some(entry) => entry.revision,
            None => 0,
        };
        runs.update(run.as_str(), CANCELLED.into(), revision).await.explained(link, what)?;
        Ok(true)
    }

    async fn purge_jobs(&self) -> Result<(), LinkError> {
        let purged = self.jobs.purge().filter(names::jobs_of_run(&self.kind, &self.run)).await;
        purged.map(drop).explained(&self.link, "jobs could not be purged")
    }

    async fn purge_results(&self) -> Result<(), LinkError> {
        if self.keeps {
            return Ok(());
        }
        let purged = self.results.purge().filter(names::results_of_run(&self.run)).await;
        purged.map(drop).explained(&self.link, "outcomes could not be purged")
    }
}

impl CoordinatorLink for RunLink {
    type Message = Bytes;
    type Outcomes = RunOutcomes;

    fn now(&self) -> Duration {
        self.0.began.elapsed()
    }

    fn sleep_until(&self, at: Duration) -> impl Future<Output = ()> + 'static {
        tokio::time::sleep_until((self.0.began + at).into())
    }

    fn max_message(&self) -> usize {
        self.0.link.max_message()
    }

    fn complaint(&self) -> Option<String> {
        self.0.link.complaint.take()
    }

    fn send(&self, name: Sending, job: Vec<u8>) -> impl Future<Output = Result<Sent, LinkError>> + 'static {
        let inner = Rc::clone(&self.0);
        async move {
            let Sending { first, items, attempt } = name;
            let Inner { link, kind, run, incarnation, .. } = &*inner;
            let id = format!("{run}.{incarnation}.{first}.{items}.{attempt}");
            let message = PublishMessage::build().payload(job.into()).message_id(id);
            let what = "a job could not be sent";
            let sent = link.context.send_publish(names::job(kind, run, first), message).await.explained(link, what)?;
            match sent.await {
                Ok(_) => Ok(Sent::Kept),
                Err(error) if is_full(&error) => Ok(Sent::Full(link.explain(what, error))),
                Err(error) => Err(link.explain(what, error)),
            }
        }
    }

    fn jobs(&self) -> impl Future<Output = Result<HashSet<u64>, LinkError>> + 'static {
        let inner = Rc::clone(&self.0);
        async move {
            let Inner { link, kind, run, .. } = &*inner;
            // Anew: after a server has lost its streams they are created again, and jobs are sent again.
            let jobs = &link.jobs().await?;
            link.results().await?;
            link.runs_stream().await?;
            let what = "the jobs could not be listed";
            let subjects = inner.subjects(jobs, names::jobs_of_run(kind, run), what).await?;
            // A consumer may have gone past jobs that no node had: it takes the acknowledgement of a job of a stream that was
            // lost for that of one behind them. They stay in the stream, and are as good as lost.
            let passed = match jobs.consumer_info(names::consumer(kind)).await {
                Ok(info) => info.ack_floor.stream_sequence,
                // No node has made it yet.
                Err(_) => 0,
            };
            let are_passed = jobs.cached_info().state.first_sequence <= passed;
            let inner = &inner;
            let found = futures::stream::iter(subjects).map(|subject| async move {
                let is_there = !are_passed
                    || match inner.last(jobs, &subject).await {
                        Ok(message) => message.is_some_and(|message| message.sequence > passed),
                        Err(_) => true,
                    };
                names::first_of(&subject).filter(|_| is_there)
            });
            Ok(found.buffer_unordered(READS).filter_map(std::future::ready).collect().await)
        }
    }

    fn stored(&self, first: u64) -> impl Future<Output = Result<Option<Bytes>, LinkError>> + 'static {
        let inner = Rc::clone(&self.0);
        async move {
            let message = inner.last(&inner.results, &names::result(&inner.run, first)).await?;
            Ok(message.map(|message| message.payload))
        }
    }

    fn cancel(&self) -> impl Future<Output = Result<(), LinkError>> + 'static {
        let inner = Rc::clone(&self.0);
        async move {
            if !inner.record_cancelled().await? {
                return Ok(());
            }
            inner.purge_jobs().await?;
            inner.purge_results().await
        }
    }

    fn complete(&self) -> impl Future<Output = Result<(), LinkError>> + 'static {
        let inner = Rc::clone(&self.0);
        async move {
            // Doubles of jobs that were answered.
            inner.purge_jobs().await?;
            inner.purge_results().await?;
            if !inner.keeps {
                let Inner { link, run, runs, .. } = &*inner;
                let purged = runs.purge(run.as_str()).await;
                purged.explained(link, "the record of the run could not be purged")?;
            }
            Ok(())
        }
    }
}

/// Returns true if the stream of jobs, or the account, is at its limit. A stream says so by its text alone: the code
/// is the one of a disk that is full.
fn is_full(error: &PublishError) -> bool {
    let source = error.source().and_then(|source| source.downcast_ref::<jetstream::Error>());
    source.is_some_and(|error| {
        error.error_code() == ErrorCode::STREAM_STORE_FAILED && error.to_string().contains("maximum ")
            || [ErrorCode::ACCOUNT_RESOURCES_EXCEEDED, ErrorCode::STORAGE_RESOURCES_EXCEEDED]
                .contains(&error.error_code())
    })
}

/// The outcomes of a run, until another coordinator has taken it over.
pub(super) struct RunOutcomes {
    subscriber: Subscriber,
    /// What nodes tell beside outcomes.
    told: Subscriber,
    /// Ready once another coordinator has taken the run over. `None` if that is followed no more.
    taken: Option<oneshot::Receiver<()>>,
}

impl futures::Stream for RunOutcomes {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(taken) = &mut self.taken {
            match taken.poll_unpin(cx) {
                Poll::Pending => {}
                Poll::Ready(Ok(())) => return Poll::Ready(None),
                Poll::Ready(Err(_)) => self.taken = None,
            }
        }
        // Outcomes first: a node tells of its end after them.
        match Pin::new(&mut self.subscriber).poll_next(cx) {
            Poll::Ready(message) => Poll::Ready(message.map(|message| message.payload)),
            Poll::Pending => match Pin::new(&mut self.told).poll_next(cx) {
                Poll::Ready(Some(message)) => Poll::Ready(Some(message.payload)),
                Poll::Ready(None) | Poll::Pending => Poll::Pending,
            },
        }
    }
}

/// Follows the record of a run until another coordinator is in it.
struct Record {
    link: Link,
    run: RunName,
    runs: Store,
    incarnation: String,
}

impl Record {
    async fn follow(self, mut watch: Watch, mut taken: oneshot::Sender<()>) {
        let (mut reconnected, mut is_watched) = (self.link.reconnected(), true);
        loop {
            let is_taken = tokio::select! {
                next = watch.next(), if is_watched => match next {
                    Some(Ok(entry)) => self.is_of_another(&entry),
                    Some(Err(error)) => {
                        log::debug!("the watch of the run's record has failed: {error}");
                        false
                    }
                    None => {
                        is_watched = false;
                        false
                    }
                },
                // A server may have lost the bucket, and the watch shows no more of a new one until that is as long.
                Ok(()) = reconnected.changed() => self.look().await,
                () = sleep(self.link.settings.ack_wait) => self.look().await,
                () = taken.closed() => return,
            };
            if is_taken {
                // An error if the run has ended.
                let _ = taken.send(());
                return;
            }
        }
    }

    async fn look(&self) -> bool {
        match self.runs.entry(self.run.as_str()).await {
            Ok(entry) => entry.is_some_and(|entry| self.is_of_another(&entry)),
            Err(error) => {
                log::debug!("the run's record could not be read: {error}");
                false
            }
        }
    }

    fn is_of_another(&self, entry: &Entry) -> bool {
        is_of_another(entry, &self.incarnation)
    }
}
