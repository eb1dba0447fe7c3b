//! The pipelines that run, and for a while those that did.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use actix_fan::StopHandle;
use actix_web::http::header::RETRY_AFTER;
use actix_web::rt::spawn;
use actix_web::web::{Data, Json, Path};
use actix_web::{HttpResponse, Responder, Result, error::ErrorNotFound, error::InternalError};
use futures::future::join_all;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::primes::{Crew, Search};
use crate::stats::Running;

/// At once: each has threads of its own.
const MAX_RUNNING: usize = 4;
/// Those that ended are shown so long, and no more than so many.
const SHOWN: Duration = Duration::from_secs(10);
const MAX_SHOWN: usize = 8;
/// When to try again. Nobody knows how long people look at primes.
const RETRY_SECONDS: u32 = 5;

#[derive(Clone)]
pub(crate) struct Pipelines {
    places: Arc<Semaphore>,
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

/// The right to start a pipeline.
pub(crate) struct Place {
    permit: OwnedSemaphorePermit,
    pipelines: Pipelines,
}

impl Pipelines {
    pub(crate) fn new() -> Self {
        Self { places: Arc::new(Semaphore::new(MAX_RUNNING)), known: Arc::default() }
    }

    /// A place for one more, or else the answer that there is none.
    pub(crate) fn place(&self) -> Result<Place> {
        let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() else {
            let text = format!("{MAX_RUNNING} pipelines run already: try again later\n");
            let answer = HttpResponse::ServiceUnavailable().insert_header((RETRY_AFTER, RETRY_SECONDS)).body(text);
            return Err(InternalError::from_response("no place", answer).into());
        };
        Ok(Place { permit, pipelines: self.clone() })
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
            stop.now();
        }
        running
    }

    /// Stops every pipeline, and gives no place any more.
    pub(crate) fn close(&self) {
        self.places.close();
        self.stop();
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Registers the pipeline that was started, and returns its id. The place is free again when its workers are gone.
    pub(crate) fn take(self, stop: StopHandle, search: Search) -> u64 {
        let Self { permit, pipelines } = self;
        let id = {
            let mut known = pipelines.known();
            known.last_id += 1;
            let id = known.last_id;
            known.pipelines.push(Pipeline { id, search, stop: stop.clone(), ended: None });
            id
        };
        // It may have been closed since the place was given.
        if pipelines.places.is_closed() {
            stop.now();
        }
        spawn(async move {
            stop.workers_gone().await;
            if let Some(pipeline) = pipelines.known().pipelines.iter_mut().find(|pipeline| pipeline.id == id) {
                pipeline.ended = Some(Instant::now());
            }
            drop(permit);
        });
        id
    }
}

/// `POST /searches/{id}/stop` stops one, and answers with its numbers when it has ended.
pub(crate) async fn stop_one(crew: Data<Crew>, pipelines: Data<Pipelines>, id: Path<u64>) -> Result<impl Responder> {
    let pipeline = pipelines.known().pipelines.iter().find(|pipeline| pipeline.id == *id).cloned();
    let pipeline = pipeline.ok_or_else(|| ErrorNotFound(format!("no search {id} runs\n")))?;
    pipeline.stop.now();
    pipeline.stop.workers_gone().await;
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
    join_all(stopped.iter().map(|pipeline| pipeline.stop.workers_gone())).await;
    Json(StoppedAll { stopped: stopped.len() })
}
