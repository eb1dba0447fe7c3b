//! `POST /check`: numbers in, verdicts out.

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

/// So many numbers travel together: few enough that a list is shared by the workers.
const SHEET: usize = 500;
const DEADLINE: Duration = Duration::from_secs(5);

pub(crate) type Checks = Pool<Sheet, Vec<(u128, Verdict)>>;

/// Some of a request's numbers.
pub(crate) struct Sheet {
    numbers: Vec<u128>,
    finder: Finder,
}

pub(crate) fn start(workers: usize) -> Result<Checks, StartError> {
    pool().workers(workers).window(256).thread_name("check").with(|| work_fn(verdicts))
}

fn verdicts(sheet: Sheet, job: &mut Job<'_, Vec<(u128, Verdict)>>) -> Result<(), BoxError> {
    let mut verdicts = Vec::with_capacity(sheet.numbers.len());
    for n in sheet.numbers {
        verdicts.push((n, verdict(n, sheet.finder, job)?));
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

/// One line per number, in the order in which they came.
pub(crate) async fn check(checks: Data<Checks>, wanted: Query<Wanted>, body: Bytes) -> Result<impl Responder> {
    let numbers = body::numbers(&body)?;
    // The first sheet that is refused gives the others up.
    let sheets = numbers.chunks(SHEET).map(|numbers| Sheet { numbers: numbers.to_vec(), finder: wanted.finder });
    let verdicts = try_join_all(sheets.map(|sheet| submit_within(&checks, sheet, DEADLINE))).await?;

    let verdicts = stream::iter(verdicts.into_iter().flatten().map(Ok));
    Ok(ndjson_with(verdicts, |(n, verdict), line| {
        let (prime, verdict) = (verdict.is_prime(), verdict.name());
        write!(line, r#"{{"number":"{n}","prime":{prime},"verdict":"{verdict}"}}"#)
    }))
}
