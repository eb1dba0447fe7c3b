//! A pipeline over nodes on one thread, step by step, in an order drawn from a seed, over a network with faults.
//!
//! The coordinator, the nodes and the engine are the real ones. In place of a server there is a backend in memory, which
//! loses, doubles, delays and reorders messages, and gives jobs to other nodes; processes are killed and stopped. A further
//! backend shows by the same faults that it keeps the promises.

mod broker;
mod world;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::backend::Post;
use crate::backend::coordinator::{Coordinator, Patience, Sink};
use crate::backend::kinds::{Kind, Kinds};
use crate::backend::node::{Limits, NodeServer, Request, Runners, RunsJobs, Shown, run_job};
use crate::backend::remote_queue::{StopSignal, remote_queue};
use crate::backend::wire::ReceivedJob;
use crate::engine::chunk::Outcomes;
use crate::engine::run::{Run, WorkerGuard};
use crate::engine::settings::Settings;
use crate::error::{ItemError, PipelineError, StartError, Stopped};
use crate::observe::{Observed, Observer, Observers, RunKind};
use crate::pipeline::aggregator::{Aggregator, Finish};
use crate::pipeline::assembly::{Assembly, item_bytes};
use crate::pipeline::feed::Feeds;
use crate::pipeline::intake::Serves;
use crate::pipeline::source::Source;
use crate::protocol::{BatchSize, Phase};
use crate::stats::Stats;
use crate::testing::cluster::broker::{Broker, JobsLink};
use crate::testing::cluster::world::{Tasks, World};
use crate::util::buffer_pool::BufferPool;
use crate::work::Work;

/// The kind of the work in a simulation.
const KIND: &str = "simulated/1";

/// How long the coordinator waits for an outage to end.
const OUTAGE: Duration = Duration::from_secs(60);

/// After so many steps a simulation is regarded as endless.
const LIMIT: u64 = 2_000_000;

/// How a simulated network behaves.
#[derive(Clone, Copy, Debug)]
pub struct Network {
    errors: usize,
    losses: usize,
    doubles: usize,
    delay: Duration,
}

impl Network {
    /// Without faults, and with a delay of up to a millisecond.
    pub fn good() -> Self {
        Self { errors: 0, losses: 0, doubles: 0, delay: Duration::from_millis(1) }
    }

    /// Of 1,000 calls, so many fail on their way, and as many on the way back, after they have had their effect.
    pub fn errors(self, permille: usize) -> Self {
        Self { errors: permille, ..self }
    }

    /// Of 1,000 messages, so many are acknowledged and lost.
    pub fn losses(self, permille: usize) -> Self {
        Self { losses: permille, ..self }
    }

    /// Of 1,000 outcomes, so many come twice.
    pub fn doubles(self, permille: usize) -> Self {
        Self { doubles: permille, ..self }
    }

    /// The longest way of a message, which is drawn for each: so messages overtake each other.
    pub fn delay(self, most: Duration) -> Self {
        Self { delay: most, ..self }
    }
}

/// Something that happens to the processes of a simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClusterEvent {
    /// A node is killed, and another one started.
    NodeDies,
    /// A node is stopped for longer than its jobs wait for a sign, and goes on then.
    NodeFreezes,
    /// The coordinator is killed, and another one resumes the run.
    CoordinatorDies,
    /// Nothing gets through for up to 20 s, which is less than the coordinator waits.
    Cut,
    /// Nothing gets through any more.
    CutForEver,
    /// The server loses jobs and outcomes that it has acknowledged.
    FilesLost,
    /// The pipeline is stopped.
    Stop,
    /// The pipeline is drained.
    Drain,
}

/// The builder of a simulated pipeline over nodes, made by [`simulate_cluster`].
#[must_use = "a simulation does nothing until it is run"]
pub struct ClusterSimulation<T: IntoIterator> {
    source: fn() -> T,
    seed: u64,
    window: usize,
    batch: usize,
    ordered: bool,
    nodes: usize,
    slots: usize,
    network: Network,
    events: Vec<(Duration, ClusterEvent)>,
    poison: Option<u64>,
    observers: Observers,
}

/// What came of a simulated pipeline over nodes.
#[derive(Debug)]
#[non_exhaustive]
pub struct ClusterOutcome<O> {
    /// The statistics at the end, of the coordinator that came to it.
    pub stats: Stats,
    /// What its consumer took.
    pub results: Vec<Result<O, ItemError>>,
    /// The error that ended the pipeline, if one did.
    pub error: Option<PipelineError>,
    /// Messages that were acknowledged and lost.
    pub lost: u64,
    /// Jobs that were delivered again.
    pub redelivered: u64,
    /// How often each item ran, by its index, over all nodes.
    pub runs: BTreeMap<u64, u64>,
    /// Jobs that are left in the backend.
    pub left: usize,
    /// On the simulation's clock.
    pub elapsed: Duration,
    /// The steps of all processes.
    pub steps: u64,
}

