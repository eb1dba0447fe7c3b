//! A backend in memory, with the faults of real ones.

#![allow(clippy::disallowed_methods, reason = "the wakers are those of the simulation, which don't panic")]

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::Stream;

use crate::backend::link::{CoordinatorLink, Delivered, LinkError, NodeLink, Opened, Sending, Sent, Settled, Stored};
use crate::backend::wire::ReceivedOutcomes;
use crate::testing::cluster::Network;
use crate::testing::cluster::world::World;

/// How soon a job of which a node gives no sign goes to another one.
pub(super) const ACK_WAIT: Duration = Duration::from_secs(2);

/// How often those that wait for something look for it.
const LOOK: Duration = Duration::from_millis(50);

/// The longest message.
const MAX_MESSAGE: usize = 2048;

/// The broker of one run. Cheap to clone.
#[derive(Clone)]
pub(super) struct Broker {
    world: World,
    network: Network,
    state: Rc<RefCell<State>>,
}

#[derive(Default)]
struct State {
    jobs: BTreeMap<u64, Job>,
    outcomes: BTreeMap<u64, Vec<u8>>,
    /// Names of jobs that were sent, each with its coordinator.
    sent: HashSet<(u64, Sending)>,
    /// Outcomes on their way to the coordinator, with the time at which they come.
    pushed: Vec<(Duration, Vec<u8>)>,
    listener: Option<Waker>,
    cancelled: bool,
    /// Which coordinator has the run: the later one.
    coordinator: u64,
    cut_until: Duration,
    counts: Counts,
    deliveries: u64,
}

/// What happened to the messages of a run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) lost: u64,
    pub(super) doubled: u64,
    pub(super) redelivered: u64,
}

struct Job {
    kind: String,
    payload: Rc<[u8]>,
    deliveries: u64,
    /// The number of the delivery that a node has, and until when it may give no sign.
    held: Option<(u64, Duration)>,
}

/// What is told of a job that a node has.
pub(super) struct Delivery {
    first: u64,
    /// The number of this delivery among all.
    number: u64,
    kind: String,
    payload: Rc<[u8]>,
    deliveries: u64,
}

impl Delivered for Delivery {
    fn kind(&self) -> &str {
        &self.kind
    }

    fn payload(&self) -> &[u8] {
        &self.payload
    }

    fn deliveries(&self) -> u64 {
        self.deliveries
    }
}

impl Broker {
    pub(super) fn new(world: World, network: Network) -> Self {
        Self { world, network, state: Rc::default() }
    }

    pub(super) fn counts(&self) -> Counts {
        self.state.borrow().counts
    }

    /// From now on, nothing gets through for so long.
    pub(super) fn cut(&self, duration: Duration) {
        self.state.borrow_mut().cut_until = self.world.now() + duration;
    }

    /// The server loses jobs and outcomes that it has acknowledged: all, or half of them.
    pub(super) fn lose_files(&self) {
        let mut state = self.state.borrow_mut();
        let firsts: BTreeSet<u64> = state.jobs.keys().chain(state.outcomes.keys()).copied().collect();
        let is_all = self.world.happens(300);
        for first in firsts {
            if is_all || self.world.happens(500) {
                state.counts.lost += u64::from(state.jobs.remove(&first).is_some());
            }
            if is_all || self.world.happens(500) {
                state.outcomes.remove(&first);
            }
        }
    }

    /// What is left, which should be nothing at the end.
    pub(super) fn left(&self) -> usize {
        self.state.borrow().jobs.len()
    }

    /// A message takes its time, and may be lost on its way: then it is an error at its sender.
    async fn travel(&self) -> Result<(), LinkError> {
        self.world.sleep(self.world.up_to(self.network.delay)).await;
        if self.state.borrow().cut_until > self.world.now() {
            // As long as a client waits.
            self.world.sleep(Duration::from_secs(5)).await;
            return Err(LinkError("no reply".to_owned()));
        }
        Ok(())
    }

    /// There and back.
    async fn call<T>(&self, effect: impl FnOnce(&mut State) -> T) -> Result<T, LinkError> {
        self.travel().await?;
        if self.world.happens(self.network.errors) {
            return Err(LinkError("an error of the server".to_owned()));
        }
        let result = effect(&mut self.state.borrow_mut());
        self.travel().await?;
        // The effect is there, but the sender does not know.
        if self.world.happens(self.network.errors) {
            return Err(LinkError("the reply is lost".to_owned()));
        }
        Ok(result)
    }

