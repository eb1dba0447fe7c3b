//! `GET /stats`: the numbers of everything that works.

use actix_fan::Stats;
use actix_fan::web::{Streams, StreamsStats};
use actix_web::Responder;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{Data, Json};
use serde::Serialize;

use crate::check::Checks;
use crate::pipelines::{Pipeline, Pipelines};
use crate::primes::{Crew, Search};

#[derive(Serialize)]
struct Report {
    workers: usize,
    streams: StreamsStats,
    pipelines: Vec<Running>,
    pool: Numbers,
}

#[derive(Serialize)]
pub(crate) struct Running {
    id: u64,
    search: Search,
    /// Its last worker is gone.
    ended: bool,
    #[serde(flatten)]
    numbers: Numbers,
}

/// Those of the library, and what they are measured by.
#[derive(Serialize)]
struct Numbers {
    stopped: bool,
    window: usize,
    #[serde(flatten)]
    stats: Stats,
}

impl Running {
    pub(crate) fn new(Pipeline { id, search, stop, ended }: &Pipeline, crew: &Crew) -> Self {
        let numbers = Numbers { stopped: stop.is_stopped(), window: crew.window(*search), stats: stop.stats() };
        Self { id: *id, search: *search, ended: ended.is_some(), numbers }
    }
}

pub(crate) async fn stats(
    crew: Data<Crew>,
    checks: Data<Checks>,
    pipelines: Data<Pipelines>,
    streams: Data<Streams>,
) -> impl Responder {
    let report = Report {
        workers: crew.workers,
        streams: streams.stats(),
        pipelines: pipelines.shown().iter().map(|pipeline| Running::new(pipeline, &crew)).collect(),
        pool: Numbers { stopped: checks.is_closed(), window: checks.window(), stats: checks.stats() },
    };
    Json(report).customize().insert_header((CACHE_CONTROL, "no-store"))
}
