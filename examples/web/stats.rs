//! `GET /stats`: the numbers of everything that works.

use actix_fan::{Stats, WorkerStats};
use actix_web::Responder;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{Data, Json};
use serde::Serialize;

use crate::check::Checks;
use crate::pipelines::{Pipeline, Pipelines};
use crate::primes::Crew;

#[derive(Serialize)]
struct Report {
    window: usize,
    workers: usize,
    pipelines: Vec<Running>,
    pool: Numbers,
}

#[derive(Serialize)]
struct Running {
    id: u64,
    ended: bool,
    #[serde(flatten)]
    numbers: Numbers,
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
    let running = |Pipeline { id, stop, ended }| Running {
        id,
        ended: ended.is_some(),
        numbers: Numbers::new(stop.stats(), stop.is_stopped(), crew.window),
    };
    let report = Report {
        window: crew.window,
        workers: crew.workers,
        pipelines: pipelines.shown().into_iter().map(running).collect(),
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
