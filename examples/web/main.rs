//! Primes over HTTP: a pool that requests submit to, and pipelines that stream to whoever looks at them.
//!
//!     cargo run --release --example web --features web -- --port 8080
//!
//! prints `listening on http://127.0.0.1:8080`; open that, or
//!
//!     curl -N 'http://127.0.0.1:8080/primes?bits=40&finder=trial'
//!     curl -d '["97", 98, "99"]' http://127.0.0.1:8080/check
//!     curl http://127.0.0.1:8080/stats
//!     curl -X POST http://127.0.0.1:8080/searches/1/stop
//!     curl -X POST http://127.0.0.1:8080/stop
//!
//! Ctrl-C stops the streams and lets what was submitted be done.

mod args;
mod body;
mod check;
mod finder;
mod newest;
mod number;
mod origin;
mod page;
mod pipelines;
mod primes;
mod stats;

use std::error::Error;
use std::net::Ipv4Addr;
use std::time::Duration;

use actix_web::middleware::from_fn;
use actix_web::rt::{signal, spawn, time};
use actix_web::web::{Data, PayloadConfig, ServiceConfig, get, post, resource};
use actix_web::{App, HttpServer};

use args::Args;
use check::Checks;
use origin::own_pages_only;
use pipelines::Pipelines;
use primes::Crew;

/// How long requests and submitted items have to end.
const SHUTDOWN: Duration = Duration::from_secs(5);

#[actix::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let Args { port, workers } = args::parse()?;

    // Once an application: the closure of `HttpServer::new` runs once for each of its threads.
    let checks = check::start(workers)?;
    let pipelines = Pipelines::new();
    let crew = Crew { workers };

    let server = HttpServer::new({
        let (checks, pipelines) = (checks.clone(), pipelines.clone());
        move || App::new().configure(routes(crew, &checks, &pipelines))
    })
    // The workers need the cores more.
    .workers(1)
    // A client that is gone is noticed at once, by handlers too, instead of at the next write.
    .h1_allow_half_closed(false)
    .disable_signals()
    .shutdown_timeout(SHUTDOWN.as_secs())
    .bind((Ipv4Addr::LOCALHOST, port))?;

    println!("listening on http://{}", server.addrs()[0]);
    let server = server.run();
    let handle = server.handle();
    spawn({
        let pipelines = pipelines.clone();
        async move {
            // Without signals there is none to wait for.
            if signal::ctrl_c().await.is_ok() {
                pipelines.close();
                handle.stop(true).await;
            }
        }
    });
    server.await?;
    checks.shutdown(time::sleep(SHUTDOWN)).await?;
    Ok(())
}

fn routes(crew: Crew, checks: &Checks, pipelines: &Pipelines) -> impl FnOnce(&mut ServiceConfig) {
    let (checks, pipelines) = (Data::new(checks.clone()), Data::new(pipelines.clone()));
    move |app| {
        app.app_data(Data::new(crew))
            .app_data(checks)
            .app_data(pipelines)
            .app_data(PayloadConfig::new(body::MAX_BYTES))
            .configure(page::files)
            // A resource answers another method with 405.
            .service(resource("/check").wrap(from_fn(own_pages_only)).route(post().to(check::check)))
            .service(resource("/primes").route(get().to(primes::primes)))
            .service(resource("/stats").route(get().to(stats::stats)))
            .service(
                resource("/searches/{id}/stop").wrap(from_fn(own_pages_only)).route(post().to(pipelines::stop_one)),
            )
            .service(resource("/stop").wrap(from_fn(own_pages_only)).route(post().to(pipelines::stop_all)))
            .service(resource("/ping").route(get().to(async || "pong")));
    }
}
