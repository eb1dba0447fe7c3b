//! `POST /check`: numbers in, verdicts out.

use std::io::Write;
use std::time::Duration;

use actix_fan::web::{ndjson_with, submit_within};
use actix_fan::{BoxError, Job, Pool, StartError, pool, work_fn};
use actix_web::error::{ErrorBadRequest, ErrorPayloadTooLarge};
use actix_web::web::{Bytes, Data, Query};
use actix_web::{Responder, Result};
use futures::future::try_join_all;
use futures::stream;
use serde::Deserialize;
use serde_json::Value;

use crate::finder::Finder;

/// The longest body.
pub(crate) const MAX_BYTES: usize = 1 << 20;
const MAX_NUMBERS: usize = 10_000;

/// So many numbers travel together: few enough that a list is shared by the workers.
const SHEET: usize = 500;
const DEADLINE: Duration = Duration::from_secs(5);

pub(crate) type Checks = Pool<Sheet, Vec<(u64, bool)>>;

/// Some of a request's numbers.
pub(crate) struct Sheet {
    numbers: Vec<u64>,
    finder: Finder,
}

pub(crate) fn start(workers: usize) -> Result<Checks, StartError> {
    pool().workers(workers).window(256).thread_name("check").with(|| work_fn(verdicts))
}

fn verdicts(sheet: Sheet, job: &mut Job<'_, Vec<(u64, bool)>>) -> Result<(), BoxError> {
    let mut verdicts = Vec::with_capacity(sheet.numbers.len());
    for n in sheet.numbers {
        verdicts.push((n, sheet.finder.is_prime(n, job)?));
    }
    job.emit(verdicts);
    Ok(())
}

#[derive(Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    finder: Finder,
}

/// One line a number, in the order in which they came.
pub(crate) async fn check(checks: Data<Checks>, wanted: Query<Wanted>, body: Bytes) -> Result<impl Responder> {
    let numbers = numbers(&body)?;
    // The first sheet that is refused gives the others up.
    let sheets = numbers.chunks(SHEET).map(|numbers| Sheet { numbers: numbers.to_vec(), finder: wanted.finder });
    let verdicts = try_join_all(sheets.map(|sheet| submit_within(&checks, sheet, DEADLINE))).await?;

    let verdicts = stream::iter(verdicts.into_iter().flatten().map(Ok));
    Ok(ndjson_with(verdicts, |(n, prime), line| write!(line, r#"{{"number":"{n}","prime":{prime}}}"#)))
}

/// Numbers may come as text too: JavaScript's own end at 2^53.
fn numbers(body: &[u8]) -> Result<Vec<u64>> {
    let values: Vec<Value> =
        serde_json::from_slice(body).map_err(|error| ErrorBadRequest(format!("not an array of numbers: {error}\n")))?;
    if values.len() > MAX_NUMBERS {
        return Err(ErrorPayloadTooLarge(format!("{} numbers: at most {MAX_NUMBERS} at once\n", values.len())));
    }
    let number = |value: Value| {
        let number = match &value {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        number.ok_or_else(|| ErrorBadRequest(format!("{value}: not an integer from 0 to {}\n", u64::MAX)))
    };
    values.into_iter().map(number).collect()
}
