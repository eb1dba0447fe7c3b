//! `POST /check`: numbers in, verdicts out.

use std::io::Write;
use std::time::Duration;

use actix_fan::primes::{PROVEN_BELOW, is_probable_prime};
use actix_fan::web::{ndjson_with, submit_within};
use actix_fan::{BoxError, Job, Pool, StartError, Stopped, pool, work_fn};
use actix_web::web::{Bytes, Data, Query};
use actix_web::{Responder, Result};
use futures::future::try_join_all;
use futures::stream;
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
        verdicts.push((n, Verdict::on(n, sheet.finder, job)?));
    }
    job.emit(verdicts);
    Ok(())
}

#[derive(Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    finder: Finder,
}

/// As `prime-fan filter` has them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Verdict {
    Prime,
    /// It passes every test, which is no proof for one so large.
    ProbablePrime,
    Composite,
    /// 0 and 1.
    Neither,
}

impl Verdict {
    fn on<O>(n: u128, finder: Finder, job: &Job<'_, O>) -> Result<Self, Stopped> {
        let is_prime = match u64::try_from(n) {
            Ok(n) => finder.is_prime(n, job)?,
            // Trial division would take centuries.
            Err(_) => is_probable_prime(n),
        };
        Ok(match n {
            0 | 1 => Self::Neither,
            _ if !is_prime => Self::Composite,
            _ if n < PROVEN_BELOW => Self::Prime,
            _ => Self::ProbablePrime,
        })
    }

    fn word(self) -> &'static str {
        match self {
            Self::Prime => "prime",
            Self::ProbablePrime => "probable-prime",
            Self::Composite => "composite",
            Self::Neither => "neither",
        }
    }

    fn is_prime(self) -> bool {
        matches!(self, Self::Prime | Self::ProbablePrime)
    }
}

/// One line per number, in the order in which they came.
pub(crate) async fn check(checks: Data<Checks>, wanted: Query<Wanted>, body: Bytes) -> Result<impl Responder> {
    let numbers = body::numbers(&body)?;
    // The first sheet that is refused gives the others up.
    let sheets = numbers.chunks(SHEET).map(|numbers| Sheet { numbers: numbers.to_vec(), finder: wanted.finder });
    let verdicts = try_join_all(sheets.map(|sheet| submit_within(&checks, sheet, DEADLINE))).await?;

    let verdicts = stream::iter(verdicts.into_iter().flatten().map(Ok));
    Ok(ndjson_with(verdicts, |(n, verdict), line| {
        let (prime, verdict) = (verdict.is_prime(), verdict.word());
        write!(line, r#"{{"number":"{n}","prime":{prime},"verdict":"{verdict}"}}"#)
    }))
}
