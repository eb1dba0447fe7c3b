//! A request's trace, from an actix-web handler through a pool and back, exported with OpenTelemetry.
//!
//!     cargo run --release --example telemetry --features web,tracing
//!
//! starts a server and a collector, asks the server once whether 1000000007 is prime, prints the trace that the
//! collector has received, and ends:
//!
//!     true
//!     trace 4bf92f3577b34da6a3ce929d0e0e4736, caller's span 00f067aa0ba902b7
//!        0.000 ms  request       0.132 ms  actix-rt|system:0|arbiter:0  http.request.method=GET …
//!        0.048 ms    work        0.059 ms  is-prime-1                   … queue_seconds=0.000013 run_seconds=0.000054
//!        0.125 ms    answer      0.001 ms  actix-rt|system:0|arbiter:0  prime=true
//!
//! Each line is a span: when it began, its name, how long it took, its thread, and its attributes. With `--serve` the
//! server listens on port 8080 until Ctrl-C, and traces are printed as they come:
//!
//!     curl -H 'traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' http://127.0.0.1:8080/is-prime/97
//!
//! With `OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318` the traces go to the collector that listens there, and none
//! is printed.

mod collector;
mod export;
mod request;

use std::env;
use std::error::Error;
use std::io::{self, Write};
use std::time::Duration;

use actix_fan::observe::Spans;
use actix_fan::web::{Refused, submit_within};
use actix_fan::{Job, Pool, Stopped, pool, work_fn};
use actix_web::middleware::from_fn;
use actix_web::web::{Data, Path, block, get};
use actix_web::{App, HttpServer};
use tracing::info_span;

use collector::Collector;

/// Ends early when its client disconnects.
fn is_prime<O>(n: u64, job: &Job<'_, O>) -> Result<bool, Stopped> {
    for divisor in 2..=n.isqrt() {
        if n.is_multiple_of(divisor) {
            return Ok(false);
        }
        if divisor.is_multiple_of(4096) && job.is_stopped() {
            return Err(Stopped);
        }
    }
    Ok(n > 1)
}

/// The span of the request is current here: what the pool does is below it, whichever thread does it.
async fn check(checks: Data<Pool<u64, bool>>, n: Path<u64>) -> Result<String, Refused> {
    let prime = submit_within(&checks, *n, Duration::from_secs(2)).await?;
    Ok(info_span!("answer", prime).in_scope(|| format!("{prime}\n")))
}

#[actix::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let serve = env::args().any(|arg| arg == "--serve");
    let collector = if export::has_endpoint() { None } else { Some(Collector::start()?) };
    let provider = export::install("telemetry", collector.as_ref().map(Collector::endpoint))?;

    let checks = pool().name("is-prime").thread_name("is-prime").observe(Spans::new());
    let checks = checks.with(|| {
        work_fn(|n, job: &mut Job<'_, bool>| {
            let prime = is_prime(n, job)?;
            job.emit(prime);
            Ok(())
        })
    })?;
    let data = Data::new(checks.clone());
    let server = HttpServer::new(move || {
        App::new().app_data(data.clone()).wrap(from_fn(request::traced)).route("/is-prime/{n}", get().to(check))
    })
    .workers(1)
    .bind(("127.0.0.1", if serve { 8080 } else { 0 }))?;
    let url = format!("http://{}/is-prime/1000000007", server.addrs()[0]);
    let server = server.run();
    let handle = server.handle();
    let asked = async move {
        if serve {
            return Ok(());
        }
        let answer = block(move || request::send(&url)).await;
        handle.stop(true).await;
        io::stdout().write_all(answer??.as_bytes())?;
        Ok::<_, Box<dyn Error>>(())
    };
    let (served, asked) = futures::join!(server, asked);

    // A span ends when all that refer to it have ended: after this, none is open.
    checks.drain();
    checks.finished().await?;
    // Waits for the export, so not on this thread, where connections are accepted.
    block(move || provider.shutdown()).await??;
    if let Some(collector) = collector {
        collector.stop().await;
    }
    served?;
    asked
}