/// Simulates a pipeline over nodes. `source` makes its source, anew for each coordinator: it must yield the same items.
///
/// ```
/// use actix_fan::testing::{ClusterEvent, Network, assert_all_ended, for_each_seed, simulate_cluster};
/// use actix_fan::work_fn;
/// use std::time::Duration;
///
/// for_each_seed(0..20, |seed| {
///     let outcome = simulate_cluster(|| 0..100u64)
///         .seed(seed)
///         .ordered()
///         .network(Network::good().losses(50).errors(50).doubles(50))
///         .event(Duration::from_millis(20), ClusterEvent::NodeDies)
///         .run(|| work_fn(|n: u64, job: &mut actix_fan::Job<'_, u64>| {
///             job.emit(n * n);
///             Ok(())
///         }))
///         .unwrap();
///     assert_all_ended(&outcome.stats);
///     let squares: Vec<u64> = outcome.results.into_iter().map(Result::unwrap).collect();
///     assert!(squares.into_iter().eq((0..100).map(|n| n * n)));
/// });
/// ```
pub fn simulate_cluster<T>(source: fn() -> T) -> ClusterSimulation<T>
where
    T: IntoIterator<IntoIter: 'static>,
{
    ClusterSimulation {
        source,
        seed: 0,
        window: 64,
        batch: 8,
        ordered: false,
        nodes: 2,
        slots: 2,
        network: Network::good(),
        events: Vec::new(),
        poison: None,
        observers: Observers::default(),
    }
}

impl<T: IntoIterator> ClusterSimulation<T> {
    /// The seed that everything is drawn from.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// [`FanOut::window`](crate::FanOut::window). Default: 64.
    pub fn window(mut self, window: usize) -> Self {
        self.window = window;
        self
    }

    /// [`FanOut::batch`](crate::FanOut::batch). Default: 8.
    pub fn batch(mut self, items: usize) -> Self {
        self.batch = items;
        self
    }

    /// [`FanOut::ordered`](crate::FanOut::ordered).
    pub fn ordered(mut self) -> Self {
        self.ordered = true;
        self
    }

    /// How many nodes there are, each with 2 slots. Default: 2.
    pub fn nodes(mut self, nodes: usize) -> Self {
        self.nodes = nodes;
        self
    }

    /// How the network behaves. Default: [`Network::good`].
    pub fn network(mut self, network: Network) -> Self {
        self.network = network;
        self
    }

    /// What happens at a time on the simulation's clock. Can be called again for more.
    pub fn event(mut self, at: Duration, event: ClusterEvent) -> Self {
        self.events.push((at, event));
        self
    }

    /// Has an [`Observer`] see the pipeline of each coordinator, and the batches of each node, as
    /// [`FanOut::observe`](crate::FanOut::observe) and [`NodeBuilder::observe`](crate::remote::NodeBuilder::observe) do. To a
    /// node each batch is an item of a pool.
    pub fn observe(mut self, observer: impl Observer) -> Self {
        self.observers.add(observer);
        self
    }

    /// The item of this index ends the process of each node that runs it.
    pub fn poison(mut self, index: u64) -> Self {
        self.poison = Some(index);
        self
    }
}

