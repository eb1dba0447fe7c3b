//! A server of primes over HTTP: a pool tests the numbers of requests, and each stream of primes has a pipeline of its
//! own. The pipelines share one set of worker threads.
//!
//!     cargo run --release --example page -- --port 8080
//!
//! prints `listening on http://127.0.0.1:8080`; open that, or
//!
//!     curl -N 'http://127.0.0.1:8080/primes?bits=40&finder=trial'
//!     curl -d '["97", 98, "99"]' http://127.0.0.1:8080/check
//!     curl http://127.0.0.1:8080/stats
//!     curl -X POST http://127.0.0.1:8080/searches/1/stop
//!     curl -X POST http://127.0.0.1:8080/searches/2/drain
//!     curl -X POST 'http://127.0.0.1:8080/searches/2/settings?pace=5&workers=1'
//!     curl -X POST http://127.0.0.1:8080/stop
//!
//! With nodes in place of the threads, over a NATS server with JetStream, the page shows the nodes:
//!
//!     nats-server --jetstream &
//!     cargo run --release --features nats -- node --nats nats://127.0.0.1:4222 &
//!     cargo run --release --features nats --example page -- --nats nats://127.0.0.1:4222
//!
//! SIGINT (Ctrl-C) and SIGTERM stop the streams, each with its last line, and complete the submitted items; a second
//! signal ends the process at once. `--help` lists the options.

mod args;
mod body;
mod check;
mod control;
mod finder;
mod host;
mod newest;
mod nodes;
mod origin;
mod pace;
mod page;
mod panics;
mod pipelines;
mod primes;
mod search;
mod signals;
mod stats;

use std::error::Error;
use std::future::ready;
use std::io::{self, Write};
use std::pin::pin;
use std::process::{self, ExitCode};
use std::sync::{Arc, OnceLock};

use actix_fan::Workers;
use actix_fan::web::Streams;
use actix_web::middleware::from_fn;
use actix_web::rt::time::{Instant, sleep_until};
use actix_web::rt::{System, spawn};
use actix_web::web::{Data, PayloadConfig, ServiceConfig, get, post, resource};
use actix_web::{App, HttpServer};
use futures::future::select;

use args::Args;
use check::Checks;
use host::Host;
use nodes::Nodes;
use origin::own_pages_only;
use pipelines::Pipelines;
use signals::Signals;

/// The most streams at the same time, each with a pipeline.
const MAX_STREAMS: usize = 8;

/// The exit code for wrong arguments.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let args = match args::parse() {
        Ok(Some(args)) => args,
        Ok(None) => return exit(io::stdout().write_all(args::HELP.as_bytes()), ExitCode::SUCCESS),
        Err(error) => {
            return exit(writeln!(io::stderr(), "error: {error}\nTry --help."), ExitCode::from(USAGE));
        }
    };
    match System::new().block_on(serve(args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit(writeln!(io::stderr(), "error: {}", whole(&*error)), ExitCode::FAILURE),
    }
}

/// Returns the message of an error with its causes.
fn whole(error: &dyn Error) -> String {
    let cause = error.source().map(|cause| format!(": {}", whole(cause)));
    format!("{error}{}", cause.unwrap_or_default())
}

/// Ignores that a text could not be written: the exit code still says how the program ended.
fn exit(_: io::Result<()>, code: ExitCode) -> ExitCode {
    code
}

async fn serve(args: Args) -> Result<(), Box<dyn Error>> {
    let Args { host, port, workers, nats, shutdown_timeout } = args;
    let signals = Signals::new()?;

    // Created once per application: the closure of `HttpServer::new` runs once per server thread.
    let checks = check::start(workers)?;
    let searches = match nats {
        Some(url) => Host::Nodes(Nodes::connect(&url).await?),
        None => {
            let set = Workers::builder().threads(workers).thread_name("search").build()?;
            Host::Threads { set, threads: workers }
        }
    };
    let pipelines = Pipelines::default();
    let streams = Streams::new(MAX_STREAMS);
    let signalled_at = Arc::new(OnceLock::new());

    let server = HttpServer::new({
        let (checks, pipelines, streams) = (checks.clone(), pipelines.clone(), streams.clone());
        move || App::new().configure(routes(&searches, &checks, &pipelines, &streams))
    })
    // One server thread: the worker threads need the cores.
    .workers(1)
    // Handlers then notice at once that a client has disconnected, not at the next write.
    .h1_allow_half_closed(false)
    .shutdown_signal(signalled(signals, streams, Arc::clone(&signalled_at)))
    // The limit for requests that still run, and for clients that don't read their last line.
    .shutdown_timeout(shutdown_timeout.as_secs())
    .bind((host.as_str(), port))
    .map_err(|error| {
        format!("--host {host} --port {port}: {error}; try another address, another port, or port 0, which chooses a free one")
    })?;

    for address in server.addrs() {
        writeln!(io::stdout(), "listening on http://{address}").map_err(|error| format!("standard output: {error}"))?;
    }
    server.run().await?;
    // What follows has the rest of the time that the server had.
    let deadline = *signalled_at.get_or_init(Instant::now) + shutdown_timeout;
    // Until nodes know that they are stopped.
    select(pin!(pipelines.ended()), pin!(sleep_until(deadline))).await;
    checks.shutdown(sleep_until(deadline)).await?;
    Ok(())
}

/// Waits for a signal, notes the time, and ends the streams, after which the server stops. A second signal ends the
/// process at once; without these two, [`Streams::on_signal`] would be enough.
async fn signalled(mut signals: Signals, streams: Streams, at: Arc<OnceLock<Instant>>) {
    signals.next().await;
    at.get_or_init(Instant::now);
    let open = streams.stats().open;
    // The shutdown goes on even if the message can't be written.
    let _ = writeln!(io::stderr(), "shutting down with {open} open streams; another signal ends the process at once");
    spawn(async move {
        let code = signals.next().await;
        process::exit(code)
    });
    streams.shutdown(ready(())).await;
}

fn routes(
    searches: &Host,
    checks: &Checks,
    pipelines: &Pipelines,
    streams: &Streams,
) -> impl FnOnce(&mut ServiceConfig) + use<> {
    let (capacity, searches, checks, pipelines, streams) = (
        Data::new(searches.capacity()),
        Data::new(searches.clone()),
        Data::new(checks.clone()),
        Data::new(pipelines.clone()),
        Data::new(streams.clone()),
    );
    move |app| {
        app.app_data(capacity)
            .app_data(searches)
            .app_data(checks)
            .app_data(pipelines)
            .app_data(streams)
            .app_data(PayloadConfig::new(body::MAX_BYTES))
            .configure(page::files)
            // A resource answers another method with 405.
            .service(resource("/check").wrap(from_fn(own_pages_only)).route(post().to(check::check)))
            .service(resource("/primes").route(get().to(primes::primes)))
            .service(resource("/stats").route(get().to(stats::stats)))
            .service(resource("/searches/{id}/stop").wrap(from_fn(own_pages_only)).route(post().to(control::stop_one)))
            .service(resource("/searches/{id}/drain").wrap(from_fn(own_pages_only)).route(post().to(control::drain)))
            .service(
                resource("/searches/{id}/settings").wrap(from_fn(own_pages_only)).route(post().to(control::settings)),
            )
            .service(resource("/stop").wrap(from_fn(own_pages_only)).route(post().to(control::stop_all)))
            .service(resource("/ping").route(get().to(async || "pong")));
    }
}