    /// Another coordinator has the run from now on. It gets what an earlier one has left.
    pub(super) fn open(&self, kind: &str) -> Opened<RunLink> {
        let mut state = self.state.borrow_mut();
        state.coordinator += 1;
        state.jobs.clear();
        state.pushed.clear();
        state.cancelled = false;
        let journal = state.outcomes.values().filter_map(|message| {
            let head = ReceivedOutcomes::parse(message).ok()?.head;
            Some(Stored { first: head.first, items: head.items })
        });
        let journal = journal.collect();
        let link = RunLink { broker: self.clone(), kind: kind.to_owned(), coordinator: state.coordinator };
        let outcomes = RunOutcomes { link: link.clone(), timer: None };
        Opened { link, outcomes, journal }
    }
}

/// A coordinator's side.
#[derive(Clone)]
pub(super) struct RunLink {
    broker: Broker,
    kind: String,
    coordinator: u64,
}

impl CoordinatorLink for RunLink {
    type Message = Vec<u8>;
    type Outcomes = RunOutcomes;

    fn now(&self) -> Duration {
        self.broker.world.now()
    }

    fn sleep_until(&self, at: Duration) -> impl Future<Output = ()> + 'static {
        self.broker.world.sleep_until(at)
    }

    fn max_message(&self) -> usize {
        MAX_MESSAGE
    }

    fn send(&self, name: Sending, job: Vec<u8>) -> impl Future<Output = Result<Sent, LinkError>> + 'static {
        let Self { broker, kind, coordinator } = self.clone();
        async move {
            assert!(job.len() <= MAX_MESSAGE, "a job of {} bytes was sent", job.len());
            // Acknowledged and lost, as by a server that fails before it syncs.
            let is_lost = broker.world.happens(broker.network.losses);
            let effect = |state: &mut State| {
                if state.coordinator != coordinator || !state.sent.insert((coordinator, name)) {
                    return;
                }
                if is_lost {
                    state.counts.lost += 1;
                } else {
                    state.jobs.insert(name.first, Job { kind, payload: job.into(), deliveries: 0, held: None });
                }
            };
            broker.call(effect).await.map(|()| Sent::Kept)
        }
    }

    fn jobs(&self) -> impl Future<Output = Result<HashSet<u64>, LinkError>> + 'static {
        let broker = self.broker.clone();
        async move { broker.call(|state| state.jobs.keys().copied().collect()).await }
    }

    fn stored(&self, first: u64) -> impl Future<Output = Result<Option<Vec<u8>>, LinkError>> + 'static {
        let broker = self.broker.clone();
        async move { broker.call(|state| state.outcomes.get(&first).cloned()).await }
    }

    fn cancel(&self) -> impl Future<Output = Result<(), LinkError>> + 'static {
        let Self { broker, coordinator, .. } = self.clone();
        async move {
            let effect = |state: &mut State| {
                if state.coordinator == coordinator {
                    state.cancelled = true;
                    state.jobs.clear();
                }
            };
            broker.call(effect).await
        }
    }

    fn complete(&self) -> impl Future<Output = Result<(), LinkError>> + 'static {
        let Self { broker, coordinator, .. } = self.clone();
        async move {
            let effect = |state: &mut State| {
                if state.coordinator == coordinator {
                    state.jobs.clear();
                }
            };
            broker.call(effect).await
        }
    }
}

/// Outcomes as they come, until there is a later coordinator.
pub(super) struct RunOutcomes {
    link: RunLink,
    timer: Option<Pin<Box<crate::testing::cluster::world::Sleep>>>,
}

impl Stream for RunOutcomes {
    type Item = Vec<u8>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Vec<u8>>> {
        loop {
            let (broker, now) = (self.link.broker.clone(), self.link.broker.world.now());
            let mut state = broker.state.borrow_mut();
            if state.coordinator != self.link.coordinator {
                return Poll::Ready(None);
            }
            if let Some(due) = state.pushed.iter().position(|(at, _)| *at <= now) {
                return Poll::Ready(Some(state.pushed.swap_remove(due).1));
            }
            state.listener = Some(cx.waker().clone());
            let next = state.pushed.iter().map(|(at, _)| *at).min();
            drop(state);
            self.timer = next.map(|at| Box::pin(broker.world.sleep_until(at)));
            match self.timer.as_mut().map(|timer| timer.as_mut().poll(cx)) {
                Some(Poll::Ready(())) => {}
                _ => return Poll::Pending,
            }
        }
    }
}

/// A node's side.
#[derive(Clone)]
pub(super) struct JobsLink {
    pub(super) broker: Broker,
}

