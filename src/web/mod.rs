//! Answers of an [actix-web](actix_web) application that stream results, and handlers that compute on worker threads.
//!
//! A handler that computes runs a closure, in the place of `web::block`:
//!
//! ```
//! use actix_fan::{RunError, Workers};
//! use actix_web::web::{Data, Path};
//!
//! /// A panic answers 500, too many closures 503 with `Retry-After`. A client that leaves cancels its closure.
//! async fn cube(workers: Data<Workers>, n: Path<u64>) -> Result<String, RunError> {
//!     let cube = workers.try_run(move || n.pow(3))?.await?;
//!     Ok(cube.to_string())
//! }
//! # let _ = cube;
//! ```
//!
//! `workers.run(..).await?` waits for room instead. A [`RunError`](crate::RunError) is a response, and becomes a
//! [`Refused`] with `?`. For one kind of work with a limit or a deadline of its own there is a pool, and a pipeline
//! streams its results:
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use actix_fan::web::{Refused, Streams, events, submit_within};
//! use actix_fan::{FanOutExt, Pool, pool};
//! use actix_web::error::ErrorInternalServerError;
//! use actix_web::web::{Data, Path, get};
//! use actix_web::{App, HttpServer, Responder};
//!
//! const DEADLINE: Duration = Duration::from_secs(2);
//!
//! /// Submits to the pool. A full pool answers 503, a late result 504.
//! async fn square(
//!     pool: Data<Pool<u64, u64>>,
//!     n: Path<u64>,
//! ) -> Result<String, Refused> {
//!     let square = submit_within(&pool, *n, DEADLINE).await?;
//!     Ok(square.to_string())
//! }
//!
//! /// Starts a pipeline and streams its results until the client leaves.
//! async fn squares(
//!     streams: Data<Streams>,
//! ) -> actix_web::Result<impl Responder> {
//!     let permit = streams.permit()?; // 503 if 100 are open
//!     let numbers = (0u64..).fan_out().workers(2);
//!     let squares = numbers.map(|n| n * n);
//!     let squares = squares.map_err(ErrorInternalServerError)?;
//!     Ok(events(squares).permit(permit))
//! }
//!
//! #[actix::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     // Once: before `HttpServer::new`, not in its closure.
//!     let pool = pool().map(|n: u64| n.pow(2))?;
//!     let streams = Streams::new(100);
//!
//!     let data = (Data::new(pool.clone()), Data::new(streams.clone()));
//!     HttpServer::new(move || {
//!         App::new()
//!             .app_data(data.0.clone())
//!             .app_data(data.1.clone())
//!             .route("/square/{n}", get().to(square))
//!             .route("/squares", get().to(squares))
//!     })
//!     .h1_allow_half_closed(false) // see Disconnects
//!     .shutdown_signal(streams.on_signal(Duration::ZERO)) // see Shutdown
//!     .shutdown_timeout(5)
//!     .bind(("127.0.0.1", 8080))?
//!     .run()
//!     .await?;
//!     pool.drain();
//!     pool.finished().await?;
//!     Ok(())
//! }
//! ```
//!
//! [`ndjson`] and [`events`] answer with any stream of `Result<T, ItemError>`: a [`FanIn`](crate::FanIn), a
//! [`Merged`](crate::Merged), or what stream combinators make of them. [`submit`] and [`submit_within`] submit one item
//! to a pool and return its result, or an error that is the response. `examples/web.rs` is a short application with
//! both.
//!
//! # Where to start pipelines and pools
//!
//! Start a pool once per application, before `HttpServer::new`. The closure of `HttpServer::new` runs once per server
//! thread, and would start a pool for each. Start a pipeline in the handler whose answer it is: it runs on that
//! handler's arbiter, and its workers on threads of their own. [`Streams`] bounds how many requests have a pipeline at
//! a time.
//!
//! # The last line
//!
//! A stream that was stopped ends with `None`, as a complete one does, and HTTP does not tell the two apart. So each
//! answer ends with a line or event of its own: `{"end":"complete","results":990,"failures":10}`. **An answer without
//! this line is incomplete**: the connection, a proxy or the server failed on the way.
//!
//! | `end` | meaning |
//! |---|---|
//! | `complete` | all results were written, or an adapter of the handler, such as `take`, ended the stream early |
//! | `drained` | the results of every item taken from the source before a [drain](crate::Stop::Drain) were written |
//! | `stopped` | a [stop](crate::Stop::Now) of a pipeline, or of [all streams](Streams::stop), cut the results off |
//! | `failed` | a [`PipelineError`](crate::PipelineError) or a panic of the stream cut the results off; `error` says which |
//!
//! `results` counts the lines or events that are results, and `failures` those for items that failed or results that
//! could not be written. Together they are all lines or events except the opening, the comments and the last one. The
//! names of the fields and the four words are stable; fields may be added.
//!
//! The pipelines of a stream are found inside adapters, as [`fan_in`](crate::fan_in()) finds them. A pipeline that an
//! adapter dropped before its end counts as stopped: `chain`, for example, drops a `take` that has ended. Use
//! [`Events::of`] and [`Ndjson::of`] to name pipelines behind a channel or a task. A stream without a known pipeline
//! ends as `complete`. [`Ndjson::without_end`] leaves the line out.
//!
//! # Backpressure
//!
//! actix-web polls a body only while the connection has room to write, and the body polls the results only then. A slow
//! client costs actix-web's buffer of about 32 KiB, the sockets' buffers, one chunk of 16 KiB or one result, and the
//! pipeline's [`window`](crate::FanOut::window). Results that are ready at the same time are written as one chunk; a
//! result that is ready is not held back for others.
//!
//! A handler that submits waits only for the items that are already in the pool. When the window is full, it answers
//! 503 at once. Choose the pool's window by how long a request may take.
//!
//! # Slow clients
//!
//! Without a limit, a client that stays connected and reads nothing would hold its pipeline, its threads and its permit
//! forever. When a connection has had something to write for 60 s and could write none of it, its stream is cut off:
//! the results are dropped, which stops their pipeline, the permit is released when the threads have ended,
//! [`StreamsStats::stalled`] counts it, and a line is logged at level `warn`. [`Events::stall_timeout`] and
//! [`Ndjson::stall_timeout`] change the time. The connection remains until its client reads on, and is then closed
//! without the end of the answer, or until the client disconnects. Until then it costs a socket and its buffers: about
//! 32 KiB and those of the operating system.
//!
//! Operating systems report room in a socket only when a part of its buffer is free; on Linux a third, often of several
//! MiB. A client that takes less than that in the time given counts as one that reads nothing. With the defaults that
//! is about 20 KiB per second, for a stream that always has more to write. Give more time if your clients are that
//! slow.
//!
//! # Shutdown
//!
//! An endless stream would make actix-web's graceful stop wait for its full 30 s. [`Streams::on_signal`], passed to
//! [`HttpServer::shutdown_signal`](actix_web::HttpServer::shutdown_signal), ends all streams first; then the server
//! waits for the other requests. Drain the pools after the server has ended. See [`Streams`](Streams#shutdown).
//!
//! # Disconnects
//!
//! When actix-web drops the body of an answer, the stream is dropped with it, which stops the pipeline at once. When it
//! drops the future of a handler, the submitted item is cancelled: see [`Submission`](crate::Submission#cancellation).
//! When it does so depends on how the client leaves. On HTTP/1, with actix-web 4.17:
//!
//! | the client | bodies are dropped | handlers are dropped |
//! |---|---|---|
//! | resets the connection, or closes it with unread data | at once | at once |
//! | closes it | at the second write after that, which may be a heartbeat | not before their answer is written |
//! | closes it, with `h1_allow_half_closed(false)` | at once | at once |
//! | disappears without closing it | when TCP gives up on what was written: minutes | the same, after their answer |
//!
//! By default actix-web takes a closed connection for one whose client sends no more requests but may still read. Only
//! a write can tell, and the operating system accepts the first one before the peer's refusal arrives. So a stream
//! without results is noticed by its heartbeat, within two periods, and without a heartbeat not at all. Few clients
//! close only one direction: turn [`h1_allow_half_closed`](actix_web::HttpServer::h1_allow_half_closed) off, and work
//! stops as soon as its client is gone. A client that stays connected but does not read is a [slow
//! client](#slow-clients).
//!
//! On HTTP/2 actix-web runs each request in a task of its own, which does not look at the HTTP/2 stream while it has
//! nothing to write:
//!
//! | the client | bodies are dropped | handlers are dropped | both, with [`cancel_on_disconnect`] |
//! |---|---|---|---|
//! | resets its stream, or closes or resets the connection | at the next write, which may be a heartbeat | not before their answer is written | within 0.5 s |
//! | disappears without closing it | at the next write after two periods of [`keep_alive`](actix_web::HttpServer::keep_alive), 10 s | not before their answer is written | within those 10 s and 0.5 s |
//!
//! So wrap an application that serves HTTP/2 in that middleware, as the outermost one, and leave `keep_alive` on: it
//! makes the server ping HTTP/2 clients. A deadline, as in [`submit_within`], bounds what a lost request costs on
//! either version.
//!
//! # Errors
//!
//! A failed item is an object or an event in its position, and the stream continues. It has the item's index and
//! whether the item panicked. Panic messages and errors of the work may hold internal details: the client gets them
//! only with [`Events::with_causes`] and [`Ndjson::with_causes`]. They are logged with the path of the request, the
//! first 10 of an answer at level `warn` and the others at level `debug`. If a pipeline fails with a
//! [`PipelineError`](crate::PipelineError), the last line says so, since the status of the answer was sent long before.
//!
//! A submit without a result returns [`Refused`], and a closure [`RunError`](crate::RunError), which are responses: 503, 504
//! or 500, as text. The middleware
//! [`refusals`] answers with JSON instead if the client prefers it, and [`refusals_with`] with a response of the
//! application.
//!
//! # The event loop
//!
//! A body occupies its server thread for about 100 us at a time. The work runs on other threads, but these compete with
//! the server for the cores. Measured on 2 cores, with 128 connections that keep a pool of 5 ms items saturated: the
//! 99th percentile of another request's latency was 2 ms with 2 workers in the pool, 6 ms if another process keeps two
//! threads busy as well, and 0.1 ms with 1 worker, which does half the work. `web::block` with as many threads is no
//! better; with its default of 256 threads that latency was 2.2 s. One worker per core is right unless a millisecond
//! matters; a thread per request is not. `cargo bench --bench load --features web` measures it.

mod answer;
mod body;
mod disconnect;
mod ending;
mod events;
mod failure;
mod link;

mod messages;
mod ndjson;
mod permit;
mod refusals;
mod refused;
mod signals;
mod streams;
mod submit;
mod write;

pub use disconnect::cancel_on_disconnect;
pub use events::{Events, events, events_with, resume_from};
pub use ndjson::{Ndjson, ndjson, ndjson_with};
pub use permit::{Permit, StreamsStats};
pub use refusals::{refusals, refusals_with};
pub use refused::Refused;
pub use streams::Streams;
pub use submit::{submit, submit_within};
pub use write::WriteJson;
