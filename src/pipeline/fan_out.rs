//! How a source is fanned out: the methods of sources, the builder, and the start of the actors.

use std::sync::Arc;

use actix::dev::channel::{AddressReceiver, channel};
use actix::{Actor, Addr, Context};
use futures::{Stream, TryStreamExt};

use crate::backend::Post;
use crate::engine::batch::Batch;
use crate::engine::credit::Credit;
use crate::engine::executor::Factory;
use crate::engine::home;
use crate::engine::host::Host;
use crate::engine::run::Run;
use crate::engine::settings::{Settings, thread_setters};
use crate::error::{BoxError, ItemError, StartError};
use crate::observe::RunKind;
use crate::pipeline::aggregator::Aggregator;
use crate::pipeline::assembly::{Assembly, item_bytes};
use crate::pipeline::fan_in::FanIn;
use crate::pipeline::generator::Generator;
use crate::pipeline::source::{Sendable, Source, TrySource};
use crate::pipeline::stage::Stage;
use crate::pipeline::system_watch::watch;
use crate::pipeline::upstream::runs_of;
use crate::pipeline::worker::Shared;
use crate::protocol::BatchSize;
use crate::util::log;
use crate::util::panic::Guarded;
use crate::util::time_slice::TIME_SLICE;
use crate::work::Work;
use crate::work::closures::{CHUNK_NANOS, FilterMap, FlatMap, Lazy, Map, TryMap, sharing};
use crate::work::turn::{Turns, Whole};
use crate::workers::{Workers, private};

/// The capacity of the actors' mailboxes for messages of the application: actix's default. What the engine sends is bounded
/// by the window.
const MAILBOX: usize = 16;

/// Starts a fan-out from any source.
pub trait FanOutExt {
    /// Fans the items of an iterator or a stream out: see [`FanOut`], which says over how many workers and so on.
    ///
    /// The source is polled on the arbiter where the pipeline is started, and need not be `Send`. One that is may be
    /// [`detached`](FanOut::detached). An iterator that may
    /// block (a file, standard input, a slow computation) belongs in [`blocking`](crate::blocking()), which runs it
    /// on a thread of its own. An endless source is fine.
    ///
    /// ```
    /// use actix_fan::FanOutExt;
    /// use futures::{StreamExt, stream};
    ///
    /// # actix::System::new().block_on(async {
    /// let from_an_iterator = (1..=10u32).fan_out().map(|n| n * n)?;
    /// let from_a_stream = stream::iter(1..=10u32).fan_out().map(|n| n * n)?;
    /// assert_eq!(from_an_iterator.count().await + from_a_stream.count().await, 20);
    /// # Ok::<(), actix_fan::StartError>(())
    /// # }).unwrap();
    /// ```
    fn fan_out<K>(self) -> FanOut<<Self as Source<K>>::Stream>
    where
        Self: Source<K> + Sized,
    {
        FanOut::new(self.into_source())
    }

    /// Fans the good items of a stream of results out. An error takes its item's place: it goes past the work to the
    /// consumer, as an [`ItemError`], in order if that was asked for.
    ///
    /// The [`FanIn`] of an earlier stage does this by itself; here is the same for a stream made from one,
    /// and for any stream of results.
    ///
    /// ```
    /// use actix_fan::FanOutExt;
    /// use futures::{StreamExt, stream};
    ///
    /// # actix::System::new().block_on(async {
    /// let words = stream::iter(["1", "x", "3"].map(str::parse::<u32>));
    /// let mut squares = words.try_fan_out().ordered().map(|n| n * n)?;
    /// assert_eq!(squares.next().await.unwrap()?, 1);
    /// let error = squares.next().await.unwrap().unwrap_err();
    /// assert_eq!(error.to_string(), "the source failed at item 1");
    /// assert_eq!(squares.next().await.unwrap()?, 9);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    fn try_fan_out<I, E>(self) -> FanOut<TrySource<Self>>
    where
        Self: Stream<Item = Result<I, E>> + Sized + 'static,
        E: Into<BoxError>,
    {
        FanOut::new(TrySource::new(self))
    }
}

