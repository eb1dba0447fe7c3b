//! The steps of a simulation, and what is checked after each.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::mem;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures::Stream;
use tokio::task::unconstrained;

use crate::engine::credit::Credit;
use crate::engine::executor::{Executor, Factory};
use crate::engine::run::{Run, WorkerGuard};
use crate::engine::settings::Checked;
use crate::error::ItemError;
use crate::pipeline::aggregator::Aggregator;
use crate::pipeline::assembly::Assembly;
use crate::pipeline::generator::Generator;
use crate::pipeline::receiver::Receiver;
use crate::pipeline::worker::Shared;
use crate::protocol::Phase;
use crate::stats::Stats;
use crate::stop::StopHandle;
use crate::testing::seeds::Draws;
use crate::testing::simulation::mailbox::{Mail, Mailbox};
use crate::testing::simulation::probes::{Log, WatchedSource, WatchedWork};
use crate::testing::simulation::worker::{Environment, Worker};
use crate::testing::simulation::{Act, Consumer, Outcome, Plan, When};
use crate::work::Work;
use crate::work::turn::{Turns, Whole};

/// How many of the last steps are printed when a promise is broken.
const TOLD: usize = 32;

/// Of so many items, after one the rest of the batch is given back.
const GIVEN_BACK: usize = 16;

/// Which part of the pipeline took a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// The generator asked the source for items, while there were permits for them.
    Feed,
    /// The worker of this number built its work, ran one item, took a part of another one's batch, gave the rest of its
    /// own back to the queue, sent the outcomes of a batch, or ended.
    Work(usize),
    /// The results of the worker of this number left, while its next item runs.
    Deliver(usize),
    /// The aggregator took one message.
    Collect,
    /// The consumer polled the stream once.
    Consume,
    /// None of them: the clock advanced to the end of the next item that runs.
    Wait,
    /// None of them could: what was planned for [`When::Idle`] happened, or a consumer that had stalled dropped the
    /// stream.
    Idle,
}

/// A simulated pipeline that has started: [`Simulation::start`](crate::testing::Simulation::start).
pub struct Simulated<I: Send + 'static, W: Work<I>> {
    machine: Machine<I, Whole<W>>,
}

impl<I: Send + 'static, W: Work<I>> Simulated<I, W> {
    pub(super) fn new(machine: Machine<I, Whole<W>>) -> Self {
        Self { machine }
    }

    /// Lets one part of the pipeline take a step: the seed decides which of those that can. Returns the step, or `None`
    /// once the pipeline has ended.
    ///
    /// # Panics
    ///
    /// If a promise was broken, and names it: an item is not accounted for, more items are in flight than the window
    /// allows, an item began or the source was asked after a stop, or no part can take a step. Also if the pipeline has
    /// not ended after the [limit](crate::testing::Simulation::limit) of steps.
    pub fn step(&mut self) -> Option<Step> {
        self.machine.step()
    }

    /// Takes steps until the pipeline has ended.
    ///
    /// # Panics
    ///
    /// As [`step`](Self::step).
    pub fn finish(self) -> Outcome<W::Output> {
        self.machine.finish()
    }

    /// The statistics at this instant. Times are those of the simulation's clock.
    pub fn stats(&self) -> Stats {
        self.machine.stats()
    }

    /// The results that the consumer has taken so far.
    pub fn results(&self) -> &[Result<W::Output, ItemError>] {
        &self.machine.results
    }

    /// Stops the pipeline between two steps, as [`FanIn::stop`](crate::FanIn::stop) does.
    pub fn stop(&mut self) {
        self.machine.run.advance(Phase::Stopped);
    }

    /// Drains the pipeline between two steps, as [`FanIn::drain`](crate::FanIn::drain) does.
    pub fn drain(&mut self) {
        self.machine.run.advance(Phase::Draining);
    }

    /// Drops the stream between two steps.
    pub fn drop_stream(&mut self) {
        self.machine.receiver = None;
    }

    /// Returns true if nothing is left of the pipeline.
    pub fn has_ended(&self) -> bool {
        self.machine.has_ended()
    }
}

/// The parts of a pipeline, and who takes the next step.
pub(super) struct Machine<I: Send + 'static, W: Turns<I>> {
    seed: u64,
    draws: Draws,
    consumer: Consumer,
    acts: Vec<(When, Act)>,
    run: Run,
    clock: Duration,
    generator: Option<Generator>,
    generator_is_called: Arc<Called>,
    workers: Vec<Worker<I, Watched<W>>>,
    environment: Environment<I, Watched<W>>,
    aggregator: Option<Aggregator<W::Output>>,
    receiver: Option<Receiver<W::Output>>,
    tail_is_called: Arc<Called>,
    results: Vec<Result<W::Output, ItemError>>,
    steps: u64,
    lately: VecDeque<Step>,
    most_in_flight: usize,
    /// How many items may be in flight, and how many results may wait.
    window: usize,
    most_results: usize,
    most_outstanding: usize,
    limit: u64,
}

