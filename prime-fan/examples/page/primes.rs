//! `GET /primes`: an endless stream of random primes.

use std::io::{self, Write};
use std::time::Duration;

use actix_fan::web::{Streams, events_with, ndjson_with};
use actix_fan::{FanOutExt, ItemError, Job, work_fn};
use actix_web::error::{ErrorBadRequest, ErrorInternalServerError};
use actix_web::http::header::ACCEPT;
use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse, Responder, Result};
use futures::{Stream, StreamExt, stream};
use prime_fan::RandomIntegers;
use tokio::time::{MissedTickBehavior, interval};

use crate::newest::{Found, Newest};
use crate::pipelines::Pipelines;
use crate::search::{Search, WorkerThreads};

/// One per millisecond, the resolution of a timer.
const MAX_PACE: u32 = 1000;

/// Starts one pipeline per request. It ends when the client disconnects, which drops the response, or when it is
/// stopped.
pub(crate) async fn primes(
    workers: Data<WorkerThreads>,
    pipelines: Data<Pipelines>,
    streams: Data<Streams>,
    wanted: Query<Search>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let Query(search) = wanted;
    let Search { bits, finder, pace, newest } = search;
    if !(2..=64).contains(&bits) {
        return Err(ErrorBadRequest(format!("bits={bits}: must be from 2 to 64; no prime has fewer than 2 bits\n")));
    }
    if pace > MAX_PACE {
        return Err(ErrorBadRequest(format!(
            "pace={pace}: must be from 1 to {MAX_PACE} primes per second, or 0 for no limit\n"
        )));
    }
    let permit = streams.permit()?;
    let numbers = RandomIntegers::new(1 << (bits - 1)..=u64::MAX >> (64 - bits)).map_err(ErrorInternalServerError)?;
    let find = move |n, job: &mut Job<'_, u64>| {
        if finder.is_prime(n, job)? {
            job.emit(n);
        }
        Ok(())
    };
    let primes = numbers
        .fan_out()
        .workers(workers.0)
        .window(search.window(**workers))
        .with(move || work_fn(find))
        .map_err(ErrorInternalServerError)?;
    let stop = primes.stop_handle();
    let id = pipelines.add(stop.clone(), search);

    // After a stop, results that still wait for their tick are dropped as well.
    let stopped = stop.clone();
    let primes = paced(primes, pace).take_until(async move { stopped.workers_stopped().await });
    let opening = format!(r#"{{"id":{id}}}"#);
    if let Some(most) = newest {
        let found = Newest::new(Box::pin(primes), most);
        let events = events_with(found, Found::write).of(&stop).permit(permit).opening("start", opening);
        return Ok(events.respond_to(&request));
    }
    let primes = numbered(primes);
    let as_events = request
        .headers()
        .get_all(ACCEPT)
        .any(|types| types.to_str().is_ok_and(|types| types.contains("text/event-stream")));
    Ok(if as_events {
        events_with(primes, write).of(&stop).permit(permit).opening("start", opening).respond_to(&request)
    } else {
        ndjson_with(primes, write).of(&stop).permit(permit).respond_to(&request)
    })
}

fn write((index, prime): &(u64, u64), out: &mut Vec<u8>) -> io::Result<()> {
    write!(out, r#"{{"number":"{prime}","index":{index}}}"#)
}

/// Yields at most `pace` results per second; 0 sets no limit. Backpressure then slows the pipeline down.
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
