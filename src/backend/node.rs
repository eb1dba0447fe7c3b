//! A node: takes jobs from a backend, runs them on its threads, and sends their outcomes back.

use std::cell::Cell;
use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use futures::future::{Either, join_all, select};
use tokio::sync::RwLock;

use crate::backend::kinds::{Kinds, ReceivedBatch, RunBatch};
use crate::backend::link::{Delivered, LinkError, NodeLink, Settled};
use crate::backend::wire::{NodeState, OutcomesHead, OutcomesWriter, ReceivedJob, Verdict, WireError};
use crate::error::Stopped;
use crate::observe::TraceContext;
use crate::util::log;

/// How often a job is delivered at most. One that comes again has brought down each node that had it, or these were cut
/// off. Not fewer: the other jobs of a node that dies have been delivered once more as well.
pub(crate) const MAX_DELIVERIES: u64 = 5;

/// A job that was delivered more often runs while no other job runs on its node. So one that ends nodes ends no others with
/// it, whose deliveries would be counted as well.
const SUSPICIOUS: u64 = 2;

/// How long a node waits after a call of its backend that failed: twice as long each time.
struct Backoff(Duration);

impl Backoff {
    const LONGEST: Duration = Duration::from_secs(5);

    fn new() -> Self {
        Self(Duration::from_millis(100))
    }

    fn next(&mut self) -> Duration {
        let next = (self.0 * 2).min(Self::LONGEST);
        std::mem::replace(&mut self.0, next)
    }
}

/// What a node refuses, however often it is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The most items of a job.
    pub(crate) max_items: u32,
}

/// A job that is to be run.
pub(crate) struct Request {
    pub(crate) kind: String,
    pub(crate) payload: Vec<u8>,
    /// The trace that it belongs to.
    pub(crate) trace: Option<TraceContext>,
    pub(crate) held: Arc<Held>,
    /// The longest message, in bytes.
    pub(crate) max_message: usize,
}

/// What a node tells of itself.
pub(crate) struct Shown {
    /// What it is called in outcomes.
    node: Arc<str>,
    slots: u32,
    /// How many jobs it has.
    held: AtomicU32,
    is_draining: Arc<AtomicBool>,
}

impl Shown {
    /// Of a node that is called `node` in outcomes, and has `slots` jobs at a time. `is_draining` is set by what has it drain,
    /// before a job can end that tells of it.
    pub(crate) fn new(node: Arc<str>, slots: u32, is_draining: Arc<AtomicBool>) -> Self {
        Self { node, slots, held: AtomicU32::new(0), is_draining }
    }
}

/// A job that a node has, until this is dropped.
pub(crate) struct Held(Arc<Shown>);

impl Held {
    fn new(shown: &Arc<Shown>) -> Self {
        shown.held.fetch_add(1, Relaxed);
        Self(Arc::clone(shown))
    }

    /// What the node is called in outcomes.
    pub(crate) fn node(&self) -> &str {
        &self.0.node
    }

    /// What outcomes tell of the node.
    pub(crate) fn state(&self) -> NodeState {
        self.0.state()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.held.fetch_sub(1, Relaxed);
    }
}

impl Shown {
    fn state(&self) -> NodeState {
        let Self { slots, held, is_draining, .. } = self;
        NodeState { slots: *slots, in_flight: held.load(Relaxed), is_draining: is_draining.load(Relaxed) }
    }

    /// What a node sends last.
    fn farewell(&self) -> Vec<u8> {
        self.note(NodeState { in_flight: 0, is_draining: true, ..self.state() }, Verdict::Ran)
    }

    /// What a node tells if it can't send outcomes.
    fn unsent(&self, error: &LinkError) -> Vec<u8> {
        self.note(self.state(), Verdict::Refused(error.to_string()))
    }

    /// Outcomes of no items.
    fn note(&self, state: NodeState, verdict: Verdict) -> Vec<u8> {
        let node = self.node.to_string();
        OutcomesWriter::default().outcomes(&OutcomesHead { first: 0, items: 0, node, state, ran_nanos: 0, verdict })
    }
}

