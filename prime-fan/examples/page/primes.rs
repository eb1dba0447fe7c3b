//! `GET /primes`: an endless stream of random primes.

use std::io::{self, Write};

use actix_fan::web::{Streams, events_with, ndjson_with};
use actix_fan::{BoxError, FanOutExt, ItemError, Job, Workers, work_fn};
use actix_web::error::{ErrorBadRequest, ErrorInternalServerError};
use actix_web::http::header::ACCEPT;
use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse, Responder, Result};
use futures::{Stream, StreamExt};
use prime_fan::RandomIntegers;

use crate::finder::Finder;
use crate::newest::{Found, Newest};
use crate::pace::{Pace, Paced};
use crate::panics::Panics;
use crate::pipelines::Pipelines;
use crate::search::{Search, WorkerThreads};

/// Starts one pipeline per request, on the set of threads that all share. It ends when the client disconnects, which
/// drops the response, or when it is stopped or drained.
pub(crate) async fn primes(
    threads: Data<WorkerThreads>,
    workers: Data<Workers>,
    pipelines: Data<Pipelines>,
    streams: Data<Streams>,
    wanted: Query<Search>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let Query(search) = wanted;
    search.check(**threads).map_err(ErrorBadRequest)?;
    let Search { bits, finder, newest, .. } = search;
    let permit = streams.permit()?;
    let numbers = RandomIntegers::new(1 << (bits - 1)..=u64::MAX >> (64 - bits)).map_err(ErrorInternalServerError)?;
    let panics = Panics::new(search.panic);
    let find = {
        let panics = panics.clone();
        move |n, job: &mut Job<'_, u64>| find(n, job, finder, &panics)
    };
    let primes = numbers
        .fan_out()
        .on(&workers)
        .concurrency(search.concurrency(**threads))
        .window(search.window(**threads))
        .with(move || work_fn(find.clone()))
        .map_err(ErrorInternalServerError)?;
    let stop = primes.stop_handle();
    let pace = Pace::new(search.pace);
    let id = pipelines.add(stop.clone(), pace.clone(), panics, search);

    // After a stop, results that still wait for their tick are dropped as well; after a drain, they are not.
    let finished = stop.clone();
    let primes = Paced::new(primes, pace).take_until(Box::pin(async move { finished.finished().await.is_ok() }));
    let opening = format!(r#"{{"id":{id}}}"#);
    if let Some(most) = newest {
        let found = Newest::new(primes, most);
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

/// The work on an item: tests a number, and emits it if it is prime.
fn find(n: u64, job: &mut Job<'_, u64>, finder: Finder, panics: &Panics) -> Result<(), BoxError> {
    panics.at(job.index());
    if finder.is_prime(n, job)? {
        job.emit(n);
    }
    Ok(())
}

fn write((index, prime): &(u64, u64), out: &mut Vec<u8>) -> io::Result<()> {
    write!(out, r#"{{"number":"{prime}","index":{index}}}"#)
}

fn numbered(primes: impl Stream<Item = Result<u64, ItemError>>) -> impl Stream<Item = Result<(u64, u64), ItemError>> {
    let mut index = 0;
    primes.map(move |prime| {
        let prime = prime?;
        index += 1;
        Ok((index - 1, prime))
    })
}
