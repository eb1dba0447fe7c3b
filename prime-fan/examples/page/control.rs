//! Requests that change searches that run: `POST /searches/{id}/stop`, `/searches/{id}/drain`,
//! `/searches/{id}/settings`, and `POST /stop` for all of them.

use actix_web::error::{ErrorBadRequest, ErrorInternalServerError, ErrorNotFound};
use actix_web::web::{Data, Json, Path, Query};
use actix_web::{Responder, Result};
use futures::future::join_all;
use serde::{Deserialize, Serialize};

use crate::pipelines::{Pipeline, Pipelines};
use crate::search::{Capacity, Search};
use crate::stats::PipelineStats;

fn find(pipelines: &Pipelines, id: u64) -> Result<Pipeline> {
    pipelines.get(id).ok_or_else(|| ErrorNotFound(format!("there is no search {id}\n")))
}

/// Stops one search, and answers with its statistics when it has ended.
pub(crate) async fn stop_one(pipelines: Data<Pipelines>, id: Path<u64>) -> Result<impl Responder> {
    let pipeline = find(&pipelines, *id)?;
    pipeline.stop.stop();
    pipeline.stop.workers_stopped().await;
    Ok(Json(PipelineStats::new(&pipeline)))
}

/// Drains one search, and answers at once: its end depends on the client that takes the results.
pub(crate) async fn drain(pipelines: Data<Pipelines>, id: Path<u64>) -> Result<impl Responder> {
    let pipeline = find(&pipelines, *id)?;
    pipeline.stop.drain();
    Ok(Json(PipelineStats::new(&pipeline)))
}

/// The settings that can be changed; those that are not given stay as they are.
#[derive(Deserialize)]
pub(crate) struct Changes {
    pace: Option<u32>,
    workers: Option<usize>,
    window: Option<usize>,
    panic: Option<u64>,
}

impl Changes {
    fn of(self, search: Search) -> Search {
        Search {
            pace: self.pace.unwrap_or(search.pace),
            workers: self.workers.unwrap_or(search.workers),
            window: self.window.unwrap_or(search.window),
            panic: self.panic.unwrap_or(search.panic),
            ..search
        }
    }
}

/// Changes settings of a search while it runs.
pub(crate) async fn settings(
    capacity: Data<Capacity>,
    pipelines: Data<Pipelines>,
    id: Path<u64>,
    changes: Query<Changes>,
) -> Result<impl Responder> {
    let mut pipeline = find(&pipelines, *id)?;
    let search = changes.into_inner().of(pipeline.search);
    search.check(**capacity).map_err(ErrorBadRequest)?;
    // There is one server thread, and nothing is awaited in between: the changes of two clients don't mix.
    pipeline.change(search, **capacity).map_err(ErrorInternalServerError)?;
    pipelines.update(&pipeline);
    Ok(Json(PipelineStats::new(&pipeline)))
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