/// Runs jobs on some thread. Dropping the future cancels it.
pub(crate) trait RunsJobs {
    /// The message with the outcomes.
    fn run(&self, request: Request) -> impl Future<Output = Result<Vec<u8>, Stopped>>;
}

/// A node, whichever its backend.
pub(crate) struct NodeServer<L, R> {
    link: L,
    runs: R,
    shown: Arc<Shown>,
    limits: Limits,
    /// Held by each job that runs, and by one alone if it is suspicious.
    beside: RwLock<()>,
    /// True since the backend has failed a slot that asked for a job, until it has answered one.
    is_failing: Cell<bool>,
}

impl<L: NodeLink, R: RunsJobs> NodeServer<L, R> {
    pub(crate) fn new(link: L, runs: R, shown: Shown, limits: Limits) -> Self {
        Self { link, runs, shown: Arc::new(shown), limits, beside: RwLock::default(), is_failing: Cell::new(false) }
    }

    /// Serves jobs until `drain` is ready; then ends those that it has. Once `leave` is ready it gives them back.
    pub(crate) async fn serve(&self, drain: impl Future<Output = ()> + Clone, leave: impl Future<Output = ()> + Clone) {
        let slots = 0..self.shown.slots as usize;
        join_all(slots.map(|slot| self.serve_slot(slot, drain.clone(), leave.clone()))).await;
        self.link.farewell(self.shown.farewell()).await;
        self.link.close().await;
    }

    async fn serve_slot(
        &self,
        slot: usize,
        drain: impl Future<Output = ()> + Clone,
        leave: impl Future<Output = ()> + Clone,
    ) {
        let mut backoff = Backoff::new();
        let mut drain = pin!(drain);
        loop {
            let next = async {
                // While a suspicious job waits until it is alone, a slot takes none that it would only hold.
                drop(self.beside.read().await);
                self.link.next(slot).await
            };
            match select(drain.as_mut(), pin!(next)).await {
                Either::Left(((), _)) => return,
                Either::Right((Ok(delivery), _)) => {
                    backoff = Backoff::new();
                    self.is_failing.set(false);
                    if let Some(delivery) = delivery {
                        self.serve_delivery(&delivery, leave.clone()).await;
                    }
                }
                Either::Right((Err(error), _)) => {
                    let pause = backoff.next();
                    // All slots fail for the same reason: it is told once.
                    if !self.is_failing.replace(true) {
                        log::warn!("no job can be taken, which is tried again and again: {error}");
                    }
                    log::debug!("no job can be taken, which is tried again after {pause:?}: {error}");
                    if let Either::Left(_) = select(drain.as_mut(), pin!(self.link.sleep(pause))).await {
                        return;
                    }
                }
            }
        }
    }