impl<T> FanOutExt for T {}

impl<T: Send + 'static> FanIn<T> {
    /// Makes this stream the source of another stage. The next stage's work sees good values only: a failure of this
    /// stage passes through to the end of the chain. Backpressure and stop go through as well: stopping the last stage,
    /// or dropping its stream, stops all of them, and that is in effect when the call returns. Draining it stops the
    /// earlier ones a moment later, when their stream is dropped, and what is in flight in them is lost. Drain the
    /// first stage to drain the chain. An earlier stage that ends too early ends the chain with its error. `finished`
    /// and [`StopHandle::workers_stopped`](crate::StopHandle::workers_stopped) wait for the workers of this stage and
    /// of all earlier ones.
    ///
    /// A chain ends no better than its stages: one that was stopped or drained by itself makes it `Stopped` or
    /// `Drained`. All of this holds for a stream that is made from this one by adapters and then fanned out, if they
    /// pass [`size_hint`](Stream::size_hint) on, as most do; behind others the earlier stage is stopped when its stream
    /// is dropped.
    ///
    /// ```
    /// use actix_fan::FanOutExt;
    /// use futures::StreamExt;
    ///
    /// # actix::System::new().block_on(async {
    /// let half = |n: u32| (n % 2 == 0).then_some(n / 2);
    /// let halves = (0..10u32).fan_out().ordered().filter_map(half)?;
    /// let squares = halves.fan_out().ordered().map(|n| n * n)?;
    /// let squares: Vec<u32> = squares.map(Result::unwrap).collect().await;
    /// assert_eq!(squares, [0, 1, 4, 9, 16]);
    /// # Ok::<(), actix_fan::StartError>(())
    /// # }).unwrap();
    /// ```
    pub fn fan_out(self) -> FanOut<Self> {
        FanOut::new(self)
    }
}

/// A source that is about to be fanned out: set what matters, then say what the workers do.
///
/// [`map`](Self::map), [`try_map`](Self::try_map), [`filter_map`](Self::filter_map), [`flat_map`](Self::flat_map) and
/// [`with`](Self::with) start the pipeline and return its stream, [`FanIn`]. They must be called where an actix arbiter
/// runs, or a tokio `LocalSet` on a current-thread runtime: inside `System::block_on`, `#[actix::main]`, an actor's
/// handler, an actix-web handler (also under `#[tokio::main]`). A [`detached`](Self::detached) one starts anywhere.
///
/// The pipeline works on the [global](crate::Workers::global) worker threads, unless [`on`](Self::on) names others or
/// [`workers`](Self::workers) gives it threads of its own.
///
/// # Errors
///
/// Each of them returns a [`StartError`] when a setting makes no sense, when neither of these runs on this thread, or when the
/// operating system refuses a thread.
#[derive(Debug)]
#[must_use = "a fan-out does nothing until `map`, `with` or one of their siblings starts it"]
pub struct FanOut<S> {
    pub(super) source: S,
    pub(super) settings: Settings,
    on: Option<Workers>,
    pub(super) ordered: bool,
    /// Makes the source one that can be sent to an arbiter of this crate, where the actors live then.
    pub(super) detach: Option<fn(S) -> Sendable<S>>,
}

impl<S> FanOut<S> {
    pub(crate) fn new(source: S) -> Self {
        let settings = Settings::new(BatchSize::Adaptive, Self::THREAD_NAME);
        Self { source, settings, on: None, ordered: false, detach: None }
    }

    thread_setters!(
        workers,
        thread_name: "fan-worker",
        default: "By default it works on the [global](crate::Workers::global) threads, which all pipelines share."
    );

    /// The most items in flight: queued, running, or finished and not yet taken by the consumer. At least 1.
    ///
    /// The window bounds memory, and how far finished items may run ahead of a slow consumer or, in an ordered stream,
    /// of a slow item. It is a ceiling, not a target: what is queued for the workers is kept to a few milliseconds of
    /// work. Choose it by what you can afford in memory; below some 1,000 items per worker, short items (under a
    /// microsecond) get slower. The default is as many items as fit into 512 KiB, at most 65,536 and at least 16 per
    /// worker. An item is taken to be as large as its type or that of its result, whichever is larger, and 128 bytes
    /// more if that type has a destructor. Set the window where items own more. It can be changed later:
    /// [`FanIn::set_window`].
    pub fn window(mut self, window: usize) -> Self {
        self.settings.window = Some(window);
        self
    }

