//! Requests that change searches that run: `POST /searches/{id}/stop`, `/searches/{id}/drain`, `/searches/{id}/pace`,
//! and `POST /stop` for all of them.

use actix_web::error::{ErrorBadRequest, ErrorNotFound};
use actix_web::web::{Data, Json, Path, Query};
use actix_web::{Responder, Result};
use futures::future::join_all;
use serde::{Deserialize, Serialize};

use crate::pipelines::{Pipeline, Pipelines};
use crate::search::{WorkerThreads, check_pace};
use crate::stats::PipelineStats;

fn find(pipelines: &Pipelines, id: u64) -> Result<Pipeline> {
    pipelines.get(id).ok_or_else(|| ErrorNotFound(format!("there is no search {id}\n")))
}

/// Stops one search, and answers with its statistics when it has ended.
pub(crate) async fn stop_one(
    workers: Data<WorkerThreads>,
    pipelines: Data<Pipelines>,
    id: Path<u64>,
) -> Result<impl Responder> {
    let pipeline = find(&pipelines, *id)?;
    pipeline.stop.stop();
    pipeline.stop.workers_stopped().await;
    Ok(Json(PipelineStats::new(&pipeline, **workers)))
}

/// Drains one search, and answers at once: its end depends on the client that takes the results.
pub(crate) async fn drain(
    workers: Data<WorkerThreads>,
    pipelines: Data<Pipelines>,
    id: Path<u64>,
) -> Result<impl Responder> {
    let pipeline = find(&pipelines, *id)?;
    pipeline.stop.drain();
    Ok(Json(PipelineStats::new(&pipeline, **workers)))
}

#[derive(Deserialize)]
pub(crate) struct Wanted {
    pace: u32,
}

/// Changes the pace at which the client of a search gets its primes.
pub(crate) async fn pace(
    workers: Data<WorkerThreads>,
    pipelines: Data<Pipelines>,
    id: Path<u64>,
    wanted: Query<Wanted>,
) -> Result<impl Responder> {
    check_pace(wanted.pace).map_err(ErrorBadRequest)?;
    let pipeline = find(&pipelines, *id)?;
    pipeline.pace.set(wanted.pace);
    Ok(Json(PipelineStats::new(&pipeline, **workers)))
}

#[derive(Serialize)]
struct StoppedAll {
    /// How many searches ran.
    stopped: usize,
}

/// Stops the searches of all clients, and answers when they have ended.
pub(crate) async fn stop_all(pipelines: Data<Pipelines>) -> impl Responder {
    let stopped = pipelines.stop_all();
    join_all(stopped.iter().map(|pipeline| pipeline.stop.workers_stopped())).await;
    Json(StoppedAll { stopped: stopped.len() })
}
