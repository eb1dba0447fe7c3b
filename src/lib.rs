//! Fan-out and fan-in of CPU-bound work over [actix] actors: bounded, cancellable, panic-proof.
//!
//! A slow stage of a pipeline whose order doesn't matter is *fanned out*: many workers take from one input. What they
//! yield is *fanned in*: multiplexed into one stream that the consumer ranges over. A stop makes everything return at
//! once. Here a [`Generator`] actor asks the source for items, a `SyncArbiter` pool of [`Worker`] actors works on them, an
//! [`Aggregator`] actor stands for the multiplexed stream, and [`Stop`] is the message that ends it.
//!
//! ```
//! use actix_fan::FanOutExt; // any Iterator, any Stream
//! use futures::StreamExt;
//!
//! # actix::System::new().block_on(async {
//! let mut squares = (1u64..).fan_out().workers(2).ordered().map(|n| n * n)?;
//! let stop = squares.stop_handle(); // Clone + Send
//!
//! while let Some(result) = squares.next().await {
//!     let square = result?; // a panic is the error of its item, and the pool goes on
//!     if square > 100 {
//!         stop.now();
//!     }
//! }
//! let stats = squares.finished().await?; // every worker's thread has let go of its work
//! assert_eq!(stats.in_flight, 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! A pipeline starts with [`FanOutExt::fan_out`], which returns the builder [`FanOut`]; its `map`, `try_map`, `filter_map`,
//! `flat_map` and `with` start the actors and return the stream, [`FanIn`]. Streams chain: [`FanIn::fan_out`] makes one the
//! source of the next stage, and [`fan_in`] makes one of many.
//!
//! For items that come one by one, as requests do, there is a [`Pool`] to submit to: the same workers, credit, stop and
//! accounting, and each submit awaits its own result.
//!
//! Coming from a bare `SyncArbiter`, `web::block`, `spawn_blocking`, rayon or Go? The [`guide`] tells what to write instead,
//! and when not to.
//!
//! # Where it may be started
//!
//! A pipeline, on a thread whose actix arbiter runs: inside `System::block_on`, `#[actix::main]`, an actor's or an
//! actix-web handler; a pool, on any thread that belongs to a System. A pipeline's generator, source and aggregator live on
//! that arbiter; the queue in front of its workers is served by the System's first one. Neither is kept for more than about
//! 100 us at a time, or about a millisecond where a source's items suddenly take longer than those before. But a source or
//! a consumer that blocks it blocks the pipeline: see [`blocking()`]. What is started in the closure of `HttpServer::new`
//! is started once for each of its threads. The stream itself may be consumed anywhere.
//!
//! Besides the workers there are two kinds of threads, for as long as they are needed: `fan-clock`, one per process while
//! any pipeline moves many short items, tells the loops that move them that time passes; `fan-discard` drops the results
//! that wait in a stream when this is dropped, where these are thousands.
//!
//! | the program runs under | what to do |
//! |---|---|
//! | `#[actix::main]`, `#[actix_web::main]`, `System::block_on` | start there, or in any actor or handler |
//! | `#[tokio::main]`, an actix-web server under it included | give a System a thread of its own and start there, as below; a start anywhere else is [`StartError::NoSystem`] |
//! | no runtime | the same |
//!
//! ```
//! use actix::System;
//! use actix_fan::FanOutExt;
//! use futures::StreamExt;
//!
//! /// Once an application. `system.stop()` ends what was started there.
//! fn system() -> std::io::Result<System> {
//!     let (sender, receiver) = std::sync::mpsc::channel();
//!     std::thread::Builder::new().name("actix".into()).spawn(move || {
//!         let runner = System::new();
//!         let _ = sender.send(System::current());
//!         runner.run()
//!     })?;
//!     receiver.recv().map_err(std::io::Error::other)
//! }
//!
//! /// Starts a pipeline or a pool on the System's thread.
//! async fn on<T: Send + 'static>(system: &System, start: impl FnOnce() -> T + Send + 'static) -> T {
//!     let (sender, started) = tokio::sync::oneshot::channel();
//!     system.arbiter().spawn_fn(move || _ = sender.send(start()));
//!     started.await.expect("the System runs")
//! }
//!
//! # tokio::runtime::Builder::new_multi_thread().build()?.block_on(async {
//! // In `#[tokio::main]`, or in a handler:
//! let system = system()?;
//! let squares = on(&system, || (1..=4u64).fan_out().ordered().map(|n| n * n)).await?;
//! assert_eq!(squares.map(Result::unwrap).collect::<Vec<_>>().await, [1, 4, 9, 16]);
//! # system.stop();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A start keeps the arbiter for about as long as that of a bare `SyncArbiter` with as many threads: each worker's place is
//! reserved, so that a refused thread is [`StartError::Thread`], and the workers start beside the arbiter.
//!
//! # Pool
//!
//! ```
//! # actix::System::new().block_on(async {
//! let squares = actix_fan::pool().map(|n: u64| n * n)?; // once an application; cheap to clone, to be used anywhere
//! assert_eq!(squares.submit(7).await?, 49);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! [`Pool::submit`] waits for credit, [`Pool::try_submit`] gives the item back where there is none, and dropping either
//! future gives the item up: it doesn't begin, or can see that it may end. What follows is of pipelines; [`Pool`] has the
//! same of its own.
//!
//! # Ordering
//!
//! As finished, or in source order with [`FanOut::ordered`]. Failures take their place in it.
//!
//! # Backpressure
//!
//! At most [`window`](FanOut::window) items are in flight: queued, running, finished and not taken, held back for order.
//! The source is not asked for more. What waits in front of the workers is kept to a few milliseconds of work, however
//! large the window is.
//!
//! # Stopping
//!
//! [`Stop::Now`] skips what has not begun; the stream ends when the items that are running return, and they can see it by
//! [`Job::is_stopped`]. [`Stop::Drain`] takes no more from the source and delivers what is in flight. Dropping the stream
//! is a stop at once. So is the end of the actix System, with an error; where the event loop goes on after it, as in
//! `block_on`, what has not begun to drain is stopped within some 100 ms. [`FanIn::finished`] returns once every worker's
//! thread has dropped its work.
//!
//! A stream that was stopped ends with `None`, as a complete one does. [`Stats::end`] tells the two apart, wherever there
//! are [`Stats`]: in what [`FanIn::finished`], [`FanIn::deliver_to`], [`Merged::finished`], [`StopHandle::finished`] and
//! [`Pool::drain`] return, in [`StopHandle::stats`], in the answer to a [`Snapshot`]. [`End`] has a table of what counts as
//! what. What is made of other pipelines, a later stage or a merged stream, ends no better than they did.
//!
//! # Panics
//!
//! A panic in the work fails its item: the consumer gets an [`ItemError`] that names the item's index and the panic's
//! message. Its neighbours are unharmed, the worker's [`Work`] is built anew, the pool keeps its size. The process's panic
//! hook still prints what it prints. A logger, a waker or a `Drop` that panics costs no item, no thread and not the
//! process. Two things end the process all the same: any panic where it is
//! built with `panic = "abort"`, and an overflow of a thread's stack, which is no panic and can't be caught. Workers have the
//! standard library's 2 MiB unless [`FanOut::stack_size`] or [`PoolBuilder::stack_size`] says otherwise; the source runs
//! on the arbiter's stack.
//!
//! # Errors
//!
//! [`StartError`] for what can't start, [`ItemError`] for an item without a result, [`PipelineError`] for a pipeline that
//! ended before its source without being asked to.
//!
//! A pipeline that ended too early has one more item, the last: an `Err` whose [`ItemError::pipeline_error`] says why. It
//! stands in the stream, so that consumers who ask nothing notice it as well: those with `?`, `try_collect`, an actor's
//! `StreamHandler`. But it counts in no [`Stats`], since no item failed, and **who passes over failed items passes over it**:
//! with `filter_map(Result::ok)`, `flatten` or `unwrap_or_default` a pipeline that died looks like one that had no more.
//! So ask at the end, which is right whatever was done with the items:
//!
//! ```
//! use actix_fan::{End, FanOutExt};
//! use futures::StreamExt;
//! use std::future::ready;
//!
//! # actix::System::new().block_on(async {
//! let numbers = ["1", "x", "3"].fan_out().try_map(str::parse::<u32>)?;
//! let handle = numbers.stop_handle(); // for the stream is moved away
//! let good: Vec<u32> = numbers.filter_map(|number| ready(number.ok())).collect().await;
//! let stats = handle.finished().await?; // an error: the pipeline died, and `good` has a part of it
//! assert_eq!(stats.end, Some(End::Complete)); // else it was drained or stopped
//! assert_eq!((good.len(), stats.failed), (2, 1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! [`StopHandle::error`] has the same error for those who don't wait, and a dead pipeline logs it as a warning.
//!
//! # Accounting
//!
//! Every item taken from the source ends exactly once: [`Stats`] has `taken = completed + failed + skipped + in_flight` at
//! every instant, and `in_flight = 0` at the end.
//!
//! # Features
//!
//! None is on by default.
//!
//! - `web`: answers and submits for actix-web, `actix_fan::web`. It turns `serde` on.
//! - `serde`: [`Stats`], [`WorkerStats`], [`End`] and the errors are `serde::Serialize`, each as its documentation says.
//! - `testing`: a test kit to run over your own work, `actix_fan::testing`.

