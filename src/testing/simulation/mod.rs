//! A pipeline on one thread, step by step, in an order drawn from a seed.

mod mailbox;
mod outcome;
mod probes;
mod scheduler;
mod worker;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, TryStreamExt};

use crate::engine::credit::Credit;
use crate::engine::settings::Settings;
use crate::error::{BoxError, ItemError, StartError};
use crate::pipeline::assembly::item_bytes;
use crate::pipeline::source::Source;
use crate::protocol::BatchSize;
use crate::stop::Stop;
use crate::testing::Faults;
use crate::testing::simulation::scheduler::Machine;
use crate::work::Work;
use crate::work::closures::{FilterMap, FlatMap, Lazy, Map, TryMap, sharing};
use crate::work::turn::Whole;

pub use outcome::Outcome;
pub use scheduler::{Simulated, Step};

/// When something happens to a simulated pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum When {
    /// After this number of steps.
    Step(u64),
    /// While the item of this index runs. A stop comes before its work is called, which can see it. A System stops
    /// after the work has returned and before its results are sent.
    Begun(u64),
    /// When the consumer has taken this number of results, failures included.
    Taken(u64),
    /// When no part of the pipeline can take a step, for example because the source never yields.
    Idle,
}

/// What the consumer of a simulated pipeline does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Consumer {
    /// May take a result in any step.
    #[default]
    Eager,
    /// Takes a result only when no other part of the pipeline can take a step.
    Slow,
    /// Drops the stream when it has taken this number of results, failures included.
    Leaves(u64),
    /// Stops polling when it has taken this number of results, and drops the stream when no other part can take a step.
    Stalls(u64),
}

/// An act on the pipeline from outside.
#[derive(Clone, Copy, Debug)]
enum Act {
    Stop(Stop),
    /// The System ends, and with it the generator, the aggregator and the messages in their mailboxes.
    SystemStops,
}

/// How long an item's work takes on the simulation's clock, by its index.
type Cost = Arc<dyn Fn(u64) -> Duration + Send + Sync>;

/// The builder of a simulated pipeline, made by [`simulate`]. Its settings are those of [`FanOut`](crate::FanOut) with
/// the same defaults, except that there are 2 workers.
#[must_use = "a simulation does nothing until it is run"]
pub struct Simulation<S> {
    source: S,
    settings: Settings,
    ordered: bool,
    plan: Plan,
}

/// What was planned for a simulation.
struct Plan {
    seed: u64,
    consumer: Consumer,
    acts: Vec<(When, Act)>,
    faults: Faults,
    cost: Option<Cost>,
    limit: u64,
}

/// The default limit of steps, after which a simulation is regarded as endless: it takes some seconds.
const LIMIT: u64 = 10_000_000;

/// Simulates a pipeline over any iterator, and any stream that waits neither for another thread nor for a timer: see
/// [`Simulation`], and the [module](crate::testing) for an example.
pub fn simulate<K, T: Source<K>>(source: T) -> Simulation<T::Stream> {
    let mut settings = Settings::new(BatchSize::Adaptive, "simulated");
    settings.workers = Some(2);
    let plan = Plan {
        seed: 0,
        consumer: Consumer::default(),
        acts: Vec::new(),
        faults: Faults::new(),
        cost: None,
        limit: LIMIT,
    };
    Simulation { source: source.into_source(), settings, ordered: false, plan }
}

impl<S> Simulation<S> {
    /// The seed that the order of the steps is drawn from. The same seed and settings give the same run. Default: 0.
    pub fn seed(mut self, seed: u64) -> Self {
        self.plan.seed = seed;
        self
    }

    /// [`FanOut::workers`](crate::FanOut::workers). They are not threads. Default: 2.
    pub fn workers(mut self, workers: usize) -> Self {
        self.settings.workers = Some(workers);
        self
    }

    /// [`FanOut::window`](crate::FanOut::window).
    pub fn window(mut self, window: usize) -> Self {
        self.settings.window = Some(window);
        self
    }

    /// [`FanOut::batch`](crate::FanOut::batch).
    pub fn batch(mut self, items: usize) -> Self {
        self.settings.batch = BatchSize::Fixed(items);
        self
    }

    /// [`FanOut::ordered`](crate::FanOut::ordered).
    pub fn ordered(mut self) -> Self {
        self.ordered = true;
        self
    }

    /// Sets the faults of items. [`Faults::stop_at`] needs no [`arm`](Faults::arm) here. [`Faults::gated`] would block
    /// the only thread forever, and is refused with a panic.
    pub fn faults(mut self, faults: Faults) -> Self {
        self.plan.faults = faults;
        self
    }

    /// What the consumer does. Default: [`Consumer::Eager`].
    pub fn consumer(mut self, consumer: Consumer) -> Self {
        self.plan.consumer = consumer;
        self
    }

    /// Plans a stop of the pipeline. Can be called again to plan another one.
    pub fn stop(mut self, when: When, stop: Stop) -> Self {
        self.plan.acts.push((when, Act::Stop(stop)));
        self
    }

    /// Plans a stop of the actix System.
    pub fn system_stops(mut self, when: When) -> Self {
        self.plan.acts.push((when, Act::SystemStops));
        self
    }

