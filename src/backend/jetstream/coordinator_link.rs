//! A run's link to its nodes over JetStream.

use std::collections::HashSet;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use async_nats::Subscriber;
use async_nats::jetstream::kv::{Operation, Store, Watch};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{LastRawMessageErrorKind, Stream};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use tokio::sync::Semaphore;

use crate::backend::jetstream::connection::Link;
use crate::backend::jetstream::names::{self, RunName};
use crate::backend::kinds::Kind;
use crate::backend::link::{CoordinatorLink, LinkError, Opened, Sending, Stored};
use crate::backend::wire::ReceivedOutcomes;
use crate::util::log;

/// How many stored outcomes are read at a time. Each may have 1 MiB, and a server closes the connection of a client that has
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
    revision: u64,
    jobs: Stream,
    results: Stream,
    runs: Store,
    /// For each read of stored outcomes: see [`READS`].
    reads: Semaphore,
    /// True if what is stored is kept beyond the end of the run.
    keeps: bool,
    began: Instant,
}

/// What the bucket says about a run.
pub(super) fn open(incarnation: &str) -> Bytes {
    format!("open {incarnation}").into()
}

pub(super) const CANCELLED: &[u8] = b"cancelled";

/// Opens a run. One that was given a name may have been begun by another coordinator: then it goes on, and that one ends.
pub(super) async fn open_run(link: Link, kind: Kind, given: Option<RunName>) -> Result<Opened<RunLink>, LinkError> {
    let keeps = given.is_some();
    let run = given.unwrap_or_else(RunName::random);
    let (jobs, results, runs) = (link.jobs().await?, link.results().await?, link.runs().await?);
    let incarnation = names::random(12);
    let record = runs.put(run.as_str(), open(&incarnation)).await;
    let revision = record.map_err(|error| link.explain("the run could not be recorded", error))?;
    let watch = runs.watch_from_revision(run.as_str(), revision).await;
    let watch = watch.map_err(|error| link.explain("the record of the run could not be watched", error))?;
    let subscribed = link.client.subscribe(names::results_of_run(&run)).await;
    let subscriber = subscribed.map_err(|error| link.explain("outcomes could not be subscribed to", error))?;
    // Before the journal is read: what comes in between is seen by both, and taken once.
    link.client.flush().await.map_err(|error| link.explain("the subscription was not confirmed", error))?;
    let purged = jobs.purge().filter(names::jobs_of_run(&kind, &run)).await;
    purged.map_err(|error| link.explain("jobs of an earlier coordinator could not be purged", error))?;
    let reads = Semaphore::new(READS);
    let began = Instant::now();
    let inner = Inner { link, kind, run, incarnation, revision, jobs, results, runs, reads, keeps, began };
    let journal = if keeps { inner.journal().await? } else { Vec::new() };
    if !journal.is_empty() {
        log::info!("the run {} goes on: outcomes of {} batches are stored", inner.run, journal.len());
    }
    let outcomes = RunOutcomes { subscriber, watch: Some(watch), incarnation: inner.incarnation.clone() };
    Ok(Opened { link: RunLink(Rc::new(inner)), outcomes, journal })
}

impl Inner {
    /// The batches whose outcomes are stored.
    async fn journal(&self) -> Result<Vec<Stored>, LinkError> {
        let error =
            |error: &dyn std::fmt::Display| self.link.explain("the journal of the run could not be read", error);
        let subjects = self.results.info_with_subjects(names::results_of_run(&self.run)).await;
        let subjects: Vec<(String, usize)> =
            subjects.map_err(|e| error(&e))?.try_collect().await.map_err(|e| error(&e))?;
        // Several at a time: each takes a round trip.
        let heads = futures::stream::iter(subjects).map(|(subject, _)| async move {
            match self.results.get_last_raw_message_by_subject(&subject).await {
                Ok(message) => Ok(ReceivedOutcomes::parse(&message.payload).ok().map(|outcomes| {
                    let (first, items) = (outcomes.head.first, outcomes.head.items);
                    Stored { first, items }
                })),
                Err(failed) if failed.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
                Err(failed) => Err(error(&failed)),
            }
        });
        let stored: Vec<Option<Stored>> = heads.buffer_unordered(READS).try_collect().await?;
        Ok(stored.into_iter().flatten().collect())
    }

    /// Returns false if another coordinator has taken the run over, which goes on.
    async fn record_cancelled(&self) -> Result<bool, LinkError> {
        let error = |error: &dyn std::fmt::Display| self.link.explain("the run could not be cancelled", error);
        let Self { run, runs, .. } = self;
        if runs.update(run.as_str(), CANCELLED.into(), self.revision).await.is_ok() {
            return Ok(true);
        }
        // Or the server has lost the record, and maybe the bucket with it.
        self.link.runs_stream().await?;
        let entry = runs.entry(run.as_str()).await.map_err(|e| error(&e))?;
        let revision = match entry {
            Some(entry) if entry.operation == Operation::Put && entry.value == CANCELLED => return Ok(true),
            Some(entry) if entry.operation == Operation::Put && entry.value != open(&self.incarnation) => {
                return Ok(false);
            }
            Some(entry) => entry.revision,
            None => 0,
        };
        runs.update(run.as_str(), CANCELLED.into(), revision).await.map_err(|e| error(&e))?;
        Ok(true)
    }

