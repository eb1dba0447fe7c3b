//! The pipelines that run, and for a while those that did.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use actix_fan::StopHandle;
use actix_web::rt::spawn;
use actix_web::web::{Data, Json, Path};
use actix_web::{Responder, Result, error::ErrorNotFound};
use futures::future::join_all;
use serde::Serialize;

use crate::primes::{Crew, Search};
use crate::stats::Running;

/// Those that ended are shown so long, and no more than so many.
const SHOWN: Duration = Duration::from_secs(10);
const MAX_SHOWN: usize = 8;

#[derive(Clone, Default)]
pub(crate) struct Pipelines {
    known: Arc<Mutex<Known>>,
}

#[derive(Default)]
struct Known {
    last_id: u64,
    pipelines: Vec<Pipeline>,
}

#[derive(Clone)]
pub(crate) struct Pipeline {
    pub(crate) id: u64,
    pub(crate) search: Search,
    pub(crate) stop: StopHandle,
    /// When its last worker was gone.
    pub(crate) ended: Option<Instant>,
}

impl Pipelines {
    /// Adds a pipeline that was started, and returns its id.
    pub(crate) fn add(&self, stop: StopHandle, search: Search) -> u64 {
        let id = {
            let mut known = self.known();
            known.last_id += 1;
            let id = known.last_id;
            known.pipelines.push(Pipeline { id, search, stop: stop.clone(), ended: None });
            id
        };
        let pipelines = self.clone();
        spawn(async move {
            stop.workers_stopped().await;
            if let Some(pipeline) = pipelines.known().pipelines.iter_mut().find(|pipeline| pipeline.id == id) {
                pipeline.ended = Some(Instant::now());
            }
        });
        id
    }

    /// Those that run, and the last that ended.
    pub(crate) fn shown(&self) -> Vec<Pipeline> {
        let mut known = self.known();
        known.pipelines.retain(|pipeline| pipeline.ended.is_none_or(|ended| ended.elapsed() < SHOWN));
        let mut surplus =
            known.pipelines.iter().filter(|pipeline| pipeline.ended.is_some()).count().saturating_sub(MAX_SHOWN);
        known.pipelines.retain(|pipeline| {
            let drop = surplus > 0 && pipeline.ended.is_some();
            surplus -= usize::from(drop);
            !drop
        });
        known.pipelines.clone()
    }

    /// Stops every pipeline that runs, in effect when this returns, and tells which those are.
    pub(crate) fn stop(&self) -> Vec<Pipeline> {
        let running: Vec<Pipeline> =
            self.known().pipelines.iter().filter(|pipeline| pipeline.ended.is_none()).cloned().collect();
        for Pipeline { stop, .. } in &running {
            stop.stop();
        }
        running
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `POST /searches/{id}/stop` stops one, and answers with its numbers when it has ended.
pub(crate) async fn stop_one(crew: Data<Crew>, pipelines: Data<Pipelines>, id: Path<u64>) -> Result<impl Responder> {
    let pipeline = pipelines.known().pipelines.iter().find(|pipeline| pipeline.id == *id).cloned();
    let pipeline = pipeline.ok_or_else(|| ErrorNotFound(format!("no search {id} runs\n")))?;
    pipeline.stop.stop();
    pipeline.stop.workers_stopped().await;
    Ok(Json(Running::new(&pipeline, &crew)))
}

#[derive(Serialize)]
struct StoppedAll {
    /// How many ran.
    stopped: usize,
}

/// `POST /stop` stops all, whoever started them, and answers when they have ended.
pub(crate) async fn stop_all(pipelines: Data<Pipelines>) -> impl Responder {
    let stopped = pipelines.stop();
    join_all(stopped.iter().map(|pipeline| pipeline.stop.workers_stopped())).await;
    Json(StoppedAll { stopped: stopped.len() })
}
