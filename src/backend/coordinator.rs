//! The coordinator of a run whose workers are in other processes: it sends batches out under a lease, takes their
//! outcomes back, and mends what the backend loses.

mod mending;
mod receiving;
mod sending;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::LocalBoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::backend::Post;
use crate::backend::lease::{Leases, Missing};
use crate::backend::link::{CoordinatorLink, LinkError, Opened, Sent, Stored};
use crate::backend::remote_queue::{Batches, StopSignal};
use crate::backend::wire::Items;
use crate::engine::batch::Batch;
use crate::engine::chunk::Outcomes;
use crate::engine::permit::Permit;
use crate::engine::run::{Run, WorkerGuard};
use crate::error::PipelineError;
use crate::observe::TraceContext;
use crate::protocol::Phase;
use crate::util::buffer_pool::BufferPool;
use crate::util::log;

/// How long the end of a run waits until the backend knows of it.
const LAST_CALL: Duration = Duration::from_secs(5);

/// How soon a call of the backend that failed is made again.
const RETRY: Duration = Duration::from_millis(500);

/// How long a coordinator waits for what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// For the outcomes of a batch, before it asks the backend whether the job is lost.
    pub(crate) answer: Duration,
    /// For any sign of the backend, before the run fails.
    pub(crate) outage: Duration,
}

/// A coordinator, before its link is open.
pub(crate) struct Coordinator<I, O, A> {
    pub(crate) batches: Batches<I>,
    pub(crate) outcomes: Sink<O, A>,
    pub(crate) patience: Patience,
    /// The run has a weak reference to it.
    pub(crate) stop: Arc<StopSignal>,
    /// The trace that goes on at the nodes.
    pub(crate) trace: Option<TraceContext>,
    /// Dropped last: then nothing of the user's is left here.
    pub(crate) guard: WorkerGuard,
}

/// Where outcomes go.
pub(crate) struct Sink<O, A> {
    pub(crate) aggregator: A,
    pub(crate) buffers: Arc<BufferPool<O>>,
}

/// What is kept for a batch that has left.
struct Open {
    permit: Permit,
    items: Items,
    queued_at: Instant,
}

/// A batch whose outcomes are stored already, and have been asked for.
struct Replay {
    open: Open,
    stored: Stored,
}

/// What a call of the backend came to.
enum Reply<M> {
    Sent {
        first: u64,
        result: Result<Sent, LinkError>,
    },
    Jobs(Result<HashSet<u64>, LinkError>),
    Found {
        missing: Missing,
        result: Result<Option<M>, LinkError>,
    },
    /// Of an earlier coordinator.
    Replayed {
        first: u64,
        result: Result<Option<M>, LinkError>,
    },
}

enum Event<I, M> {
    Stopped,
    Batch(Option<Batch<I>>),
    Outcomes(Option<M>),
    Reply(Reply<M>),
    Tick,
}

impl<I, O, A> Coordinator<I, O, A>
where
    I: Serialize + Send + 'static,
    O: DeserializeOwned + Send + 'static,
    A: Post<Outcomes<O>>,
{
    /// Serves the run until it ends. `opening` opens its link. Batches that have not left by then are dropped, and skipped.
    pub(crate) async fn serve<L: CoordinatorLink>(
        mut self,
        opening: impl Future<Output = Result<Opened<L>, LinkError>>,
    ) {
        let run = self.guard.run().clone();
        let opened = tokio::select! {
            biased;
            () = self.stop.wait() => return,
            opened = opening => opened,
        };
        match opened {
            Err(error) => run.fail(PipelineError::Remote { message: error.0 }, Phase::Stopped),
            Ok(Opened { link, outcomes, journal }) => {
                let now = link.now();
                let serving = Serving {
                    leases: Leases::new(self.patience.answer),
                    replays: BTreeMap::new(),
                    replies: FuturesUnordered::new(),
                    journal: journal.into_iter().map(|Stored { first, items }| (first, items)).collect(),
                    heard: now,
                    answered: now,
                    unsent: None,
                    is_looking: false,
                    last_error: None,
                    ended: false,
                    link,
                    run,
                    sink: &self.outcomes,
                    trace: self.trace.as_ref(),
                    patience: self.patience,
                };
                serving.serve(&mut self.batches, &self.stop, outcomes).await;
            }
        }
    }
}

