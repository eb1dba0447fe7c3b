//! The coordinator of a run whose workers are in other processes: it sends batches out under a lease, takes their
//! outcomes back, and mends what the backend loses.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::LocalBoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::backend::Post;
use crate::backend::lease::Leases;
use crate::backend::link::{CoordinatorLink, LinkError, Opened, Sending, Stored};
use crate::backend::remote_error::RemoteError;
use crate::backend::remote_queue::{Command, Commands, StopBell};
use crate::backend::wire::{Items, ReceivedOutcomes, Results, Verdict, WireError};
use crate::engine::batch::Batch;
use crate::engine::chunk::{Chunk, Outcomes};
use crate::engine::permit::Permit;
use crate::engine::run::{Run, WorkerGuard};
use crate::error::{ItemError, PipelineError};
use crate::protocol::{Ends, Phase};
use crate::stats::SkipReason;
use crate::util::buffer_pool::BufferPool;
use crate::util::log;
use crate::util::panic::{catch, discard};

/// What is told of a message before its payload: subject, headers, and the heads of the formats.
const OVERHEAD: usize = 512;

/// How long the end of a run waits until the backend knows of it.
const FAREWELL: Duration = Duration::from_secs(5);

/// How soon a batch is sent again that could not be sent.
const RETRY: Duration = Duration::from_millis(500);

/// How long a coordinator waits for what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// For the outcomes of a batch, before it is asked whether its job is lost.
    pub(crate) answer: Duration,
    /// For any sign of the backend, before the run fails.
    pub(crate) outage: Duration,
}

/// A coordinator, before its link is open.
pub(crate) struct Coordinator<I, O, A> {
    pub(crate) commands: Commands<I>,
    pub(crate) outcomes: Sink<O, A>,
    pub(crate) patience: Patience,
    /// Held here alone, and so as long as the run is served.
    #[allow(dead_code, reason = "the run has a weak reference to it")]
    pub(crate) bell: Arc<StopBell<I>>,
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
        result: Result<(), LinkError>,
    },
    Jobs(Result<HashSet<u64>, LinkError>),
    /// Of a batch that is missing.
    Found {
        first: u64,
        again: bool,
        result: Result<Option<M>, LinkError>,
    },
    /// Of an earlier coordinator.
    Replayed {
        first: u64,
        result: Result<Option<M>, LinkError>,
    },
}

enum Event<I, M> {
    Command(Option<Command<I>>),
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
    /// Serves the run until it ends. `opening` opens its link.
    pub(crate) async fn serve<L: CoordinatorLink>(
        mut self,
        opening: impl Future<Output = Result<Opened<L>, LinkError>>,
    ) {
        let run = self.guard.run().clone();
        let opened = {
            let mut opening = std::pin::pin!(opening);
            let mut held = VecDeque::new();
            loop {
                tokio::select! {
                    biased;
                    command = self.commands.recv() => match command {
                        Some(Command::Stop) | None => break None,
                        Some(command) => held.push_back(command),
                    },
                    opened = &mut opening => break Some((opened, held)),
                }
            }
        };
        match opened {
            // Nothing has left: what is queued is cancelled as it is dropped.
            None => self.drop_commands(),
            Some((Err(error), held)) => {
                run.fail(PipelineError::Remote { message: error.0 }, Phase::Stopped);
                held.into_iter().for_each(cancel);
                self.drop_commands();
            }
            Some((Ok(opened), held)) => {
                let Opened { link, outcomes, journal } = opened;
                let journal = journal.into_iter().map(|Stored { first, items }| (first, items)).collect();
                let now = link.now();
                let serving = Serving {
                    leases: Leases::new(self.patience.answer),
                    replays: BTreeMap::new(),
                    replies: FuturesUnordered::new(),
                    journal,
                    heard: now,
                    answered: now,
                    is_looking: false,
                    last_error: None,
                    ended: false,
                    link,
                    run: run.clone(),
                    sink: &self.outcomes,
                    patience: self.patience,
                };
                serving.serve(&mut self.commands, outcomes, held).await;
                self.drop_commands();
            }
        }
        drop(run);
        drop(self);
    }

    fn drop_commands(&mut self) {
        self.commands.close();
        while let Ok(command) = self.commands.try_recv() {
            cancel(command);
        }
    }
}

/// The run was stopped before the batch has left.
fn cancel<I>(command: Command<I>) {
    if let Command::Batch(mut batch) = command {
        batch.permit.cancel(SkipReason::Stopped);
    }
}

