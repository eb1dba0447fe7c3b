//! Fan-out and fan-in of CPU-bound work over [actix](https://docs.rs/actix) actors: bounded, cancellable, panic-proof.
//!
//! A slow stage of a pipeline whose order does not matter is *fanned out*: many workers take from one input. Their
//! results are *fanned in*: multiplexed into one stream that the consumer ranges over. A stop makes everything return
//! at once. A [`Generator`] actor asks the source for items, worker threads work on them, an [`Aggregator`] actor passes
//! the results on to the stream, and [`Stop`] is the message that ends it.
//!
//! ```
//! use actix_fan::FanOutExt; // for any Iterator, any Stream
//! use futures::StreamExt;
//!
//! # actix::System::new().block_on(async {
//! let mut squares = (1u64..).fan_out().ordered().map(|n| n * n)?;
//! while let Some(result) = squares.next().await {
//!     let square = result?; // a panic is the error of its item
//!     if square > 100 {
//!         squares.stop(); // from elsewhere: its `stop_handle()`
//!     }
//! }
//! let stats = squares.finished().await?; // the workers have stopped
//! assert_eq!(stats.in_flight, 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! | for | there is |
//! |---|---|
//! | readers coming from a bare `SyncArbiter`, `web::block`, `spawn_blocking`, rayon or Go | the [`guide`]: what to write instead, and when not to |
//! | a source of items: any iterator, any stream | [`FanOutExt::fan_out`], whose builder [`FanOut`] starts the pipeline and returns its stream, [`FanIn`] |
//! | several stages, or several streams | [`FanIn::fan_out`] makes a stream the source of the next stage, [`fan_in`] makes one of many |
//! | a closure now and then, in the place of `web::block` or `spawn_blocking` | [`Workers::run`]: any closure, on any runtime |
//! | items that come one by one, as requests do | [`pool()`]: a [`Pool`] to submit to, where each submit awaits its own result |
//! | the threads on which all of this works | [`Workers`]: one global set that pipelines share, or sets of your own |
//! | handlers of actix-web | the module `web`, with the feature of that name |
//! | tests of your own work | the module `testing`, with the feature of that name |
//!
//! # Threads
//!
//! A pipeline works on the [global](Workers::global) set of worker threads, one per core. They belong to the application
//! and not to a pipeline: all pipelines share them, each gets equal time of them, and they stay when a pipeline ends.
//! [`FanOut::on`] names another set, [`FanOut::workers`] gives a pipeline so many threads of its own, and
//! [`FanOut::concurrency`] limits how many threads work for it at a time. A pool has threads of its own unless it is
//! started [`on`](PoolBuilder::on) a set. Work that sleeps or blocks needs threads of its own: on shared threads it holds
//! up all other work.
//!
//! | thread | how many | what it does |
//! |---|---|---|
//! | `fan-worker-N` | one per core; as many as `workers` says for each pipeline with threads of its own | the work |
//! | `pool-worker-N` | one per core, or as many as `workers` says, for each pool with threads of its own | the work |
//! | `fan-worker-start`, `pool-worker-start` | one while the threads of a set start | starts them |
//! | `fan-system` | one per process, from the first start on | the actix System on which worker threads are started: inside of work, `System::current()` is this one, not that of the application |
//! | `actix-rt...` | up to four per process, the first with the first detached pipeline | arbiters: the actors and the sources of [detached](FanOut::detached) pipelines |
//! | `fan-clock` | one per process, while it is needed | the coarse clock; makes long batches share and deliver |
//! | `fan-discard` | one, while it is needed | drops thousands of results that wait in a stream when it is dropped |
//!
//! # Where it can be started
//!
//! A pipeline has actors, and its source is asked for items on their arbiter. If the source is `Send`,
//! [`FanOut::detached`] puts them on an arbiter of this crate, and the pipeline starts on any thread, under any runtime or
//! none:
//!
//! ```
//! use actix_fan::FanOutExt;
//! use futures::StreamExt;
//!
//! # tokio::runtime::Builder::new_multi_thread().build()?.block_on(async {
//! // In `#[tokio::main]`:
//! let squares = (1..=4u64).fan_out().detached().map(|n| n * n)?;
//! assert_eq!(squares.count().await, 4);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Otherwise the pipeline needs an actix arbiter that runs, or a tokio `LocalSet` on a current-thread runtime, and lives on
//! that. It ends with its System, where there is one.
//!
//! | the program runs under | where to start a pipeline that is not detached |
//! |---|---|
//! | `#[actix::main]`, `#[actix_web::main]`, `System::block_on` | there, or in any actor or handler |
//! | an actix-web server, also under `#[tokio::main]` | in any handler: each thread of the server has a `LocalSet` |
//! | `#[tokio::main]` outside of such a server, or no runtime | in `system.arbiter().spawn_fn`, with a System that runs on a thread of its own; a start anywhere else is [`StartError::NoSystem`] |
//!
//! A pool has no actors, and a closure no run of its own. They can be started on any thread, also without a System or a
//! runtime. If the thread belongs to a System, a pool ends with that; otherwise it ends as its callers end it.
//!
//! The generator, the source and the aggregator of a pipeline live on one arbiter. The arbiter is
//! not kept busy for more than about 100 us at a time, or about a millisecond where a source's items suddenly take longer
//! than those before. A source or a consumer that blocks its thread blocks the pipeline: see [`blocking()`]. Worker
//! threads take batches from a queue of their own, through no arbiter. Results can be consumed, and items submitted,
//! anywhere.
//!
//! The closure of `HttpServer::new` runs once for each of the server's threads, and so does a start in it: a pool belongs
//! before it.
//!
//! A pipeline on a set that has started starts two actors and no thread. The first use of the global set starts its
//! threads, beside the arbiter: if the operating system refuses one of them, pipelines on the set fail with
//! [`PipelineError::WorkerThread`]. A start with threads of its own keeps the arbiter busy for about as long as that of a
//! bare `SyncArbiter` with as many threads: room for each is reserved, so that a refused thread is
//! [`StartError::Thread`], and the workers start beside the arbiter.
//!
//! # Closures
//!
//! ```
//! use actix_fan::Workers;
//!
//! # actix::System::new().block_on(async {
//! let workers = Workers::global()?;
//! assert_eq!(workers.run(|| 6 * 7).await?, 42);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! [`Workers::run`] is for any closure that computes. It is bounded, cancelled when its future is dropped, and a panic is
//! its [`RunError`]. It starts on any thread and is awaited on any.
//!
//! # Pool
//!
//! ```
//! # actix::System::new().block_on(async {
//! // Once per application; cheap to clone, usable on any thread.
//! let squares = actix_fan::pool().map(|n: u64| n * n)?;
//! assert_eq!(squares.submit(7).await?, 49);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! [`Pool::submit`] waits for a permit, [`Pool::try_submit`] gives the item back where there is none, and dropping
//! either future cancels the item: it does not begin, or can see that it should end. The sections below are about
//! pipelines; [`Pool`] has its own.
//!
//! # Ordering
//!
//! Results come as they are finished, or in the order of the source with [`FanOut::ordered`]. Failures take their place
//! in it.
//!
//! # Backpressure
//!
//! At most [`window`](FanOut::window) items are in flight: queued, running, finished and not taken, or held back for
//! order. Beyond that the source is not asked for more. The window and the number of threads can be changed while it
//! runs: [`FanIn::set_window`], [`FanIn::set_concurrency`]. What is queued for the workers is kept to a few milliseconds of
//! work, however large the window is.
//!
//! # Stopping
//!
//! [`Stop::Now`] skips what has not begun; the stream ends when the running items return, and they can see the stop by
//! [`Job::is_stopped`]. [`Stop::Drain`] takes no more from the source and delivers what is in flight. Dropping the
//! stream is a stop. So is the end of the actix System, with an error; where the event loop goes on after it, as in
//! `block_on`, a pipeline that does not drain is stopped within some 100 ms. [`FanIn::finished`] returns once every
//! worker thread has dropped the work of the pipeline; threads of its own end then, shared ones serve others.
//!
//! A stream that was stopped ends with `None`, as a complete one does. [`Stats::end`] tells the two apart, wherever
//! there are [`Stats`]: in what [`FanIn::finished`], [`FanIn::deliver_to`], [`Merged::finished`],
//! [`StopHandle::finished`] and [`Pool::finished`] return, in [`StopHandle::stats`], in the answer to a [`Snapshot`].
//! [`End`] has a table of what counts as what. A later stage or a merged stream ends no better than the pipelines that
//! it is made of.
//!
//! # Panics
//!
//! A panic in the work fails its item: the consumer gets an [`ItemError`] with the item's index and the panic's
//! message. Other items are unharmed, the worker's [`Work`] is built anew, and the worker thread goes on. The process's
//! panic hook still prints what it prints. A logger, a waker or a `Drop` that panics costs no item, no thread and not
//! the process.
//!
//! Two things end the process all the same: any panic where it is built with `panic = "abort"`, and an overflow of a
//! thread's stack, which is no panic and cannot be caught. Worker threads have the standard library's 2 MiB unless
//! [`FanOut::stack_size`] or [`PoolBuilder::stack_size`] says otherwise; the source runs on the arbiter's stack.
//!
//! # Errors
//!
//! [`StartError`] for what cannot start, [`ItemError`] for an item without a result, [`PipelineError`] for a pipeline
//! that ended before its source without being asked to; [`SubmitError`] and [`RunError`] for an item of a pool and for a
//! closure.
//!
//! A pipeline that ended too early has one more item, the last: an `Err` whose [`ItemError::pipeline_error`] says why.
//! It stands in the stream so that consumers with `?`, `try_collect` or an actor's `StreamHandler` notice it. It counts
//! in no [`Stats`], since no item failed. **A consumer that ignores failed items ignores it too**: with
//! `filter_map(Result::ok)`, `flatten` or `unwrap_or_default`, a pipeline that died looks like one that had no more. So
//! ask at the end, which is right whatever was done with the items:
//!
//! ```
//! use actix_fan::{End, FanOutExt};
//! use futures::StreamExt;
//! use std::future::ready;
//!
//! # actix::System::new().block_on(async {
//! let numbers = ["1", "x", "3"].fan_out().try_map(str::parse::<u32>)?;
//! let handle = numbers.stop_handle(); // the stream is moved away
//! let good = numbers.filter_map(|number| ready(number.ok()));
//! let good: Vec<u32> = good.collect().await;
//!
//! let stats = handle.finished().await?; // an error if the pipeline died
//! assert_eq!(stats.end, Some(End::Complete)); // not drained or stopped
//! assert_eq!((good.len(), stats.failed), (2, 1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! [`StopHandle::error`] returns the same error without waiting, and a pipeline that died logs it as a warning.
//!
//! # Accounting
//!
//! Every item taken from the source ends exactly once: [`Stats`] has `taken = completed + failed + skipped + in_flight`
//! at every instant, and `in_flight = 0` at the end.
//!
//! # Features
//!
//! None is on by default.
//!
//! - `web`: answers and submits for actix-web, `actix_fan::web`. It turns `serde` on.
//! - `serde`: [`Stats`] and what is in it, [`End`] and the errors are `serde::Serialize`, each as its documentation
//!   says.
//! - `testing`: a test kit to run over your own work, `actix_fan::testing`.
//! - `tracing`: [`observe::Spans`](observe), the caller's span on the worker thread.
//! - `metrics`: [`observe::Instruments`](observe), counters, gauges and histograms.
//! - `nats`: workers on other machines, over NATS JetStream, `actix_fan::remote`. It turns `serde` on.
//!
//! An [`Observer`](observe::Observer) of your own needs no feature.