    async fn purge_jobs(&self) -> Result<(), LinkError> {
        let purged = self.jobs.purge().filter(names::jobs_of_run(&self.kind, &self.run)).await;
        purged.map(drop).map_err(|error| self.link.explain("jobs could not be purged", error))
    }

    async fn purge_results(&self) -> Result<(), LinkError> {
        if self.keeps {
            return Ok(());
        }
        let purged = self.results.purge().filter(names::results_of_run(&self.run)).await;
        purged.map(drop).map_err(|error| self.link.explain("outcomes could not be purged", error))
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

    fn send(&self, name: Sending, job: Vec<u8>) -> impl Future<Output = Result<(), LinkError>> + 'static {
        let inner = Rc::clone(&self.0);
        async move {
            let Sending { first, items, attempt } = name;
            let Inner { link, kind, run, incarnation, .. } = &*inner;
            let id = format!("{run}.{incarnation}.{first}.{items}.{attempt}");
            let message = PublishMessage::build().payload(job.into()).message_id(id);
            let error = |error: &dyn std::fmt::Display| link.explain("a job could not be sent", error);
            let sent = link.context.send_publish(names::job(kind, run, first), message).await.map_err(|e| error(&e))?;
            sent.await.map(drop).map_err(|e| error(&e))
        }
    }

    fn jobs(&self) -> impl Future<Output = Result<HashSet<u64>, LinkError>> + 'static {
        let inner = Rc::clone(&self.0);
        async move {
            let Inner { link, kind, run, .. } = &*inner;
            let error = |error: &dyn std::fmt::Display| link.explain("the jobs could not be listed", error);
            // Anew: after a server has lost its streams they are created again, and jobs are sent again.
            let jobs = &link.jobs().await?;
            link.results().await?;
            link.runs_stream().await?;
            let subjects = jobs.info_with_subjects(names::jobs_of_run(kind, run)).await.map_err(|e| error(&e))?;
            let subjects: Vec<(String, usize)> = subjects.try_collect().await.map_err(|e| error(&e))?;
            // A consumer may have gone past jobs that no node had: it takes the acknowledgement of a job of a stream that was
            // lost for that of one behind them. They stay in the stream, and are as good as lost.
            let passed = match jobs.consumer_info(names::consumer(kind)).await {
                Ok(info) => info.ack_floor.stream_sequence,
                // No node has made it yet.
                Err(_) => 0,
            };
            let are_passed = jobs.cached_info().state.first_sequence <= passed;
            let found = futures::stream::iter(subjects).map(|(subject, _)| async move {
                let is_there = !are_passed
                    || match jobs.get_last_raw_message_by_subject(&subject).await {
                        Ok(message) => message.sequence > passed,
                        Err(error) => error.kind() != LastRawMessageErrorKind::NoMessageFound,
                    };
                names::first_of(&subject).filter(|_| is_there)
            });
            Ok(found.buffer_unordered(READS).filter_map(std::future::ready).collect().await)
        }
    }

    fn stored(&self, first: u64) -> impl Future<Output = Result<Option<Bytes>, LinkError>> + 'static {
        let inner = Rc::clone(&self.0);
        async move {
            let subject = names::result(&inner.run, first);
            let _permit = inner.reads.acquire().await;
            match inner.results.get_last_raw_message_by_subject(&subject).await {
                Ok(message) => Ok(Some(message.payload)),
                Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
                Err(error) => Err(inner.link.explain("stored outcomes could not be read", error)),
            }
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
                purged.map_err(|error| link.explain("the record of the run could not be purged", error))?;
            }
            Ok(())
        }
    }
}

/// The outcomes of a run, until another coordinator has taken it over.
pub(super) struct RunOutcomes {
    subscriber: Subscriber,
    /// The record of the run. `None` once it has ended, as a consumer may.
    watch: Option<Watch>,
    incarnation: String,
}

impl futures::Stream for RunOutcomes {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        while let Some(watch) = &mut self.watch {
            match watch.poll_next_unpin(cx) {
                Poll::Pending => break,
                Poll::Ready(None) => self.watch = None,
                Poll::Ready(Some(Err(error))) => {
                    log::debug!("the watch of the run's record has failed: {error}");
                }
                Poll::Ready(Some(Ok(entry))) => {
                    let is_ours = entry.operation != Operation::Put || entry.value == open(&self.incarnation);
                    if !is_ours {
                        return Poll::Ready(None);
                    }
                }
            }
        }
        Pin::new(&mut self.subscriber).poll_next(cx).map(|message| message.map(|message| message.payload))
    }
}

impl Link {
    /// The longest message that the server and the streams take.
    pub(super) fn max_message(&self) -> usize {
        self.client.max_payload().min(super::streams::MAX_MESSAGE as usize)
    }
}
