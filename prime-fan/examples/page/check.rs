//! `POST /check`: tests the numbers of the request.

use std::io::Write;
use std::time::Duration;

use actix_fan::web::{ndjson_with, submit_within};
use actix_fan::{BoxError, Job, Pool, StartError, Stopped, pool, work_fn};
use actix_web::web::{Bytes, Data, Query};
use actix_web::{Responder, Result};
use futures::future::try_join_all;
use futures::stream;
use prime_fan::Verdict;
use serde::Deserialize;

use crate::body;
use crate::finder::Finder;

/// How many numbers are an item of the pool: few enough that several workers share a list.
const PORTION: usize = 500;
/// How long an item may take before the request fails.
const DEADLINE: Duration = Duration::from_secs(5);

pub(crate) type Checks = Pool<Portion, Vec<(u128, Verdict)>>;

/// A portion of a request's numbers: an item of the pool.
pub(crate) struct Portion {
    numbers: Vec<u128>,
    finder: Finder,
}

pub(crate) fn start(workers: usize) -> Result<Checks, StartError> {
    pool().workers(workers).window(256).thread_name("check").with(|| work_fn(verdicts))
}

fn verdicts(portion: Portion, job: &mut Job<'_, Vec<(u128, Verdict)>>) -> Result<(), BoxError> {
    let mut verdicts = Vec::with_capacity(portion.numbers.len());
    for n in portion.numbers {
        verdicts.push((n, verdict(n, portion.finder, job)?));
    }
    job.emit(verdicts);
    Ok(())
}

#[derive(Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    finder: Finder,
}

fn verdict<O>(n: u128, finder: Finder, job: &Job<'_, O>) -> Result<Verdict, Stopped> {
    Ok(match u64::try_from(n) {
        Ok(small) => Verdict::tested(n, finder.is_prime(small, job)?),
        // Trial division would take centuries.
        Err(_) => Verdict::of(n),
    })
}

/// Answers with one line per number, in the order of the request.
pub(crate) async fn check(checks: Data<Checks>, wanted: Query<Wanted>, body: Bytes) -> Result<impl Responder> {
    let numbers = body::numbers(&body)?;
    // If a portion is rejected, the others are cancelled.
    let portions = numbers.chunks(PORTION).map(|numbers| Portion { numbers: numbers.to_vec(), finder: wanted.finder });
    let verdicts = try_join_all(portions.map(|portion| submit_within(&checks, portion, DEADLINE))).await?;

    let verdicts = stream::iter(verdicts.into_iter().flatten().map(Ok));
    Ok(ndjson_with(verdicts, |(n, verdict), line| {
        let (prime, verdict) = (verdict.is_prime(), verdict.name());
        write!(line, r#"{{"number":"{n}","prime":{prime},"verdict":"{verdict}"}}"#)
    }))
}