/// A run whose link is open.
struct Serving<'a, L: CoordinatorLink, O, A> {
    link: L,
    run: Run,
    sink: &'a Sink<O, A>,
    patience: Patience,
    leases: Leases<Open>,
    replays: BTreeMap<u64, Replay>,
    replies: FuturesUnordered<LocalBoxFuture<'static, Reply<L::Message>>>,
    /// What is stored of an earlier coordinator: from the index of the first item, so many.
    journal: BTreeMap<u64, u32>,
    /// When the backend gave the last sign, and when the last outcomes came.
    heard: Duration,
    answered: Duration,
    is_looking: bool,
    last_error: Option<LinkError>,
    /// True if no more batches come.
    ended: bool,
}

impl<L, O, A> Serving<'_, L, O, A>
where
    L: CoordinatorLink,
    O: DeserializeOwned + Send + 'static,
    A: Post<Outcomes<O>>,
{
    async fn serve<I: Serialize>(
        mut self,
        commands: &mut Commands<I>,
        mut outcomes: L::Outcomes,
        held: VecDeque<Command<I>>,
    ) {
        for command in held {
            self.obey(command);
        }
        let tick = self.patience.answer.min(self.patience.outage) / 4;
        let mut ticks = Box::pin(self.link.sleep_until(self.link.now() + tick).fuse());
        loop {
            if self.run.state.is_stopped() {
                return self.cancel().await;
            }
            if self.ended && self.leases.is_empty() && self.replays.is_empty() {
                return self.complete().await;
            }
            let event = tokio::select! {
                biased;
                // What comes last here adds to what comes first, and waits for it.
                () = &mut ticks => Event::Tick,
                Some(reply) = self.replies.next(), if !self.replies.is_empty() => Event::Reply(reply),
                message = outcomes.next() => Event::Outcomes(message),
                command = commands.recv() => Event::Command(command),
            };
            match event {
                // A stop is seen above.
                Event::Command(None) => self.ended = true,
                Event::Command(Some(command)) => self.obey(command),
                Event::Outcomes(Some(message)) => {
                    (self.heard, self.answered) = (self.link.now(), self.link.now());
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

    fn obey<I: Serialize>(&mut self, command: Command<I>) {
        match command {
            Command::Batch(batch) => self.take(batch),
            Command::Ended => self.ended = true,
            Command::Stop => {}
        }
    }

    /// Encodes a batch, and sends it out in as many parts as it needs. Failures of the source are passed on.
    fn take<I: Serialize>(&mut self, batch: Batch<I>) {
        let Batch { mut first, mut inputs, mut passed, mut permit, queued_at, .. } = batch;
        // How many good items have been encoded.
        let mut good = 0;
        let mut items = Items::default();
        loop {
            let is_passed = passed.front().is_some_and(|(before, _)| *before == good);
            let error = if is_passed {
                passed.pop_front().map(|(_, error)| error)
            } else {
                let Some(input) = inputs.queue().pop_front() else { break };
                good += 1;
                let encoded = catch(|| items.push(&input));
                discard(input);
                match encoded.unwrap_or_else(Err) {
                    Ok(()) => continue,
                    Err(message) => {
                        let text = format!("the item can't be sent: {message}");
                        Some(failed(first + u64::from(items.len()), text))
                    }
                }
            };
            // Those before it leave, it ends here.
            let before = items.len();
            let rest = permit.split_off(permit.items() - before as usize);
            let ready = Open { permit: mem::replace(&mut permit, rest), items: mem::take(&mut items), queued_at };
            if before > 0 {
                self.place(first, ready);
            } else {
                end_nothing(ready.permit);
            }
            first += u64::from(before);
            let rest = permit.split_off(permit.items() - 1);
            self.sink.fail(first, mem::replace(&mut permit, rest), error);
            first += 1;
        }
        if items.len() > 0 {
            self.place(first, Open { permit, items, queued_at });
        } else {
            end_nothing(permit);
        }
    }

    /// Finds out whether outcomes of it are stored, and sends out what is not.
    fn place(&mut self, mut first: u64, mut open: Open) {
        while !self.journal.is_empty() {
            let end = first + u64::from(open.items.len());
            let covering = self.journal.range(..=first).next_back().map(|(&first, &items)| Stored { first, items });
            let stored = covering.filter(|stored| stored.first + u64::from(stored.items) > first);
            let next = self.journal.range(first + 1..).next().map_or(u64::MAX, |(&first, _)| first);
            let cut = stored.map_or(next, |stored| stored.first + u64::from(stored.items)).min(end);
            let rest = (cut < end).then(|| open.split_off((cut - first) as u32));
            match stored {
                None => self.send(first, open),
                Some(stored) => {
                    let asked = self.link.stored(stored.first);
                    self.replays.insert(first, Replay { open, stored });
                    self.replies.push(asked.map(move |result| Reply::Replayed { first, result }).boxed_local());
                }
            }
            match rest {
                None => return,
                Some(rest) => (first, open) = (cut, rest),
            }
        }
        self.send(first, open);
    }

    /// Sends a batch out, in parts that are no longer than a message.
    fn send(&mut self, first: u64, mut open: Open) {
        let most = self.link.max_message().saturating_sub(OVERHEAD);
        while open.items.bytes() > most && open.items.len() > 1 {
            let keep = open.items.len() / 2;
            let rest = open.split_off(keep);
            self.send(first + u64::from(keep), rest);
        }
        if open.items.bytes() > most {
            let text = format!("the item takes {} bytes, and a message at most {most}", open.items.bytes());
            return self.sink.fail(first, open.permit, Some(failed(first, text)));
        }
        let (job, items) = (open.items.job(first), open.items.len());
        self.leases.grant(first, items, open, self.link.now());
        self.dispatch(Sending { first, items, attempt: 0 }, job);
    }

    fn dispatch(&mut self, sending: Sending, job: Vec<u8>) {
        let (sent, first) = (self.link.send(sending, job), sending.first);
        self.replies.push(sent.map(move |result| Reply::Sent { first, result }).boxed_local());
    }

    /// Outcomes have come.
    fn receive(&mut self, message: &[u8]) {
        let parsed = match ReceivedOutcomes::parse(message) {
            Ok(parsed) => parsed,
            Err(error) => return log::warn!("a message with outcomes was not understood: {error}"),
        };
        let Some(open) = self.leases.redeem(parsed.head.first, parsed.head.items) else {
            return log::debug!("outcomes of the batch at item {} came late or twice", parsed.head.first);
        };
        match &parsed.head.verdict {
            Verdict::Ran => {
                if let Err(refused) = self.deliver(parsed.head.first, 0, open, &parsed) {
                    let (open, error) = *refused;
                    let reason = format!("the outcomes of node {} are no good: {error}", parsed.head.node);
                    self.refuse(parsed.head.first, open, &reason);
                }
            }
            Verdict::Refused(reason) => self.refuse(parsed.head.first, open, reason),
            Verdict::Deadly { .. } if open.items.len() > 1 => {
                // One of its items may end the process of each node, and then the others are not to fail with it. Or all
                // were unlucky, and ran beside such an item each time.
                log::warn!("the batch at item {} is sent again, item by item", parsed.head.first);
                let (mut first, mut rest) = (parsed.head.first, open);
                while rest.items.len() > 1 {
                    let more = rest.split_off(1);
                    self.send(first, mem::replace(&mut rest, more));
                    first += 1;
                }
                self.send(first, rest);
            }
            Verdict::Deadly { deliveries } => {
                let reason = format!("it was delivered {deliveries} times, and each node that had it was lost");
                self.refuse(parsed.head.first, open, &reason);
            }
            Verdict::TooLarge { bytes, most } => {
                let (first, mut open) = (parsed.head.first, open);
                if open.items.len() > 1 {
                    let keep = open.items.len() / 2;
                    let rest = open.split_off(keep);
                    self.send(first + u64::from(keep), rest);
                    self.send(first, open);
                } else {
                    let text = format!("its results take {bytes} bytes, and a message at most {most}");
                    self.sink.fail(first, open.permit, Some(failed(first, text)));
                }
            }
        }
    }

    /// Delivers the outcomes of a batch, which are those from the number `skip` on.
    fn deliver(
        &self,
        first: u64,
        skip: u32,
        open: Open,
        received: &ReceivedOutcomes<'_>,
    ) -> Result<(), Box<(Open, WireError)>> {
        let items = open.items.len();
        let decoded = catch(|| received.results::<O>(skip, items, self.sink.buffers.get()));
        let results = match decoded.unwrap_or(Err(WireError::Head)) {
            Ok(results) => results,
            Err(error) => return Err(Box::new((open, error))),
        };
        let ran = Duration::from_nanos(received.head.ran_nanos);
        let ran = ran.mul_f64(f64::from(items) / f64::from(received.head.items.max(1)));
        let node = self.run.metrics.node_ended(&received.head.node, items, ran);
        let away = Instant::now().saturating_duration_since(open.queued_at);
        self.run.metrics.waited(away.saturating_sub(ran), items as usize);
        self.run.metrics.ran(ran / items, items as usize);
        if let Some(observed) = self.run.observed() {
            results.failures.iter().for_each(|(_, error)| observed.failed(error));
            let failed = results.failures.len();
            let ends = Ends { completed: items as usize - failed, failed, ..Ends::default() };
            observed.batch().tell(node, first, ends, open.queued_at, ran);
        }
        self.sink.deliver(first, open.permit, results, ran);
        Ok(())
    }

    /// Each item of the batch fails.
    fn refuse(&self, first: u64, open: Open, reason: &str) {
        log::warn!("the batch of {} items at item {first} was refused: {reason}", open.items.len());
        let failures = (0..u64::from(open.items.len())).map(|at| (0, failed(first + at, reason.to_owned()))).collect();
        let results = Results { values: self.sink.buffers.get(), failures };
        if let Some(observed) = self.run.observed() {
            results.failures.iter().for_each(|(_, error)| observed.failed(error));
        }
        self.sink.deliver(first, open.permit, results, Duration::ZERO);
    }

    fn replied(&mut self, reply: Reply<L::Message>) {
        let error = match reply {
            Reply::Sent { first, result } => result.err().inspect(|_| {
                let due = self.link.now() + RETRY;
                self.leases.hasten(first, due);
            }),
            Reply::Jobs(result) => {
                self.is_looking = false;
                match result {
                    Err(error) => Some(error),
                    Ok(jobs) => {
                        let silent = self.link.now().saturating_sub(self.answered);
                        if silent > self.patience.answer && !jobs.is_empty() {
                            log::warn!(
                                "{} batches have waited for {silent:.0?} at the backend, and no node has answered: is there one \
                                 that has this kind of work?",
                                jobs.len()
                            );
                        }
                        for missing in self.leases.look(self.link.now(), |first| jobs.contains(&first)) {
                            let (first, again) = (missing.first, missing.again);
                            let found = self.link.stored(first);
                            let found = found.map(move |result| Reply::Found { first, again, result });
                            self.replies.push(found.boxed_local());
                        }
                        None
                    }
                }
            }
            Reply::Found { first, again, result } => match result {
                Err(error) => Some(error),
                Ok(found) => {
                    let is_answered = found.is_some_and(|message| {
                        self.receive(message.as_ref());
                        self.leases.get(first).is_none()
                    });
                    if again && !is_answered {
                        self.send_again(first);
                    }
                    None
                }
            },
            Reply::Replayed { first, result } => match result {
                Err(error) => {
                    // It is asked again, since to run it again would be in vain.
                    if let Some(Replay { stored, .. }) = self.replays.get(&first) {
                        let asked = self.link.stored(stored.first);
                        let asleep = self.link.sleep_until(self.link.now() + RETRY);
                        let asked = asleep.then(move |()| asked);
                        self.replies.push(asked.map(move |result| Reply::Replayed { first, result }).boxed_local());
                    }
                    Some(error)
                }
                Ok(found) => {
                    if let Some(replay) = self.replays.remove(&first) {
                        self.replay(first, replay, found);
                    }
                    None
                }
            },
        };
        match error {
            None => self.heard = self.link.now(),
            Some(error) => {
                log::debug!("a call of the backend failed: {error}");
                self.last_error = Some(error);
            }
        }
    }

    /// Delivers what is stored of an earlier coordinator. A batch of which it is gone or damaged is run again.
    fn replay(&mut self, first: u64, Replay { open, stored }: Replay, found: Option<L::Message>) {
        let parsed = found.as_ref().and_then(|message| ReceivedOutcomes::parse(message.as_ref()).ok());
        let whole = parsed.filter(|parsed| {
            parsed.head.verdict == Verdict::Ran
                && (parsed.head.first, parsed.head.items) == (stored.first, stored.items)
        });
        let open = match whole {
            None => open,
            Some(parsed) => match self.deliver(first, (first - stored.first) as u32, open, &parsed) {
                Ok(()) => return,
                Err(refused) => refused.0,
            },
        };
        self.send(first, open);
    }

    /// The job of the batch is lost, and its outcomes are not stored.
    fn send_again(&mut self, first: u64) {
        let now = self.link.now();
        if let Some((open, attempt)) = self.leases.renew(first, now) {
            log::warn!("the batch at item {first} was lost: it is sent again");
            let (job, items) = (open.items.job(first), open.items.len());
            self.dispatch(Sending { first, items, attempt }, job);
        }
    }

    /// Looks for lost batches, if it is time to.
    fn look(&mut self) {
        let now = self.link.now();
        if self.leases.is_empty() && self.replays.is_empty() {
            // Nothing is waited for.
            (self.heard, self.answered) = (now, now);
            return;
        }
        if now.saturating_sub(self.heard) > self.patience.outage {
            let silent = now.saturating_sub(self.heard);
            return self.fail(format!("nothing was heard of the backend for {silent:.1?}"));
        }
        if !self.is_looking && (self.leases.has_overdue(now) || now.saturating_sub(self.heard) > self.patience.answer) {
            self.is_looking = true;
            self.replies.push(self.link.jobs().map(Reply::Jobs).boxed_local());
        }
    }

    /// Ends the run with an error that names what is missing.
    fn fail(&mut self, why: String) {
        use std::fmt::Write;
        let (mut message, open) = (why, self.leases.len() + self.replays.len());
        let _ = write!(message, ", and {open} batches are unanswered");
        for (at, (first, items)) in self.leases.first(3).enumerate() {
            let before = if at == 0 { ": items " } else { ", " };
            let _ = write!(message, "{before}{first}..{}", first + u64::from(items));
        }
        if open > 3 {
            message += " and more";
        }
        if let Some(error) = &self.last_error {
            let _ = write!(message, "; the last error was: {error}");
        }
        self.run.fail(PipelineError::Remote { message }, Phase::Stopped);
    }

    /// The run was stopped: skips what has left, and has nodes drop it.
    async fn cancel(mut self) {
        let replays = mem::take(&mut self.replays).into_values().map(|replay| replay.open);
        for Open { mut permit, .. } in self.leases.revoke_all().chain(replays) {
            permit.cancel(SkipReason::Stopped);
        }
        let link = self.link.clone();
        self.bid_farewell(|| link.cancel(), "nodes may go on with its jobs for a while").await;
    }

    async fn complete(self) {
        let strays = self.leases.strays();
        log::debug!("all outcomes have come; late or double: {}, of other sizes: {}", strays.late, strays.mismatched);
        let link = self.link.clone();
        self.bid_farewell(|| link.complete(), "what it has stored is left there until it is too old").await;
    }

    /// Makes the last call of the backend, again if it fails, for a while.
    async fn bid_farewell<F>(&self, last: impl Fn() -> F, otherwise: &str)
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
            () = self.link.sleep_until(self.link.now() + FAREWELL) => false,
        };
        if !is_told {
            let error = error.unwrap_or_else(|| LinkError("it did not answer".to_owned()));
            log::warn!("the backend was not told of the end of the run, so {otherwise}: {error}");
        }
    }
}

impl Open {
    /// Cuts all but the first `keep` items off.
    fn split_off(&mut self, keep: u32) -> Self {
        let items = self.items.split_off(keep);
        let permit = self.permit.split_off(items.len() as usize);
        Self { permit, items, queued_at: self.queued_at }
    }
}

impl<O, A: Post<Outcomes<O>>> Sink<O, A> {
    fn deliver(&self, first: u64, mut permit: Permit, results: Results<O>, ran: Duration) {
        let Results { values, failures } = results;
        let items = permit.items();
        permit.record(items - failures.len(), failures.len(), if ran.is_zero() { 0 } else { items }, ran);
        permit.end();
        let chunk = Chunk::new(values, failures, Arc::clone(&self.buffers), permit);
        // If the aggregator is gone, they are dropped here, which releases their permit.
        self.aggregator.post(Outcomes { first, part: 0, items, chunk });
    }

    /// A single item fails without having left.
    fn fail(&self, first: u64, permit: Permit, error: Option<ItemError>) {
        let failures = error.into_iter().map(|error| (0, error)).collect();
        self.deliver(first, permit, Results { values: self.buffers.get(), failures }, Duration::ZERO);
    }
}

/// A permit of no items, of which all were cut off.
fn end_nothing(mut permit: Permit) {
    debug_assert_eq!(permit.items(), 0);
    permit.record(0, 0, 0, Duration::ZERO);
}

fn failed(index: u64, text: String) -> ItemError {
    ItemError::failed(index, Box::new(RemoteError::new(text)))
}