impl<T> ClusterSimulation<T>
where
    T: IntoIterator<IntoIter: 'static>,
{
    /// Runs the simulation to its end, with a work that `factory` builds on each node.
    ///
    /// # Errors
    ///
    /// A [`StartError`] for a setting that makes no sense.
    ///
    /// # Panics
    ///
    /// If a promise was broken, and names it; or if it has not ended after very many steps.
    pub fn run<W, G>(self, factory: G) -> Result<ClusterOutcome<W::Output>, StartError>
    where
        T::Item: Serialize + DeserializeOwned + Send + 'static,
        W: Work<T::Item, Output: Serialize + DeserializeOwned>,
        G: Fn() -> W + Send + Sync + 'static,
    {
        let world = World::new(self.seed);
        let broker = Broker::new(world.clone(), self.network);
        let mut kinds = Kinds::default();
        kinds.add::<T::Item, _, _>(Kind::parse(KIND).expect("it is one"), factory);
        let mut tasks = Tasks::new(world.clone());
        let ran = Rc::new(Ran { poison: self.poison, ..Ran::default() });
        let mut started = 0;
        let mut start_node = |tasks: &mut Tasks| {
            started += 1;
            let observers = self.observers.clone();
            let runs = InlineRuns {
                world: world.clone(),
                runners: RefCell::new(Runners::new(kinds.clone())),
                ran: Rc::clone(&ran),
                node: started,
                observed: Observed::start(RunKind::Pool, Some("node".into()), self.slots, 1, observers),
            };
            let link = JobsLink { broker: broker.clone() };
            let limits = Limits { max_items: u32::MAX };
            let shown = Shown::new(format!("node-{started}").into(), self.slots as u32, Arc::default());
            let server = NodeServer::new(link, runs, shown, limits);
            let task = tasks.spawn(async move {
                server.serve(std::future::pending(), std::future::pending()).await;
            });
            Node { task, number: started }
        };
        let mut nodes: Vec<Node> = (0..self.nodes).map(|_| start_node(&mut tasks)).collect();
        let mut replace = |node: &mut Node, tasks: &mut Tasks| {
            tasks.kill(node.task);
            *node = start_node(tasks);
        };
        let mut events = self.events.clone();
        events.sort_by_key(|(at, _)| *at);
        let mut events = events.into_iter().peekable();
        // A timer, so that the clock comes to each of them.
        for (at, _) in &self.events {
            let timer = world.sleep_until(*at);
            tasks.spawn(timer);
        }
        let mut coordinator = self.start_coordinator(&world, &broker, &mut tasks)?;
        while tasks.runs(coordinator.serving) || tasks.runs(coordinator.consuming) {
            assert!(tasks.steps < LIMIT, "it has not ended after {LIMIT} steps");
            assert!(tasks.step(), "nothing can go on: {:?}", coordinator.run.stats());
            coordinator.check(self.window);
            for dead in ran.deaths.take() {
                if let Some(node) = nodes.iter_mut().find(|node| node.number == dead) {
                    replace(node, &mut tasks);
                }
            }
            while let Some((_, event)) = events.next_if(|(at, _)| *at <= world.now()) {
                let at = world.below(nodes.len());
                match event {
                    ClusterEvent::NodeDies => replace(&mut nodes[at], &mut tasks),
                    ClusterEvent::NodeFreezes => tasks.freeze(nodes[at].task, broker::ACK_WAIT * 3),
                    ClusterEvent::CoordinatorDies if coordinator.run.state.is_stopped() => {}
                    ClusterEvent::CoordinatorDies => {
                        for id in [coordinator.feeding, coordinator.serving, coordinator.consuming] {
                            tasks.kill(id);
                        }
                        coordinator = self.start_coordinator(&world, &broker, &mut tasks)?;
                    }
                    ClusterEvent::Cut => broker.cut(world.up_to(Duration::from_secs(20))),
                    ClusterEvent::CutForEver => broker.cut(Duration::from_secs(1 << 40)),
                    ClusterEvent::FilesLost => broker.lose_files(),
                    ClusterEvent::Stop => coordinator.run.advance(Phase::Stopped),
                    ClusterEvent::Drain => coordinator.run.advance(Phase::Draining),
                }
            }
        }
        let counts = broker.counts();
        Ok(ClusterOutcome {
            stats: coordinator.run.stats(),
            results: coordinator.results.take(),
            error: coordinator.run.state.error().cloned(),
            lost: counts.lost,
            redelivered: counts.redelivered,
            runs: ran.runs.take(),
            left: broker.left(),
            elapsed: world.now(),
            steps: tasks.steps,
        })
    }

    fn start_coordinator<O>(&self, world: &World, broker: &Broker, tasks: &mut Tasks) -> Result<Process<O>, StartError>
    where
        T::Item: Serialize + Send + 'static,
        O: DeserializeOwned + Send + 'static,
    {
        let mut settings = Settings::new(BatchSize::Fixed(self.batch), "simulated");
        settings.window = Some(self.window);
        let mut checked = settings.check(item_bytes::<T::Item, O>(), Some(self.nodes * self.slots))?;
        checked.remote = Some(Duration::from_millis(20));
        checked.observe(RunKind::Pipeline, self.observers.clone(), None);
        let trace = checked.observed.as_ref().and_then(|observed| observed.inject());
        let (assembly, aggregator) =
            Assembly::<T::Item, O>::new(&checked, self.ordered, None, Vec::new(), Duration::MAX);
        let run = assembly.run.clone();
        let collector = Collector(Rc::new(RefCell::new(Some(aggregator))));
        let (queue, batches) = remote_queue();
        let stop = Arc::new(StopSignal::default());
        let serves: Arc<dyn Serves> = stop.clone();
        let mut feed = assembly.feed((self.source)().into_source(), queue, collector.clone());
        assembly.intake.is_served_by(None, Arc::downgrade(&serves));
        let feeding = tasks.spawn(async move { poll_fn(|cx| feed.poll(cx)).await });
        let coordinator = Coordinator {
            batches,
            outcomes: Sink { aggregator: collector, buffers: Arc::new(BufferPool::new(4)) },
            patience: Patience { answer: broker::ACK_WAIT, outage: OUTAGE },
            stop,
            trace,
            guard: WorkerGuard::of_run(&run),
        };
        let (opening, delay) = (broker.clone(), world.sleep(world.up_to(Duration::from_millis(5))));
        let opening = async move {
            delay.await;
            Ok(opening.open(KIND))
        };
        let serving = tasks.spawn(async move { coordinator.serve(opening).await });
        let mut receiver = assembly.receiver();
        let results = Rc::new(RefCell::new(Vec::new()));
        let taken = Rc::clone(&results);
        let consuming = tasks.spawn(async move {
            while let Some(result) = poll_fn(|cx| receiver.poll_next(cx)).await {
                taken.borrow_mut().push(result);
            }
        });
        Ok(Process { run, feeding, serving, consuming, results })
    }
}