// Not in `Cargo.toml`: tests, benches and examples have loggers and wakers of their own.
#![warn(clippy::disallowed_macros, clippy::disallowed_methods)]

mod backend;
mod end;
mod engine;
mod error;
pub mod guide;
mod limits;
mod pipeline;
mod pool;
mod protocol;
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

pub use end::End;
pub use engine::batch::{Batch, Chunk, Outcomes};
pub use error::{BoxError, ItemError, PipelineError, StartError, Stopped};
pub use limits::MAX_WORKERS;
pub use pipeline::aggregator::Aggregator;
pub use pipeline::blocking::{Blocking, blocking, blocking_ahead};
pub use pipeline::fan_in::FanIn;
pub use pipeline::fan_out::{FanOut, FanOutExt};
pub use pipeline::generator::Generator;
pub use pipeline::merge::{Merged, fan_in};
pub use pipeline::source::{Iterated, IteratorSource, Source, StreamSource, Streamed, TrySource};
pub use pipeline::worker::Worker;
pub use pool::{NotOneResult, Pool, PoolBuilder, PoolSink, PoolStream, Submission, SubmitError, pool};
pub use stats::{Snapshot, Stats, WorkerStats};
pub use stop::{Stop, StopHandle};
pub use work::{Job, Work, WorkFn, work_fn};

/// The examples of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