// Not in `Cargo.toml`: tests, benches and examples have loggers and wakers of their own.
#![warn(clippy::disallowed_macros, clippy::disallowed_methods)]

mod backend;
mod end;
mod engine;
mod error;
pub mod guide;
mod limits;
pub mod observe;
mod pipeline;
mod pool;
mod protocol;
#[cfg(feature = "nats")]
pub mod remote;
#[cfg(feature = "serde")]
mod serialize;
mod stats;
mod stop;
#[cfg(feature = "testing")]
pub mod testing;
mod util;
#[cfg(feature = "web")]
pub mod web;
mod work;
mod workers;

pub use end::End;
pub use engine::chunk::Chunk;
pub use error::{BoxError, ItemError, PipelineError, SettingError, StartError, Stopped};
pub use limits::MAX_WORKERS;
pub use pipeline::aggregator::Aggregator;
pub use pipeline::blocking::{Blocking, blocking, blocking_ahead};
pub use pipeline::fan_in::FanIn;
pub use pipeline::fan_out::{FanOut, FanOutExt};
pub use pipeline::generator::Generator;
pub use pipeline::merge::{Merged, fan_in};
pub use pipeline::source::Source;
pub use pool::{
    NotOneResult, Pool, PoolBuilder, PoolSink, PoolStream, RunError, RunFuture, Submission, SubmitError, pool,
};
pub use stats::{Bottleneck, CurrentItem, NodeStats, Percentiles, Skips, Snapshot, Stats, Verdict, WorkerStats};
pub use stop::{Stop, StopHandle};
pub use work::{Job, Work, WorkFn, work_fn};
pub use workers::{Workers, WorkersBuilder, WorkersStats};

/// The examples of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
