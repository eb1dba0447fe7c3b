//! An actix-web application with a pool that requests submit to, a stream of results, and an orderly shutdown.
//!
//!     cargo run --release --example web --features web
//!
//! listens on port 8080 until Ctrl-C or SIGTERM.
//!
//!     curl http://127.0.0.1:8080/is-prime/1000000007
//!     curl -N http://127.0.0.1:8080/primes/1000000000000
//!
//! With `--features web,metrics` it has an endpoint for Prometheus as well:
//!
//!     curl http://127.0.0.1:8080/metrics
//!
//! The first prints `true`. The second prints primes as lines of JSON until it is interrupted, or until the server
//! shuts down: then the last line says `stopped`. `prime-fan/examples/page` is a larger application, with a page in the
//! browser.

use std::error::Error;
use std::time::Duration;

use actix_fan::web::{Refused, Streams, ndjson, refusals, submit_within};
use actix_fan::{FanOutExt, Job, Pool, Stopped, pool, work_fn};
use actix_web::error::ErrorInternalServerError;
use actix_web::middleware::from_fn;
use actix_web::web::{Data, Path, get};
use actix_web::{App, HttpServer, Responder};

/// Slow on purpose: seconds for a prime of 60 bits. It ends early when its client disconnects.
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

/// Answers 503 with `Retry-After` if the pool is full, and 504 after the deadline.
async fn check(checks: Data<Pool<u64, bool>>, n: Path<u64>) -> Result<String, Refused> {
    let prime = submit_within(&checks, *n, Duration::from_secs(2)).await?;
    Ok(format!("{prime}\n"))
}

/// Starts a pipeline per request. It stops when the client disconnects.
async fn primes(streams: Data<Streams>, from: Path<u64>) -> actix_web::Result<impl Responder> {
    let permit = streams.permit()?; // 503 if all permits are taken
    let primes = (*from..).fan_out().name("primes").ordered().with(|| {
        work_fn(|n, job: &mut Job<'_, u64>| {
            if is_prime(n, job)? {
                job.emit(n);
            }
            Ok(())
        })
    });
    Ok(ndjson(primes.map_err(ErrorInternalServerError)?).permit(permit))
}

/// Counters, gauges and histograms of the pool and the pipelines, as Prometheus reads them.
#[cfg(feature = "metrics")]
mod observed {
    use std::sync::Arc;

    use actix_fan::observe::Instruments;
    use actix_web::web::Data;
    use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};

    /// Installs the recorder, before anything is recorded.
    pub(crate) fn install() -> Result<(Arc<Instruments>, PrometheusHandle), BuildError> {
        // Seconds: without bounds a histogram is written as a summary, which can't be added up over servers.
        let bounds = [1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0];
        let prometheus = PrometheusBuilder::new().set_buckets(&bounds)?.install_recorder()?;
        Ok((Arc::new(Instruments::new()), prometheus))
    }

    pub(crate) async fn metrics(prometheus: Data<PrometheusHandle>) -> String {
        // Takes in what was recorded since the last time.
        prometheus.run_upkeep();
        prometheus.render()
    }
}

#[actix::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Start the pool once, here: the closure of `HttpServer::new` runs once per server thread.
    let pool = pool().name("is-prime");
    #[cfg(feature = "metrics")]
    let (instruments, prometheus) = observed::install()?;
    #[cfg(feature = "metrics")]
    let pool = pool.observe(std::sync::Arc::clone(&instruments));
    // The pipelines of the requests run on the global set.
    #[cfg(feature = "metrics")]
    actix_fan::Workers::builder().observe(instruments).build_global()?;
    let checks = pool.with(|| {
        work_fn(|n, job: &mut Job<'_, bool>| {
            let prime = is_prime(n, job)?;
            job.emit(prime);
            Ok(())
        })
    })?;
    let streams = Streams::new(10);

    let data = (Data::new(checks.clone()), Data::new(streams.clone()));
    HttpServer::new(move || {
        let app = App::new();
        #[cfg(feature = "metrics")]
        let app = app.app_data(Data::new(prometheus.clone())).route("/metrics", get().to(observed::metrics));
        app.app_data(data.0.clone())
            .app_data(data.1.clone())
            .wrap(from_fn(refusals)) // JSON for clients that prefer it
            .route("/is-prime/{n}", get().to(check))
            .route("/primes/{from}", get().to(primes))
    })
    .h1_allow_half_closed(false) // notices at once that a client disconnects
    .shutdown_signal(streams.on_signal(Duration::ZERO)) // ends the streams first, each with its last line
    .shutdown_timeout(5)
    .bind(("127.0.0.1", 8080))?
    .run()
    .await?;
    checks.drain();
    checks.finished().await?;
    Ok(())
}
