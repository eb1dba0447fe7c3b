//! Pipelines and pools in an [actix-web](actix_web) application: answers that stream results, and handlers that submit.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use actix_fan::web::{Refused, Streams, events, submit_within};
//! use actix_fan::{FanOutExt, Pool, pool};
//! use actix_web::web::{Data, Path, get};
//! use actix_web::{App, HttpServer, Responder, error};
//!
//! async fn square(squares: Data<Pool<u64, u64>>, n: Path<u64>) -> Result<String, Refused> {
//!     Ok(submit_within(&squares, *n, Duration::from_secs(2)).await?.to_string())
//! }
//!
//! async fn squares(streams: Data<Streams>) -> actix_web::Result<impl Responder> {
//!     let permit = streams.permit()?; // or 503: so many streams at a time
//!     let squares = (0u64..).fan_out().workers(2).map(|n| n * n).map_err(error::ErrorInternalServerError)?;
//!     Ok(events(squares).permit(permit)) // until the client goes
//! }
//!
//! #[actix::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let pool = pool().map(|n: u64| n.pow(2))?; // once: before `HttpServer::new`, not in its closure
//!     let streams = Streams::new(100);
//!     let (pools, open) = (Data::new(pool.clone()), Data::new(streams.clone()));
//!     HttpServer::new(move || {
//!         let app = App::new().app_data(pools.clone()).app_data(open.clone());
//!         app.route("/square/{n}", get().to(square)).route("/squares", get().to(squares))
//!     })
//!     .h1_allow_half_closed(false) // see Disconnects
//!     .shutdown_signal(streams.on_signal(Duration::ZERO)) // see Shutdown
//!     .shutdown_timeout(5)
//!     .bind(("127.0.0.1", 8080))?
//!     .run()
//!     .await?;
//!     pool.drain().await?;
//!     Ok(())
//! }
//! ```
//!
//! [`ndjson`] and [`events`] answer with any stream of `Result<T, ItemError>`: a [`FanIn`](crate::FanIn), a
//! [`Merged`](crate::Merged), and what their combinators make of them. [`submit`] and [`submit_within`] have an item
//! done, or an answer that says why not. `examples/web.rs` is a short application with all of them.
//!
//! # Where to start
//!
//! A pool once an application, before `HttpServer::new`: its closure runs once for each of the server's threads, and a
//! pool started there would be as many pools. A pipeline in the handler whose answer it is; it lives on that handler's
//! arbiter, and its workers on threads of their own: [`Streams`] bounds how many requests may have one at a time.
//!
//! # The last line
//!
//! A stream that was stopped ends as one that is complete does, and HTTP has no word for the difference. So each answer ends
//! with a line or an event of its own: `{"end":"complete","results":990,"failures":10}`. **An answer without it is not
//! whole**: the connection, a proxy or the server was lost on the way.
//!
//! | `end` | the results |
//! |---|---|
//! | `complete` | are all there are; or an adapter of the handler, such as `take`, had enough |
//! | `drained` | are those of every item that was taken from the source before a [drain](crate::Stop::Drain) |
//! | `stopped` | were cut off by a [stop](crate::Stop::Now), by the application's [end](Streams::stop) or its pipelines' |
//! | `failed` | were cut off by a [`PipelineError`](crate::PipelineError), or by a panic of the stream; `error` says which |
//!
//! `results` counts the lines or events that are results, `failures` those that stand for items that failed or could not be
//! written; both together are all others but the opening and the comments. The names of the fields and the four words stay
//! as they are; there may be more fields one day.
//!
//! The pipelines that a stream is made of are found inside of adapters as [`fan_in`](crate::fan_in()) finds them.
//! One that an adapter dropped before its end, as `chain` does with a `take` that has enough, counts as stopped.
//! [`Events::of`] and [`Ndjson::of`] name those behind a channel or a task. Where none is known the end of the stream is
//! `complete`. [`Ndjson::without_end`] leaves the line out.
//!
//! # Backpressure
//!
//! A body is polled only while its connection has room, and polls the results only then. A slow client costs actix-web's
//! buffer of 32 KiB or so, what the sockets hold, a chunk of 16 KiB or one result, and the pipeline's
//! [`window`](crate::FanOut::window). Results that are ready together leave as one chunk, and none waits for another.
//!
//! A handler that submits waits only for what is in the pool already. Beyond the window it answers 503 at once, so that
//! the pool's window is what bounds how long a request may take: choose it by that.
//!
//! # Slow clients
//!
//! A client that stays connected and reads nothing would hold its pipeline, its threads and its permit for good. When the
//! connection has had something to write for 60 s and could write none of it, the stream is ended: the results are dropped,
//! which stops their pipeline, the permit returns when the threads are gone, [`StreamsStats::stalled`] counts it and the
//! log has it at level `warn`. [`Events::stall_timeout`] and [`Ndjson::stall_timeout`] change the time. The connection stays
//! until its client reads on, whereupon it is closed without the answer's end, or goes; it costs a socket and its buffers,
//! some 32 KiB and what the system holds.
//!
//! Systems report that a socket takes more only when a part of its buffer is free, on Linux a third of what is often
//! several MiB. So a client counts as one that reads nothing if it takes less than that in the time given: about 20 KiB per
//! second by the defaults, of a stream that has always more to write. Give more time where clients are that slow.
//!
//! # Shutdown
//!
//! A stream without an end would keep actix-web's graceful stop waiting for all of its 30 s. [`Streams::on_signal`], given to
//! [`HttpServer::shutdown_signal`](actix_web::HttpServer::shutdown_signal), ends all streams first; then the server waits
//! for other requests, and pools are drained after it. See [`Streams`](Streams#shutdown).
//!
//! # Disconnects
//!
//! When actix-web drops an answer's body, the stream is dropped with it, and that stops the pipeline at once. When it
//! drops a handler's future, the submitted item is given up: see [`Submission`](crate::Submission#cancellation). When does
//! it? On HTTP/1, by actix-web 4.17:
//!
//! | the client | streams | handlers that wait |
//! |---|---|---|
//! | resets the connection, or closes it with something unread | at once | at once |
//! | closes it | at the second write after that, be it a heartbeat | not before their answer is written |
//! | closes it, with `h1_allow_half_closed(false)` | at once | at once |
//! | is gone without a word | when TCP gives up what was written: minutes | the same, after their answer |
//!
//! By default a closed connection counts as one whose client has no more to ask and may still read. Only a write can tell,
//! and the first one is taken by the system before the refusal comes back. So a stream that yields nothing is
//! noticed by its heartbeat, within two periods, and not at all without one. Clients that close one side on purpose are
//! rare: turn [`h1_allow_half_closed`](actix_web::HttpServer::h1_allow_half_closed) off and work stops when nobody waits
//! for it any more. A client that reads no more but stays connected is one of the [slow](#slow-clients).
//!
//! On HTTP/2 actix-web gives each request a task of its own, which doesn't look at the stream while there is nothing to
//! write:
//!
//! | the client | streams | handlers that wait | both, with [`cancel_on_disconnect`] |
//! |---|---|---|---|
//! | resets its stream, or closes or resets the connection | at the next write, be it a heartbeat | not before their answer is written | within 0.5 s |
//! | is gone without a word | at the next write after two periods of [`keep_alive`](actix_web::HttpServer::keep_alive), 10 s | not before their answer is written | within those 10 s and 0.5 s |
//!
//! So wrap the application in that middleware, outermost, where HTTP/2 is served, and don't turn `keep_alive` off: it is what
//! pings HTTP/2 clients. A deadline, as [`submit_within`] has, bounds what a lost request costs on either version.
//!
//! # Errors
//!
//! A failed item is an object or an event in its place, and the stream goes on. It names the item and whether it panicked;
//! messages are told only `with_causes`, since they may say more than a stranger should know. The log has them, with the
//! path of the request: the first 10 of an answer at level `warn`, the others at `debug`. A pipeline that ends too
//! early, with a [`PipelineError`](crate::PipelineError), says so last; the status of the answer was sent long before.
//! What keeps a submit from its result is a [`Refused`], which is an answer by itself: 503, 504 or 500. It is text; the
//! middleware [`refusals`] makes JSON of it for clients that prefer that, and [`refusals_with`] what the application likes.
//!
//! # The event loop
//!
//! Bodies take turns of some 100 us on their thread. The work is elsewhere, but workers and server share the cores, and with
//! a worker a core the operating system decides who waits. On 2 cores, with 128 connections that keep a pool of 5 ms items
//! saturated, another request was answered within 2 ms in 99 of 100 cases by a server whose pool had 2 workers, within
//! 6 ms with two busy threads of another process beside it, and within 0.1 ms where it had 1 worker, for half the work.
//! `web::block` with as many threads does no worse. A worker per core is right unless a millisecond matters; what a server
//! can't afford is a thread per request: with the 256 threads that `web::block` has by default, the same was 2.2 s.
//! `cargo bench --bench load --features web` measures it.

mod answer;
mod body;
mod ending;
mod events;
mod failure;
mod link;
mod lost;
mod messages;
mod ndjson;
mod permit;
mod refusals;
mod refused;
mod signals;
mod streams;
mod submit;
mod write;

pub use events::{Events, events, events_with, resume_from};
pub use lost::cancel_on_disconnect;
pub use ndjson::{Ndjson, ndjson, ndjson_with};
pub use permit::{Permit, StreamsStats};
pub use refusals::{refusals, refusals_with};
pub use refused::Refused;
pub use streams::Streams;
pub use submit::{submit, submit_within};
pub use write::WriteJson;
