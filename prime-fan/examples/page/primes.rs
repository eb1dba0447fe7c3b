//! `GET /primes`: random primes, without end.

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
use serde::{Deserialize, Serialize};
use tokio::time::{MissedTickBehavior, interval};

use crate::finder::Finder;
use crate::newest::{Found, Newest};
use crate::pipelines::Pipelines;

/// A timer has a resolution of a millisecond.
const MAX_PACE: u32 = 1000;

/// What each pipeline gets.
#[derive(Clone, Copy)]
pub(crate) struct Crew {
    pub(crate) workers: usize,
}

impl Crew {
    pub(crate) fn window(self, search: Search) -> usize {
        self.workers * search.finder.window()
    }
}

/// What is searched for, and how it is told. `/stats` has it of each search.
#[derive(Clone, Copy, Deserialize, Serialize)]
pub(crate) struct Search {
    #[serde(default = "bits")]
    bits: u32,
    #[serde(default)]
    finder: Finder,
    /// Primes per second at most; 0: as many as there are.
    #[serde(default = "pace")]
    pace: u32,
    /// For a page: ten events a second at most, whatever the rate, each with the count and so many of the newest primes.
    #[serde(skip_serializing)]
    newest: Option<usize>,
}

fn bits() -> u32 {
    64
}

/// As many as eyes can follow.
fn pace() -> u32 {
    50
}

/// One pipeline a request. It ends when the client goes, since that drops the answer, or when it is stopped.
pub(crate) async fn primes(
    crew: Data<Crew>,
    pipelines: Data<Pipelines>,
    streams: Data<Streams>,
    wanted: Query<Search>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let Query(search) = wanted;
    let Search { bits, finder, pace, newest } = search;
    if !(2..=64).contains(&bits) {
        return Err(ErrorBadRequest(format!("bits={bits}: it is 2 to 64; no prime has fewer than 2\n")));
    }
    if pace > MAX_PACE {
        return Err(ErrorBadRequest(format!(
            "pace={pace}: it is 1 to {MAX_PACE} primes per second, or 0 for all of them\n"
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
        .workers(crew.workers)
        .window(crew.window(search))
        .with(move || work_fn(find))
        .map_err(ErrorInternalServerError)?;
    let stop = primes.stop_handle();
    let id = pipelines.add(stop.clone(), search);

    // A stop ends what waits for its turn as well.
    let gone = stop.clone();
    let primes = paced(primes, pace).take_until(async move { gone.workers_stopped().await });
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