impl JobsLink {
    /// Takes any job that no node has.
    fn take(&self) -> Option<Delivery> {
        let Broker { world, state, .. } = &self.broker;
        let (mut state, now) = (state.borrow_mut(), world.now());
        let free = |job: &Job| job.held.is_none_or(|(_, until)| until <= now);
        let queued: Vec<u64> = state.jobs.iter().filter(|(_, job)| free(job)).map(|(first, _)| *first).collect();
        if queued.is_empty() {
            return None;
        }
        let first = queued[world.below(queued.len())];
        state.deliveries += 1;
        let number = state.deliveries;
        let job = state.jobs.get_mut(&first).expect("it is queued");
        job.deliveries += 1;
        job.held = Some((number, now + ACK_WAIT));
        let (kind, payload, deliveries) = (job.kind.clone(), Rc::clone(&job.payload), job.deliveries);
        state.counts.redelivered += u64::from(deliveries > 1);
        Some(Delivery { first, number, kind, payload, deliveries })
    }
}

impl NodeLink for JobsLink {
    type Delivery = Delivery;

    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + 'static {
        self.broker.world.sleep(duration)
    }

    fn max_message(&self) -> usize {
        MAX_MESSAGE
    }

    fn patience(&self) -> Duration {
        ACK_WAIT
    }

    async fn next(&self, _: usize) -> Result<Option<Delivery>, LinkError> {
        let Broker { world, .. } = &self.broker;
        for _ in 0..20 {
            self.broker.travel().await?;
            if let Some(delivery) = self.take() {
                return Ok(Some(delivery));
            }
            world.sleep(LOOK).await;
        }
        Ok(None)
    }

    fn cancelled(&self, _: &Delivery) -> impl Future<Output = ()> + 'static {
        let broker = self.broker.clone();
        async move {
            while !broker.state.borrow().cancelled {
                broker.world.sleep(LOOK).await;
            }
        }
    }

    async fn close(&self) {}

    async fn progress(&self, delivery: &Delivery) -> Result<(), LinkError> {
        self.broker.travel().await?;
        let until = self.broker.world.now() + ACK_WAIT;
        let mut state = self.broker.state.borrow_mut();
        if let Some(Job { held: Some(held), .. }) = state.jobs.get_mut(&delivery.first)
            && held.0 == delivery.number
        {
            held.1 = until;
        }
        Ok(())
    }

    async fn answer(&self, delivery: &Delivery, outcomes: Vec<u8>) -> Result<(), LinkError> {
        let Broker { world, network, .. } = &self.broker;
        assert!(outcomes.len() <= MAX_MESSAGE, "outcomes of {} bytes were sent", outcomes.len());
        let is_stored = !world.happens(network.losses);
        let pushes = match () {
            () if world.happens(network.losses) => 0,
            () if world.happens(network.doubles) => 2,
            () => 1,
        };
        let now = world.now();
        let arrivals: Vec<Duration> = (0..pushes).map(|_| now + world.up_to(network.delay * 4)).collect();
        let first = delivery.first;
        let effect = |state: &mut State| {
            if is_stored {
                state.outcomes.insert(first, outcomes.clone());
            }
            state.counts.lost += u64::from(!is_stored) + u64::from(arrivals.is_empty());
            state.counts.doubled += u64::from(arrivals.len() > 1);
            state.pushed.extend(arrivals.iter().map(|at| (*at, outcomes.clone())));
            if let Some(listener) = state.listener.take() {
                listener.wake();
            }
        };
        self.broker.call(effect).await
    }

    async fn tell(&self, _: &Delivery, message: Vec<u8>) {
        if self.broker.travel().await.is_ok() {
            self.farewell(message).await;
        }
    }

    async fn farewell(&self, message: Vec<u8>) {
        let at = self.broker.world.now() + self.broker.world.up_to(self.broker.network.delay);
        let mut state = self.broker.state.borrow_mut();
        state.pushed.push((at, message));
        if let Some(listener) = state.listener.take() {
            listener.wake();
        }
    }

    async fn settle(&self, delivery: &Delivery, how: Settled) -> Result<(), LinkError> {
        let effect = |state: &mut State| match how {
            // Also by a node that has held it for too long: another one has it as well.
            Settled::Answered | Settled::Dropped => drop(state.jobs.remove(&delivery.first)),
            Settled::GivenBack => {
                if let Some(job) = state.jobs.get_mut(&delivery.first)
                    && job.held.is_some_and(|(number, _)| number == delivery.number)
                {
                    job.held = None;
                }
            }
        };
        self.broker.call(effect).await
    }
}