    /// The number of steps after which the simulation panics, since it seems to have no end. Default: 10 million.
    pub fn limit(mut self, steps: u64) -> Self {
        self.plan.limit = steps;
        self
    }

    /// How long the work on each item takes on the simulation's clock, by the item's index; the sizes of batches follow
    /// from it. Default: up to a millisecond, drawn from the seed.
    pub fn cost(mut self, cost: impl Fn(u64) -> Duration + Send + Sync + 'static) -> Self {
        self.plan.cost = Some(Arc::new(cost));
        self
    }
}

impl<S, I> Simulation<S>
where
    S: Stream<Item = Result<I, ItemError>> + Unpin + 'static,
    I: Send + 'static,
{
    /// Runs the simulation to its end, with a closure that turns each item into one result, as
    /// [`FanOut::map`](crate::FanOut::map).
    ///
    /// # Errors
    ///
    /// A [`StartError`] for a setting that makes no sense.
    ///
    /// # Panics
    ///
    /// See [`Simulated::step`].
    pub fn map<O, F>(self, f: F) -> Result<Outcome<O>, StartError>
    where
        F: Fn(I) -> O + Send + Sync + 'static,
        O: Send + 'static,
    {
        self.run(sharing(f, Map))
    }

    /// Runs the simulation to its end, with a closure that turns each item into one result or an error, as
    /// [`FanOut::try_map`](crate::FanOut::try_map).
    ///
    /// # Errors
    ///
    /// A [`StartError`] for a setting that makes no sense.
    ///
    /// # Panics
    ///
    /// See [`Simulated::step`].
    pub fn try_map<O, E, F>(self, f: F) -> Result<Outcome<O>, StartError>
    where
        F: Fn(I) -> Result<O, E> + Send + Sync + 'static,
        O: Send + 'static,
        E: Into<BoxError>,
    {
        self.run(sharing(f, TryMap))
    }

    /// Runs the simulation to its end, with a closure that turns each item into one result or none, as
    /// [`FanOut::filter_map`](crate::FanOut::filter_map).
    ///
    /// # Errors
    ///
    /// A [`StartError`] for a setting that makes no sense.
    ///
    /// # Panics
    ///
    /// See [`Simulated::step`].
    pub fn filter_map<O, F>(self, f: F) -> Result<Outcome<O>, StartError>
    where
        F: Fn(I) -> Option<O> + Send + Sync + 'static,
        O: Send + 'static,
    {
        self.run(sharing(f, FilterMap))
    }

    /// Runs the simulation to its end, with a closure that turns each item into any number of results, as
    /// [`FanOut::flat_map`](crate::FanOut::flat_map), which is lazy.
    ///
    /// # Errors
    ///
    /// A [`StartError`] for a setting that makes no sense.
    ///
    /// # Panics
    ///
    /// See [`Simulated::step`].
    pub fn flat_map<T, F>(self, f: F) -> Result<Outcome<T::Item>, StartError>
    where
        F: Fn(I) -> T + Send + Sync + 'static,
        T: IntoIterator<Item: Send + 'static, IntoIter: Send> + 'static,
    {
        let (checked, f) = (self.settings.check(item_bytes::<I, T::Item>(), None)?, Arc::new(f));
        // By the real clock, the results would leave at other times in each run.
        let factory = move |credit: &Credit| {
            let size = credit.chunk_size();
            FlatMap { f: Arc::clone(&f), chunk: move || size.get(), nanos: u64::MAX }
        };
        let source = self.source.map_ok(Lazy::New);
        Ok(Machine::new(source, &checked, self.ordered, self.plan, true, factory).finish())
    }

    /// Runs the simulation to its end, with a work that `factory` builds for each worker, and again after a panic.
    ///
    /// # Errors
    ///
    /// A [`StartError`] for a setting that makes no sense.
    ///
    /// # Panics
    ///
    /// See [`Simulated::step`].
    pub fn run<W, F>(self, factory: F) -> Result<Outcome<W::Output>, StartError>
    where
        W: Work<I>,
        F: Fn() -> W + Send + Sync + 'static,
    {
        Ok(self.start(factory)?.finish())
    }

    /// Starts the simulation, to be driven step by step.
    ///
    /// # Errors
    ///
    /// A [`StartError`] for a setting that makes no sense.
    pub fn start<W, F>(self, factory: F) -> Result<Simulated<I, W>, StartError>
    where
        W: Work<I>,
        F: Fn() -> W + Send + Sync + 'static,
    {
        let checked = self.settings.check(item_bytes::<I, W::Output>(), None)?;
        let factory = move |_: &Credit| Whole(factory());
        Ok(Simulated::new(Machine::new(self.source, &checked, self.ordered, self.plan, false, factory)))
    }
}

impl<S> fmt::Debug for Simulation<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulation")
            .field("seed", &self.plan.seed)
            .field("settings", &self.settings)
            .field("ordered", &self.ordered)
            .field("consumer", &self.plan.consumer)
            .field("acts", &self.plan.acts)
            .field("faults", &self.plan.faults)
            .finish_non_exhaustive()
    }
}