    /// Runs one job to its end, or until it is cancelled or to be given back.
    async fn serve_delivery(&self, delivery: &L::Delivery, leave: impl Future<Output = ()>) {
        let serving = async {
            let held = Arc::new(Held::new(&self.shown));
            let outcomes = match self.check(delivery, &held) {
                // Its head can't be read, so no coordinator can be answered. If one waits for it, it sends it again.
                Err(error) => {
                    log::warn!("a job was not understood, and is dropped: {error}");
                    return Settled::Dropped;
                }
                Ok(Err(refusal)) => refusal,
                Ok(Ok(trace)) => {
                    let _beside = match delivery.deliveries() {
                        ..=SUSPICIOUS => Either::Left(self.beside.read().await),
                        _ => Either::Right(self.beside.write().await),
                    };
                    let request = Request {
                        kind: delivery.kind().to_owned(),
                        payload: delivery.payload().to_vec(),
                        trace,
                        held: Arc::clone(&held),
                        max_message: self.link.max_message(),
                    };
                    match self.runs.run(request).await {
                        Ok(outcomes) => outcomes,
                        Err(Stopped) => return Settled::GivenBack,
                    }
                }
            };
            // Until the backend has them, or the run is cancelled, or the node leaves.
            let mut backoff = Backoff::new();
            while let Err(error) = self.link.answer(delivery, outcomes.clone()).await {
                let pause = backoff.next();
                log::warn!("outcomes could not be sent, which is tried again after {pause:?}: {error}");
                self.link.tell(delivery, self.shown.unsent(&error)).await;
                self.link.sleep(pause).await;
            }
            Settled::Answered
        };
        let cancelled = async {
            self.link.cancelled(delivery).await;
            Settled::Dropped
        };
        let leaving = async {
            leave.await;
            Settled::GivenBack
        };
        let progress = async {
            loop {
                self.link.sleep(self.link.patience() / 3).await;
                if let Err(error) = self.link.progress(delivery).await {
                    log::debug!("the backend was not told of progress: {error}");
                }
            }
        };
        let how = tokio::select! {
            biased;
            how = cancelled => how,
            how = leaving => how,
            how = serving => how,
            () = progress => unreachable!("it goes on"),
        };
        if let Err(error) = self.link.settle(delivery, how).await {
            // It will be delivered again, and its outcomes come twice.
            log::warn!("a job could not be settled: {error}");
        }
    }

    /// The trace of a job that is to be run, or the outcomes of one that is not.
    fn check(&self, delivery: &L::Delivery, held: &Held) -> Result<Result<Option<TraceContext>, Vec<u8>>, WireError> {
        let job = ReceivedJob::parse(delivery.payload())?;
        let (items, most) = (job.head.items, self.limits.max_items);
        let verdict = if delivery.deliveries() > MAX_DELIVERIES {
            Verdict::Poison { deliveries: delivery.deliveries() - 1 }
        } else if items > most {
            Verdict::Refused(format!("it has {items} items, and this node takes at most {most}"))
        } else {
            return Ok(Ok(job.trace));
        };
        Ok(Err(refusal(&job, held, verdict)))
    }
}

fn refusal(job: &ReceivedJob<'_>, held: &Held, verdict: Verdict) -> Vec<u8> {
    let (first, items) = (job.head.first, job.head.items);
    let (node, state) = (held.node().to_owned(), held.state());
    let head = OutcomesHead { first, items, node, state, ran_nanos: 0, verdict };
    OutcomesWriter::default().outcomes(&head)
}

/// Runs a job on this thread.
pub(crate) fn run_job(
    runners: &mut Runners,
    request: &Request,
    is_cancelled: &(dyn Fn() -> bool + Sync),
) -> Result<Vec<u8>, Stopped> {
    let Request { kind, payload, held, max_message, trace: _ } = request;
    let job = ReceivedJob::parse(payload).map_err(|_| Stopped)?;
    let items = match job.items() {
        Ok(items) => items,
        Err(error) => return Ok(refusal(&job, held, Verdict::Refused(format!("it was not understood: {error}")))),
    };
    match runners.of(kind) {
        Some(runner) => {
            runner.run(&ReceivedBatch { head: job.head, items, held, max_message: *max_message }, is_cancelled)
        }
        None => {
            let reason = format!("node {} has no work of the kind {kind}", held.node());
            Ok(refusal(&job, held, Verdict::Refused(reason)))
        }
    }
}

/// The works of one thread.
pub(crate) struct Runners {
    kinds: Kinds,
    made: HashMap<String, Box<dyn RunBatch>>,
}

impl Runners {
    pub(crate) fn new(kinds: Kinds) -> Self {
        Self { kinds, made: HashMap::new() }
    }

    fn of(&mut self, kind: &str) -> Option<&mut Box<dyn RunBatch>> {
        if !self.made.contains_key(kind) {
            self.made.insert(kind.to_owned(), self.kinds.runner(kind)?);
        }
        self.made.get_mut(kind)
    }
}