/// The user's work with its faults and its log.
type Watched<W> = WatchedWork<crate::testing::Faulty<W>>;

/// A waker that records that it was called.
struct Called(AtomicBool);

impl Called {
    /// Recorded as called: a task is polled once before it can wait.
    fn new() -> Arc<Self> {
        Arc::new(Self(AtomicBool::new(true)))
    }

    fn get(&self) -> bool {
        self.0.load(Relaxed)
    }

    fn set(&self, called: bool) {
        self.0.store(called, Relaxed);
    }
}

impl Wake for Called {
    fn wake(self: Arc<Self>) {
        self.set(true);
    }
}

impl<I: Send + 'static, W: Turns<I>> Machine<I, W> {
    pub(super) fn new<S>(
        source: S,
        checked: &Checked,
        ordered: bool,
        plan: Plan,
        is_lazy: bool,
        factory: impl Fn(&Credit) -> W + Send + Sync + 'static,
    ) -> Self
    where
        S: Stream<Item = Result<I, ItemError>> + Unpin + 'static,
    {
        let Plan { seed, consumer, acts, faults, cost, limit } = plan;
        let (assembly, aggregator) = Assembly::new(checked, ordered, None, Vec::new(), Duration::MAX);
        let run = assembly.run.clone();
        let handle = StopHandle::new(run.clone());
        let log = Log::default();

        let (queue, mail) = (Mailbox::new(), Mailbox::new());
        let source = WatchedSource { source, log: log.clone(), run: run.clone() };
        let feed = assembly.feed(source, queue.clone(), mail.clone());

        let faults = faults.apart();
        faults.arm(handle.clone());
        let stops = acts.iter().filter_map(|act| match act {
            (When::Begun(index), Act::Stop(stop)) => Some((*index, *stop)),
            _ => None,
        });
        let credit = Arc::clone(assembly.credit());
        let built = {
            let credit = Arc::clone(&credit);
            faults.over_armed(move || factory(&credit))
        };
        let stops = stops.collect::<Arc<[_]>>();
        let work = {
            let log = log.clone();
            move || WatchedWork { work: built(), log: log.clone(), handle: handle.clone(), stops: Arc::clone(&stops) }
        };
        let factory = Factory::new(work);
        let shared = Shared { counts_all: is_lazy, ..assembly.shared(Arc::clone(&factory), mail) };
        // The first worker has the guard of the run: no worker comes after it has left.
        let guard = |id| match id {
            0 => WorkerGuard::of_run(&run),
            _ => WorkerGuard::of_another_thread(&run),
        };
        let executor = |id| Executor::new(id, Arc::clone(&factory), guard(id));

        let mut simulated = Self {
            seed,
            draws: Draws::new(seed),
            consumer,
            acts,
            clock: Duration::ZERO,
            generator: Some(Generator::new(&run, feed)),
            generator_is_called: Called::new(),
            workers: (0..checked.concurrency).map(|id| Worker::new(executor(id))).collect(),
            environment: Environment {
                shared,
                started: run.metrics.started(),
                queue,
                parked: RefCell::default(),
                cost: cost.unwrap_or_else(|| drawn_cost(seed)),
                log,
            },
            aggregator: Some(aggregator),
            receiver: Some(assembly.receiver()),
            tail_is_called: Called::new(),
            run,
            results: Vec::new(),
            steps: 0,
            lately: VecDeque::new(),
            most_in_flight: 0,
            window: 0,
            most_results: 0,
            most_outstanding: 0,
            limit,
        };
        simulated.act();
        simulated.consumer_may_leave();
        simulated
    }

    /// See [`Simulated::step`].
    fn step(&mut self) -> Option<Step> {
        if self.has_ended() {
            return None;
        }
        self.environment.resume(self.run.state.is_stopped());
        let step = self.draw();
        match step {
            Step::Feed => self.feed(),
            Step::Work(worker) => self.work(worker),
            Step::Deliver(worker) => self.workers[worker].deliver(&self.environment),
            Step::Collect => self.collect(),
            Step::Consume => self.consume(),
            Step::Wait => self.clock = self.next_end().unwrap_or(self.clock),
            Step::Idle => self.idle(),
        }
        self.steps += 1;
        self.expect(self.steps < self.limit, || "it has not ended, and this is the limit of steps".to_owned());
        if self.lately.len() == TOLD {
            self.lately.pop_front();
        }
        self.lately.push_back(step);
        self.act();
        self.consumer_may_leave();
        self.check();
        Some(step)
    }

    /// Takes steps until the pipeline has ended.
    pub(super) fn finish(mut self) -> Outcome<W::Output> {
        while self.step().is_some() {}
        let stats = self.stats();
        self.expect(stats.in_flight == 0, || format!("it ended with items in flight: {stats:?}"));
        Outcome {
            stats,
            results: mem::take(&mut self.results),
            error: self.run.state.error().cloned(),
            begun: mem::take(&mut self.environment.log.entries().begun),
            most_in_flight: self.most_in_flight,
            steps: self.steps,
            never: self.acts.iter().map(|(when, _)| *when).collect(),
            elapsed: self.clock,
        }
    }

    fn stats(&self) -> Stats {
        let mut stats = self.receiver.as_ref().map_or_else(|| self.run.stats(), Receiver::stats);
        // The times were measured on the simulation's clock, and so was the start of a batch that runs.
        self.run.metrics.read(&mut stats, self.environment.started + self.clock, None);
        // These were not: a step takes no time on the simulation's clock.
        stats.verdict = None;
        stats.queue_wait = None;
        stats
    }

    fn has_ended(&self) -> bool {
        self.generator.is_none()
            && self.aggregator.is_none()
            && self.receiver.is_none()
            && self.workers.iter().all(Worker::has_left)
    }

    fn draw(&mut self) -> Step {
        let closing = self.generator.is_none();
        let mut able = Vec::with_capacity(self.workers.len() + 4);
        if !closing && self.generator_is_called.get() {
            able.push(Step::Feed);
        }
        let divides = self.environment.shared.may_share();
        let has_work = !self.environment.queue.is_empty() || divides && self.workers.iter().any(Worker::can_share);
        for (id, worker) in self.workers.iter().enumerate() {
            if worker.is_ready(self.clock, has_work, closing) {
                able.push(Step::Work(id));
            }
            if self.environment.shared.divides && worker.can_deliver() {
                able.push(Step::Deliver(id));
            }
        }
        if self.aggregator.is_some() && !self.environment.shared.aggregator.is_empty() {
            able.push(Step::Collect);
        }
        if self.next_end().is_some_and(|end| end > self.clock) {
            able.push(Step::Wait);
        }
        let may_consume = match self.consumer {
            Consumer::Eager | Consumer::Leaves(_) => true,
            Consumer::Slow => able.is_empty(),
            Consumer::Stalls(after) => (self.results.len() as u64) < after,
        };
        if may_consume && self.receiver.is_some() && self.tail_is_called.get() {
            able.push(Step::Consume);
        }
        if able.is_empty() { Step::Idle } else { able[self.draws.below(able.len())] }
    }

    fn next_end(&self) -> Option<Duration> {
        self.workers.iter().filter_map(Worker::until).min()
    }

    fn feed(&mut self) {
        self.generator_is_called.set(false);
        let waker = Waker::from(Arc::clone(&self.generator_is_called));
        let Some(generator) = &mut self.generator else { return };
        if poll_freely(&waker, |cx| generator.poll(cx)).is_ready() {
            self.generator = None;
        }
    }

    fn work(&mut self, id: usize) {
        let Self { workers, environment, draws, .. } = self;
        let divides = environment.shared.divides;
        if environment.shared.may_share() && workers[id].is_idle() && environment.queue.is_empty() {
            let mut able: Vec<_> = workers.iter_mut().filter(|worker| worker.can_share()).collect();
            if !able.is_empty() {
                let shared = able.swap_remove(draws.below(able.len())).share();
                shared.into_iter().for_each(|batch| environment.queue.post_first(batch));
            }
        }
        let gives_back = divides && draws.below(GIVEN_BACK) == 0;
        workers[id].step(self.clock, gives_back, environment);
    }

    fn collect(&mut self) {
        match (&mut self.aggregator, self.environment.shared.aggregator.pop()) {
            (Some(aggregator), Some(Mail::Outcomes(outcomes))) => {
                let all = aggregator.accept(outcomes);
                debug_assert!(all, "its time slice is never spent");
            }
            (aggregator, Some(Mail::Finish)) => *aggregator = None,
            (_, mail) => drop(mail),
        }
    }

    fn consume(&mut self) {
        self.tail_is_called.set(false);
        let waker = Waker::from(Arc::clone(&self.tail_is_called));
        let Some(receiver) = &mut self.receiver else { return };
        match poll_freely(&waker, |cx| receiver.poll_next(cx)) {
            Poll::Pending => {}
            Poll::Ready(None) => self.receiver = None,
            Poll::Ready(Some(result)) => {
                self.results.push(result);
                self.tail_is_called.set(true);
            }
        }
    }

    /// The step when no part can take one.
    fn idle(&mut self) {
        if self.act_where(|when| when == When::Idle) {
            return;
        }
        let stalled = matches!(self.consumer, Consumer::Stalls(after) if self.results.len() as u64 >= after);
        let left = stalled && self.receiver.take().is_some();
        self.expect(left, || {
            "no part can take a step, and it has not ended (a source that waits for a timer or another thread can't be \
             simulated)"
                .to_owned()
        });
    }

    fn consumer_may_leave(&mut self) {
        if let Consumer::Leaves(after) = self.consumer
            && self.results.len() as u64 >= after
        {
            self.receiver = None;
        }
    }

    /// Takes all planned acts that are due.
    fn act(&mut self) {
        let (steps, taken) = (self.steps, self.results.len() as u64);
        let begun = self.environment.log.entries().begun.last().copied();
        let is_due = |when| match when {
            When::Step(after) => steps >= after,
            When::Taken(after) => taken >= after,
            // `WatchedWork` has stopped the pipeline already; to do so twice is harmless.
            When::Begun(index) => begun == Some(index),
            When::Idle => false,
        };
        while self.act_where(is_due) {}
    }

    /// Takes one planned act that is due; returns true if there was one.
    fn act_where(&mut self, is_due: impl Fn(When) -> bool) -> bool {
        let Some(at) = self.acts.iter().position(|(when, _)| is_due(*when)) else { return false };
        match self.acts.remove(at).1 {
            Act::Stop(stop) => self.run.advance(stop.into()),
            Act::SystemStops => self.system_stops(),
        }
        true
    }

    fn system_stops(&mut self) {
        self.generator = None;
        self.aggregator = None;
        self.environment.shared.aggregator.close();
        // Worker threads may take batches from their queue for a while after the System has ended.
        if self.draws.below(2) == 0 {
            self.environment.queue.close();
            let parked = self.environment.parked.take();
            drop(parked);
        }
    }

    fn check(&mut self) {
        // Not the statistics: their percentiles would take as long as the step.
        let (ledger, window) = {
            let protocol = self.run.state.protocol();
            (protocol.ledger(), protocol.window())
        };
        self.expect(ledger.taken == ledger.accounted(), || format!("not every item is accounted for: {ledger:?}"));
        // The work may lower it. What is in flight then goes on.
        let window = window.max(self.window.min(ledger.in_flight));
        self.expect(ledger.in_flight <= window, || {
            format!("{} items are in flight, and the window is {window}", ledger.in_flight)
        });
        self.window = window;
        self.most_in_flight = self.most_in_flight.max(ledger.in_flight);
        self.most_outstanding = self.most_outstanding.max(self.run.state.protocol().outstanding());
        let credit = &self.environment.shared.credit;
        // None is handed out while there is no room, and each that runs may have a chunk, and one more that was not taken.
        let most = window + 2 * credit.chunk() * self.most_outstanding;
        let most = most.max(self.most_results.min(credit.held()));
        self.expect(credit.held() <= most, || {
            format!("{} results wait, and {most} may: the window is {window}", credit.held())
        });
        self.most_results = most;
        let (begun, asked) = {
            let entries = self.environment.log.entries();
            (entries.begun_after_stop, entries.asked_after_stop)
        };
        self.expect(begun.is_none(), || format!("item {begun:?} began after a stop"));
        self.expect(!asked, || "the source was asked for an item after a stop".to_owned());
    }

    #[track_caller]
    fn expect(&self, kept: bool, broken: impl FnOnce() -> String) {
        if !kept {
            panic!(
                "seed {}, step {}: {}; phase {:?}, lately: {:?}",
                self.seed,
                self.steps,
                broken(),
                self.phase(),
                self.lately
            );
        }
    }

    fn phase(&self) -> Phase {
        match (self.run.state.is_stopped(), self.run.state.is_running()) {
            (true, _) => Phase::Stopped,
            (_, true) => Phase::Running,
            _ => Phase::Draining,
        }
    }
}

/// Polls outside of tokio's cooperative budget. A simulation inside of a task never waits, so it would spend that
/// budget, and then tokio's channels would answer that they are empty.
fn poll_freely<T>(waker: &Waker, poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
    let free = pin!(unconstrained(poll_fn(poll)));
    free.poll(&mut Context::from_waker(waker))
}

/// The cost of each item, up to a millisecond. Drawn by the index alone, so that it doesn't depend on the order of
/// steps.
fn drawn_cost(seed: u64) -> Arc<dyn Fn(u64) -> Duration + Send + Sync> {
    Arc::new(move |index| {
        let mut draws = Draws::new(seed ^ index.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        Duration::from_nanos(draws.below(1_000_000) as u64)
    })
}

impl<I: Send + 'static, W: Work<I>> fmt::Debug for Simulated<I, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulated")
            .field("seed", &self.machine.seed)
            .field("steps", &self.machine.steps)
            .field("clock", &self.machine.clock)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