    /// Yields results in the order of the source, at the price of holding finished ones back inside the window.
    /// A failure takes its place in the order. Without it, results come as they are finished.
    pub fn ordered(mut self) -> Self {
        self.ordered = true;
        self
    }

    /// The most items that travel together, 1 to the window, whatever they cost.
    ///
    /// A batch is smaller where the source has no more items at the moment or ends, and where its time slice is spent:
    /// a source is asked for about 100 us at a time. A batch never holds more than a worker's share of the window,
    /// which is the window divided by the number of workers: with `.workers(2).window(100).batch(100)` batches have 50
    /// items, since one of 100 would leave nothing to the other worker.
    ///
    /// By default a batch is sized to about two milliseconds of work, as measured while it runs, and is shared: a thread
    /// that has nothing to do takes half of the items that another thread has not begun. While an item runs for long,
    /// the finished results before it in its batch leave after one or two milliseconds. A batch whose size is set is never
    /// divided once it was handed to a worker. Set it where you know better, as for a test.
    pub fn batch(mut self, items: usize) -> Self {
        self.settings.batch = BatchSize::Fixed(items);
        self
    }
}

impl<S: Send + 'static> FanOut<S> {
    /// Starts the pipeline anywhere: on any thread, under any runtime or none. The source must be `Send`.
    ///
    /// The actors, and the source with them, then live on an arbiter of this crate's own System, and not on the one that
    /// starts the pipeline. There are at most four such arbiters in a process, each pipeline gets the one with the fewest, and
    /// all pipelines on it wait for a source that takes long to compute an item: one that does, or that blocks, belongs in
    /// [`blocking`](crate::blocking()).
    ///
    /// No System ends a detached pipeline. It ends with its source, when its stream is dropped, or by its
    /// [`stop_handle`](FanIn::stop_handle).
    ///
    /// ```
    /// use actix_fan::FanOutExt;
    /// use futures::executor::block_on_stream;
    ///
    /// // No runtime.
    /// let squares = (1..=4u64).fan_out().detached().ordered().map(|n| n * n)?;
    /// let squares: Result<Vec<_>, _> = block_on_stream(squares).collect();
    /// assert_eq!(squares?, [1, 4, 9, 16]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn detached(mut self) -> Self {
        self.detach = Some(Sendable::new);
        self
    }
}

