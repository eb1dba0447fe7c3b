//! `GET /stats`: the statistics of the pipelines and of the pool.

use actix_fan::Stats;
use actix_fan::web::{Streams, StreamsStats};
use actix_web::Responder;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{Data, Json};
use serde::Serialize;

use crate::check::Checks;
use crate::pipelines::{Pipeline, Pipelines};
use crate::search::{Search, WorkerThreads};

#[derive(Serialize)]
struct Report {
    workers: usize,
    streams: StreamsStats,
    pipelines: Vec<PipelineStats>,
    pool: Numbers,
}

#[derive(Serialize)]
pub(crate) struct PipelineStats {
    id: u64,
    search: Search,
    /// True if its last worker has stopped.
    ended: bool,
    #[serde(flatten)]
    numbers: Numbers,
}

/// The library's statistics, with the window, against which the page shows what is in flight.
#[derive(Serialize)]
struct Numbers {
    stopped: bool,
    window: usize,
    #[serde(flatten)]
    stats: Stats,
}

impl PipelineStats {
    pub(crate) fn new(Pipeline { id, search, stop, ended }: &Pipeline, workers: WorkerThreads) -> Self {
        let numbers = Numbers { stopped: stop.is_stopped(), window: search.window(workers), stats: stop.stats() };
        Self { id: *id, search: *search, ended: ended.is_some(), numbers }
    }
}

pub(crate) async fn stats(
    workers: Data<WorkerThreads>,
    checks: Data<Checks>,
    pipelines: Data<Pipelines>,
    streams: Data<Streams>,
) -> impl Responder {
    let report = Report {
        workers: workers.0,
        streams: streams.stats(),
        pipelines: pipelines.shown().iter().map(|pipeline| PipelineStats::new(pipeline, **workers)).collect(),
        pool: Numbers { stopped: checks.is_closed(), window: checks.window(), stats: checks.stats() },
    };
    Json(report).customize().insert_header((CACHE_CONTROL, "no-store"))
}
