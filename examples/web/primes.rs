//! `GET /primes`: random primes, without end.

use std::io::{self, Write};
use std::time::Duration;

use actix_fan::primes::RandomIntegers;
use actix_fan::web::{events_with, ndjson_with};
use actix_fan::{FanOutExt, ItemError, Job, work_fn};
use actix_web::error::{ErrorBadRequest, ErrorInternalServerError};
use actix_web::http::header::ACCEPT;
use actix_web::web::{Data, Query};
use actix_web::{Either, HttpRequest, Responder, Result};
use futures::{Stream, StreamExt, stream};
use serde::Deserialize;
use tokio::time::{MissedTickBehavior, interval};

use crate::finder::Finder;
use crate::pipelines::Pipelines;

/// What each pipeline gets.
#[derive(Clone, Copy)]
pub(crate) struct Crew {
    pub(crate) workers: usize,
    pub(crate) window: usize,
}

#[derive(Deserialize)]
pub(crate) struct Wanted {
    #[serde(default = "bits")]
    bits: u32,
    #[serde(default)]
    finder: Finder,
    /// Primes a second at most; 0: as many as there are.
    #[serde(default = "pace")]
    pace: u32,
}

fn bits() -> u32 {
    64
}

/// As many as eyes can follow.
fn pace() -> u32 {
    50
}

/// One pipeline a request. It ends when the client goes, since that drops the answer, or when somebody stops it.
pub(crate) async fn primes(
    crew: Data<Crew>,
    pipelines: Data<Pipelines>,
    wanted: Query<Wanted>,
    request: HttpRequest,
) -> Result<impl Responder> {
    let Query(Wanted { bits, finder, pace }) = wanted;
    if !(1..=64).contains(&bits) {
        return Err(ErrorBadRequest(format!("bits={bits}: it is 1 to 64\n")));
    }
    let place = pipelines.place()?;
    let numbers = RandomIntegers::new(1 << (bits - 1)..=u64::MAX >> (64 - bits)).map_err(ErrorInternalServerError)?;
    let find = move |n, job: &mut Job<'_, u64>| {
        if finder.is_prime(n, job)? {
            job.emit(n);
        }
        Ok(())
    };
    let primes = numbers
        .fan_out()
        .workers(crew.workers)
        .window(crew.window)
        .with(move || work_fn(find))
        .map_err(ErrorInternalServerError)?;
    let stop = primes.stop_handle();
    let id = place.take(stop.clone());

    // A stop ends what waits for its turn as well.
    let primes = paced(primes, pace).take_until(async move { stop.workers_gone().await });
    let primes = numbered(primes);
    let as_events = request
        .headers()
        .get_all(ACCEPT)
        .any(|types| types.to_str().is_ok_and(|types| types.contains("text/event-stream")));
    Ok(if as_events {
        Either::Left(events_with(primes, write).opening("start", format!(r#"{{"id":{id}}}"#)))
    } else {
        Either::Right(ndjson_with(primes, write))
    })
}

fn write((index, prime): &(u64, u64), out: &mut Vec<u8>) -> io::Result<()> {
    write!(out, r#"{{"number":"{prime}","index":{index}}}"#)
}

/// The stream's backpressure slows the pipeline.
fn paced<S: Stream + 'static>(results: S, pace: u32) -> impl Stream<Item = S::Item> {
    let Some(period) = Duration::from_secs(1).checked_div(pace) else {
        return results.left_stream();
    };
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let ticks = stream::poll_fn(move |cx| ticks.poll_tick(cx).map(Some));
    ticks.zip(results).map(|(_, result)| result).right_stream()
}

fn numbered(primes: impl Stream<Item = Result<u64, ItemError>>) -> impl Stream<Item = Result<(u64, u64), ItemError>> {
    let mut index = 0;
    primes.map(move |prime| {
        let prime = prime?;
        index += 1;
        Ok((index - 1, prime))
    })
}
