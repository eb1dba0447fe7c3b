//! `POST /searches/{id}/stop` and `POST /stop`: stop one search, or all of them.

use actix_web::error::ErrorNotFound;
use actix_web::web::{Data, Json, Path};
use actix_web::{Responder, Result};
use futures::future::join_all;
use serde::Serialize;

use crate::pipelines::Pipelines;
use crate::search::WorkerThreads;
use crate::stats::PipelineStats;

/// Stops one search, and answers with its statistics when it has ended.
pub(crate) async fn stop_one(
    workers: Data<WorkerThreads>,
    pipelines: Data<Pipelines>,
    id: Path<u64>,
) -> Result<impl Responder> {
    let pipeline = pipelines.get(*id).ok_or_else(|| ErrorNotFound(format!("there is no search {id}\n")))?;
    pipeline.stop.stop();
    pipeline.stop.workers_stopped().await;
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