impl<S, I> FanOut<S>
where
    S: Stream<Item = Result<I, ItemError>> + Unpin + 'static,
    I: Send + 'static,
{
    /// Turns each item into one result, on the worker threads.
    pub fn map<O, F>(self, f: F) -> Result<FanIn<O>, StartError>
    where
        F: Fn(I) -> O + Send + Sync + 'static,
        O: Send + 'static,
    {
        self.start(sharing(f, Map), false)
    }

    /// Starts workers that turn each item into one result or an error, which becomes the
    /// [`source`](std::error::Error::source) of the item's [`ItemError`].
    pub fn try_map<O, E, F>(self, f: F) -> Result<FanIn<O>, StartError>
    where
        F: Fn(I) -> Result<O, E> + Send + Sync + 'static,
        O: Send + 'static,
        E: Into<BoxError>,
    {
        self.start(sharing(f, TryMap), false)
    }

    /// Starts workers that turn each item into one result or none.
    pub fn filter_map<O, F>(self, f: F) -> Result<FanIn<O>, StartError>
    where
        F: Fn(I) -> Option<O> + Send + Sync + 'static,
        O: Send + 'static,
    {
        self.start(sharing(f, FilterMap), false)
    }

    /// Starts workers that turn each item into any number of results: those of an iterator, which may be endless.
    ///
    /// The iterator is lazy. Its results leave when they fill a chunk, after one or two milliseconds, or when it ends; a
    /// result waits for no more than the call of [`next`](Iterator::next) that runs then. A chunk is 256 KiB or 32,768
    /// results, and no more than half as many results as the [`window`](Self::window) has items. Between two chunks the
    /// thread may serve others, and the iterator may go on on another thread: so it is [`Send`]. Without
    /// [`ordered`](Self::ordered), the results of one item stay in their order, and those of other items come in
    /// between.
    ///
    /// The window bounds the results as well: while as many wait for the consumer as the window has items, no item is
    /// taken from the source, and an iterator is suspended until results of its batch were taken; its thread is not
    /// blocked. So a few chunks more may wait, two for each of the about four batches per worker that have begun. An item
    /// is in flight until its last result was taken. A drain waits until iterators end; a stop drops them.
    ///
    /// Once the results of iterators that never end fill the window, no further iterator is opened.
    ///
    /// If an iterator panics, or is stopped, the results that have left are not taken back: its failure comes behind
    /// them, in its place in the order.
    ///
    /// ```
    /// use actix_fan::FanOutExt;
    /// use futures::StreamExt;
    ///
    /// # actix::System::new().block_on(async {
    /// let multiples = [3u64, 5].fan_out().flat_map(|n| (1..).map(move |k| k * n))?;
    /// assert_eq!(multiples.take(1_000).count().await, 1_000);
    /// # Ok::<(), actix_fan::StartError>(())
    /// # }).unwrap();
    /// ```
    pub fn flat_map<T, F>(self, f: F) -> Result<FanIn<T::Item>, StartError>
    where
        F: Fn(I) -> T + Send + Sync + 'static,
        T: IntoIterator<Item: Send + 'static, IntoIter: Send> + 'static,
    {
        let upstream = runs_of(&self.source);
        let Self { source, settings, on, ordered, detach } = self;
        // On an early return it is dropped there, and a second panic during the unwinding of the first would end the
        // process.
        let f = Guarded::new(f);
        let factory = |credit: &Arc<Credit>| {
            let (f, size) = (Arc::new(f.into_inner()), credit.chunk_size());
            Factory::new(move || {
                let size = size.clone();
                FlatMap { f: Arc::clone(&f), chunk: move || size.get(), nanos: CHUNK_NANOS }
            })
        };
        match detach {
            None => {
                let lazy = FanOut { source: source.map_ok(Lazy::New), settings, on, ordered, detach: None };
                lazy.launch(upstream, factory, false, true)
            }
            Some(sendable) => {
                let source = sendable(source).map_ok(Lazy::New);
                let lazy = FanOut { source, settings, on, ordered, detach: Some(Sendable::new) };
                lazy.launch(upstream, factory, false, true)
            }
        }
    }

    /// Starts workers with a [`Work`] of their own each, which `factory` builds on the worker's thread, and again after
    /// a panic.
    ///
    /// When the factory panics five times in a row the pipeline ends with
    /// [`PipelineError::WorkerFactory`](crate::PipelineError::WorkerFactory).
    pub fn with<W, F>(self, factory: F) -> Result<FanIn<W::Output>, StartError>
    where
        W: Work<I>,
        F: Fn() -> W + Send + Sync + 'static,
    {
        self.start(factory, true)
    }

    /// `has_state`: each thread keeps a work of its own.
    fn start<W, F>(self, factory: F, has_state: bool) -> Result<FanIn<W::Output>, StartError>
    where
        W: Work<I>,
        F: Fn() -> W + Send + Sync + 'static,
    {
        let (upstream, factory) = (runs_of(&self.source), Guarded::new(factory));
        let factory = |_: &Arc<Credit>| {
            let factory = factory.into_inner();
            Factory::new(move || Whole(factory()))
        };
        self.launch(upstream, factory, has_state, false)
    }

    /// `is_lazy`: an item has any number of results, which are counted.
    fn launch<W>(
        self,
        upstream: Vec<Run>,
        factory: impl FnOnce(&Arc<Credit>) -> Arc<Factory<W>>,
        has_state: bool,
        is_lazy: bool,
    ) -> Result<FanIn<W::Output>, StartError>
    where
        W: Turns<I>,
    {
        // On an early return it is dropped here, and a second panic during the unwinding of the first would end the
        // process.
        let source = Guarded::new(self.source);
        let workers = match self.on {
            Some(workers) => Some(workers),
            None if self.settings.has_own_threads() => None,
            None => Some(Workers::global()?),
        };
        let threads = workers.as_ref().map(|workers| workers.set().threads());
        let mut checked = self.settings.check(item_bytes::<I, W::Output>(), threads)?;
        let host = if self.detach.is_some() { Host::detached()? } else { Host::of_actors()? };
        let is_private = workers.is_none();
        // Borrowed: if this is the last clone, its drop before the pipeline has joined would end the threads.
        let set = match &workers {
            Some(workers) => Arc::clone(workers.set()),
            None => private(checked.threads.clone(), &self.settings.observers)?,
        };
        let (window, concurrency) = (checked.window, checked.concurrency);
        checked.observe(RunKind::Pipeline, self.settings.observers, workers.as_ref().map(Workers::observers));
        let (assembly, aggregator) = Assembly::new(&checked, self.ordered, Some(&host), upstream, TIME_SLICE);
        let run = assembly.run.clone();
        let (address, mailbox) = mailbox();
        let shared = assembly.shared(factory(assembly.credit()), address.clone().recipient());
        let shared = Shared { counts_all: is_lazy, ..shared };
        let queue = Stage::join(&assembly.intake, &set, concurrency, shared, is_private || has_state, is_private);
        if is_private {
            set.close();
        }
        watch(&run, &host);
        log::info!(
            "fan-out started: {concurrency} workers, a window of {window} items, {}",
            if self.ordered { "ordered" } else { "unordered" }
        );
        Ok(start_actors(
            assembly,
            source.into_inner(),
            self.detach,
            queue,
            Aggregation { aggregator, address, mailbox },
        ))
    }
}

