//! `GET /primes`: an endless stream of random primes.

use std::io::{self, Write};

use actix_fan::ItemError;
use actix_fan::web::{Streams, events_with, ndjson_with};
use actix_web::error::{ErrorBadRequest, ErrorInternalServerError};
use actix_web::http::header::ACCEPT;
use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse, Responder, Result};
use futures::{Stream, StreamExt};
use prime_fan::RandomIntegers;

use crate::host::Host;
use crate::newest::{Found, Newest};
use crate::pace::{Pace, Paced};
use crate::panics::Panics;
use crate::pipelines::Pipelines;
use crate::search::Search;

/// Starts one pipeline per request, on the threads or the nodes that all share. It ends when the client disconnects, which
/// drops the response, or when it is stopped or drained.
pub(crate) async fn primes(
    host: Data<Host>,
    pipelines: Data<Pipelines>,
    streams: Data<Streams>,
    wanted: Query<Search>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let Query(search) = wanted;
    search.check(host.capacity()).map_err(ErrorBadRequest)?;
    let Search { bits, newest, .. } = search;
    let permit = streams.permit()?;
    let numbers = RandomIntegers::new(1 << (bits - 1)..=u64::MAX >> (64 - bits)).map_err(ErrorInternalServerError)?;
    let panics = Panics::new(search.panic);
    let started = host.primes(numbers, search, panics.clone());
    let (primes, stop) = started.map_err(ErrorInternalServerError)?;
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
