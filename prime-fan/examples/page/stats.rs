//! `GET /stats`: the statistics of the pipelines and of the pool.

use actix_fan::Stats;
use actix_fan::web::{Streams, StreamsStats};
use actix_web::Responder;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{Data, Json};
use serde::Serialize;

use crate::check::Checks;
use crate::pipelines::{Pipeline, Pipelines};
use crate::search::{Capacity, Search};

#[derive(Serialize)]
struct Report {
    /// The worker threads; 0 if nodes do the searches.
    workers: usize,
    /// True if nodes do the searches.
    remote: bool,
    streams: StreamsStats,
    pipelines: Vec<PipelineStats>,
    pool: Numbers,
}

#[derive(Serialize)]
pub(crate) struct PipelineStats {
    id: u64,
    search: Search,
    /// True if its last worker has stopped and, unless it was stopped, the client has taken its last result.
    ended: bool,
    /// True if it draws no more numbers: it drains, or it was stopped.
    closed: bool,
    #[serde(flatten)]
    numbers: Numbers,
}

/// The library's statistics, and whether more can begin.
#[derive(Serialize)]
struct Numbers {
    stopped: bool,
    #[serde(flatten)]
    stats: Stats,
}

impl PipelineStats {
    pub(crate) fn new(Pipeline { id, search, stop, ended, .. }: &Pipeline) -> Self {
        let numbers = Numbers { stopped: stop.is_stopped(), stats: stop.stats() };
        let (ended, closed) = (ended.is_some(), stop.is_closed());
        Self { id: *id, search: *search, ended, closed, numbers }
    }
}

pub(crate) async fn stats(
    capacity: Data<Capacity>,
    checks: Data<Checks>,
    pipelines: Data<Pipelines>,
    streams: Data<Streams>,
) -> impl Responder {
    let (workers, remote) = match **capacity {
        Capacity::Threads(workers) => (workers, false),
        Capacity::Nodes => (0, true),
    };
    let report = Report {
        workers,
        remote,
        streams: streams.stats(),
        pipelines: pipelines.shown().iter().map(PipelineStats::new).collect(),
        pool: Numbers { stopped: checks.is_closed(), stats: checks.stats() },
    };
    Json(report).customize().insert_header((CACHE_CONTROL, "no-store"))
}