/// An aggregator that is about to be started.
pub(super) struct Aggregation<O: Send + 'static> {
    pub(super) aggregator: Aggregator<O>,
    pub(super) address: Addr<Aggregator<O>>,
    pub(super) mailbox: AddressReceiver<Aggregator<O>>,
}

/// Starts the actors of a pipeline, here or on an arbiter of this crate. `queue` takes the batches.
pub(super) fn start_actors<S, I, O, Q>(
    assembly: Assembly<I, O>,
    source: S,
    detach: Option<fn(S) -> Sendable<S>>,
    queue: Q,
    aggregation: Aggregation<O>,
) -> FanIn<O>
where
    S: Stream<Item = Result<I, ItemError>> + Unpin + 'static,
    I: Send + 'static,
    O: Send + 'static,
    Q: Post<Batch<I>> + Send + 'static,
{
    let Aggregation { aggregator, address: aggregators_address, mailbox: aggregators_mailbox } = aggregation;
    let (generators_address, generators_mailbox) = mailbox::<Generator>();
    let (run, finish) = (assembly.run.clone(), aggregators_address.clone().recipient());
    match detach {
        None => {
            let feed = assembly.feed(source, queue, finish);
            Context::with_receiver(aggregators_mailbox).run(aggregator);
            Context::with_receiver(generators_mailbox).run(Generator::new(&run, feed));
        }
        Some(sendable) => {
            let feed = assembly.feed(sendable(source), queue, finish);
            // If the System is stopped meanwhile, both are dropped, which ends the run with an error.
            home::spawn_beside(move |seat| {
                Context::with_receiver(aggregators_mailbox).run(aggregator);
                Context::with_receiver(generators_mailbox).run(Generator::new(&run, feed).seated(seat));
            });
        }
    }
    FanIn::new(generators_address, aggregators_address, assembly.receiver())
}

/// The address of an actor that is about to be started, and its mailbox. What is sent before waits there.
pub(super) fn mailbox<A: Actor>() -> (Addr<A>, AddressReceiver<A>) {
    let (sender, mailbox) = channel(MAILBOX);
    (Addr::new(sender), mailbox)
}