/// A node's process.
struct Node {
    task: usize,
    /// Counted from 1, over all that were started.
    number: usize,
}

/// A coordinator's process.
struct Process<O> {
    run: Run,
    feeding: usize,
    serving: usize,
    consuming: usize,
    results: Rc<RefCell<Vec<Result<O, ItemError>>>>,
}

impl<O> Process<O> {
    fn check(&self, window: usize) {
        let ledger = self.run.state.protocol().ledger();
        assert_eq!(ledger.taken, ledger.accounted(), "not every item is accounted for: {ledger:?}");
        assert!(ledger.in_flight <= window, "{} items are in flight, and the window is {window}", ledger.in_flight);
    }
}

/// The aggregator, which needs no actor here.
struct Collector<O>(Rc<RefCell<Option<Aggregator<O>>>>);

impl<O> Clone for Collector<O> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<O: Send + 'static> Post<Outcomes<O>> for Collector<O> {
    fn post(&self, outcomes: Outcomes<O>) {
        let mut aggregator = self.0.borrow_mut();
        match &mut *aggregator {
            // Its time slice has no end, so it passes all on.
            Some(aggregator) => _ = aggregator.accept(outcomes),
            None => {
                drop(aggregator);
                drop(outcomes);
            }
        }
    }
}

impl<O: Send + 'static> Post<Finish> for Collector<O> {
    fn post(&self, _: Finish) {
        let aggregator = self.0.borrow_mut().take();
        drop(aggregator);
    }
}

/// What has run, on all nodes.
#[derive(Default)]
struct Ran {
    runs: RefCell<BTreeMap<u64, u64>>,
    poison: Option<u64>,
    /// Nodes that are to be killed.
    deaths: RefCell<Vec<usize>>,
}

/// Runs jobs on the simulation's thread.
struct InlineRuns {
    world: World,
    runners: RefCell<Runners>,
    ran: Rc<Ran>,
    node: usize,
    observed: Option<Arc<Observed>>,
}

impl RunsJobs for InlineRuns {
    async fn run(&self, request: Request) -> Result<Vec<u8>, Stopped> {
        self.world.sleep(self.world.up_to(Duration::from_millis(10))).await;
        if let Ok(job) = ReceivedJob::parse(&request.payload) {
            let items = job.head.first..job.head.first + u64::from(job.head.items);
            if self.ran.poison.is_some_and(|poison| items.contains(&poison)) {
                self.ran.deaths.borrow_mut().push(self.node);
                std::future::pending::<()>().await;
            }
            let mut runs = self.ran.runs.borrow_mut();
            items.for_each(|index| *runs.entry(index).or_default() += 1);
        }
        let run = || run_job(&mut self.runners.borrow_mut(), &request, &|| false);
        match &self.observed {
            None => run(),
            Some(observed) => observed.run_here(request.trace.as_ref(), run).unwrap_or(Err(Stopped)),
        }
    }
}

impl<T: IntoIterator> fmt::Debug for ClusterSimulation<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterSimulation")
            .field("seed", &self.seed)
            .field("nodes", &self.nodes)
            .field("network", &self.network)
            .field("events", &self.events)
            .finish_non_exhaustive()
    }
}
