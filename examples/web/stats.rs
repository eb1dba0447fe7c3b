//! `GET /stats`: the numbers of everything that works.

use actix_fan::{Stats, WorkerStats};
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

impl Running {
    pub(crate) fn new(Pipeline { id, search, stop, ended }: &Pipeline, crew: &Crew) -> Self {
        let numbers = Numbers::new(stop.stats(), stop.is_stopped(), crew.window(*search));
        Self { id: *id, search: *search, ended: ended.is_some(), numbers }
    }
}

#[derive(Serialize)]
struct Numbers {
    taken: u64,
    completed: u64,
    failed: u64,
    skipped: u64,
    in_flight: usize,
    queued: usize,
    emitted: u64,
    batch_size: usize,
    elapsed_ms: u128,
    stopped: bool,
    /// `complete`, `drained`, `stopped` or `failed`; `null` while it goes on.
    end: Option<String>,
    window: usize,
    workers: Vec<Busy>,
}

#[derive(Serialize)]
struct Busy {
    busy_ms: u128,
    items: u64,
    batches: u64,
}

pub(crate) async fn stats(crew: Data<Crew>, checks: Data<Checks>, pipelines: Data<Pipelines>) -> impl Responder {
    let report = Report {
        workers: crew.workers,
        pipelines: pipelines.shown().iter().map(|pipeline| Running::new(pipeline, &crew)).collect(),
        pool: Numbers::new(checks.stats(), checks.is_closed(), checks.window()),
    };
    Json(report).customize().insert_header((CACHE_CONTROL, "no-store"))
}

impl Numbers {
    fn new(stats: Stats, stopped: bool, window: usize) -> Self {
        Self {
            taken: stats.taken,
            completed: stats.completed,
            failed: stats.failed,
            skipped: stats.skipped,
            in_flight: stats.in_flight,
            queued: stats.queued,
            emitted: stats.emitted,
            batch_size: stats.batch_size,
            elapsed_ms: stats.elapsed.as_millis(),
            stopped,
            end: stats.end.as_ref().map(ToString::to_string),
            window,
            workers: stats.workers.iter().map(Busy::new).collect(),
        }
    }
}

impl Busy {
    fn new(worker: &WorkerStats) -> Self {
        Self { busy_ms: worker.busy.as_millis(), items: worker.items, batches: worker.batches }
    }
}