/// A run whose link is open.
struct Serving<'a, L: CoordinatorLink, O, A> {
    link: L,
    run: Run,
    sink: &'a Sink<O, A>,
    trace: Option<&'a TraceContext>,
    patience: Patience,
    leases: Leases<Open>,
    replays: BTreeMap<u64, Replay>,
    replies: FuturesUnordered<LocalBoxFuture<'static, Reply<L::Message>>>,
    /// What is stored of an earlier coordinator: from the index of the first item, so many.
    journal: BTreeMap<u64, u32>,
    /// When the backend gave the last sign, and when the last outcomes came.
    heard: Duration,
    answered: Duration,
    /// Set while no outcomes come that are waited for, although a node has some that it can't send.
    unsent: Option<Unsent>,
    is_looking: bool,
    last_error: Option<LinkError>,
    /// True if no more batches come.
    ended: bool,
}

/// What a node has told that can't send outcomes.
struct Unsent {
    /// When it, or another, told it first.
    since: Duration,
    /// When it was told last.
    told: Duration,
    what: String,
}

impl<L, O, A> Serving<'_, L, O, A>
where
    L: CoordinatorLink,
    O: DeserializeOwned + Send + 'static,
    A: Post<Outcomes<O>>,
{
    async fn serve<I: Serialize>(mut self, batches: &mut Batches<I>, stop: &StopSignal, mut outcomes: L::Outcomes) {
        let tick = self.patience.answer.min(self.patience.outage) / 4;
        let mut ticks = Box::pin(self.link.sleep_until(self.link.now() + tick).fuse());
        loop {
            if self.run.state.is_stopped() {
                return self.cancel().await;
            }
            if self.ended && self.unanswered() == 0 {
                return self.complete().await;
            }
            let event = tokio::select! {
                biased;
                () = stop.wait() => Event::Stopped,
                // What comes last here adds to what comes first, and waits for it.
                () = &mut ticks => Event::Tick,
                Some(reply) = self.replies.next(), if !self.replies.is_empty() => Event::Reply(reply),
                message = outcomes.next() => Event::Outcomes(message),
                batch = batches.recv(), if !self.ended => Event::Batch(batch),
            };
            match event {
                // It is seen above.
                Event::Stopped => {}
                Event::Batch(None) => self.ended = true,
                Event::Batch(Some(batch)) => self.take(batch),
                Event::Outcomes(Some(message)) => {
                    self.hear();
                    self.answered = self.heard;
                    self.receive(message.as_ref());
                }
                Event::Outcomes(None) => {
                    self.fail("another coordinator has taken the run over, or the connection was closed".to_owned());
                }
                Event::Reply(reply) => self.replied(reply),
                Event::Tick => {
                    ticks.set(self.link.sleep_until(self.link.now() + tick).fuse());
                    self.look();
                }
            }
        }
    }

    /// Batches that have left, and whose outcomes have not come.
    fn unanswered(&self) -> usize {
        self.leases.len() + self.replays.len()
    }

    /// The run was stopped: skips what has left, and has nodes drop it.
    async fn cancel(mut self) {
        self.leases.clear();
        self.replays.clear();
        let link = self.link.clone();
        self.end(|| link.cancel(), "nodes may go on with its jobs for a while").await;
    }

    async fn complete(self) {
        let unmatched = self.leases.unmatched();
        log::debug!("all outcomes have come; others were late, double or of other sizes: {unmatched:?}");
        let link = self.link.clone();
        self.end(|| link.complete(), "what it has stored is left there until it is too old").await;
    }

    /// Makes the last call of the backend, again if it fails, for a while.
    async fn end<F>(&self, last: impl Fn() -> F, otherwise: &str)
    where
        F: Future<Output = Result<(), LinkError>>,
    {
        let mut error = None;
        let told = async {
            while let Err(failed) = last().await {
                error = Some(failed);
                self.link.sleep_until(self.link.now() + RETRY).await;
            }
        };
        let is_told = tokio::select! {
            biased;
            () = told => true,
            () = self.link.sleep_until(self.link.now() + LAST_CALL) => false,
        };
        if !is_told {
            let error = error.unwrap_or_else(|| LinkError("it did not answer".to_owned()));
            log::warn!("the backend was not told of the end of the run, so {otherwise}: {error}");
        }
    }
}
