//! The registry of pipelines: those that run, and those that ended a short time ago.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use actix_fan::{SettingError, StopHandle};
use actix_web::rt::spawn;
use futures::future::join_all;

use crate::pace::Pace;
use crate::panics::Panics;
use crate::search::{Capacity, Search};

/// How long an ended pipeline is listed.
const SHOWN: Duration = Duration::from_secs(10);
/// The most ended pipelines that are listed.
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
    pub(crate) pace: Pace,
    pub(crate) panics: Panics,
    /// When it was stopped and its last worker was done, or the client had taken its last result.
    pub(crate) ended: Option<Instant>,
}

impl Known {
    fn with(&mut self, id: u64, change: impl FnOnce(&mut Pipeline)) {
        self.pipelines.iter_mut().find(|pipeline| pipeline.id == id).map(change);
    }
}

impl Pipeline {
    /// Changes the settings that can be changed while it runs.
    pub(crate) fn change(&mut self, search: Search, capacity: Capacity) -> Result<(), SettingError> {
        if let Capacity::Threads(threads) = capacity {
            self.stop.set_concurrency(search.concurrency(threads))?;
        }
        self.stop.set_window(search.window(capacity))?;
        self.pace.set(search.pace);
        self.panics.set(search.panic);
        self.search = search;
        Ok(())
    }
}

impl Pipelines {
    /// Registers a running pipeline and returns its id.
    pub(crate) fn add(&self, stop: StopHandle, pace: Pace, panics: Panics, search: Search) -> u64 {
        let id = {
            let mut known = self.known();
            known.last_id += 1;
            let id = known.last_id;
            known.pipelines.push(Pipeline { id, search, stop: stop.clone(), pace, panics, ended: None });
            id
        };
        let pipelines = self.clone();
        spawn(async move {
            // How it ended is told by its statistics.
            let _ = stop.finished().await;
            pipelines.known().with(id, |pipeline| pipeline.ended = Some(Instant::now()));
        });
        id
    }

    /// Returns the pipeline with this id, if it is still known.
    pub(crate) fn get(&self, id: u64) -> Option<Pipeline> {
        self.known().pipelines.iter().find(|pipeline| pipeline.id == id).cloned()
    }

    /// Registers the settings that a pipeline was changed to.
    pub(crate) fn update(&self, changed: &Pipeline) {
        self.known().with(changed.id, |pipeline| pipeline.search = changed.search);
    }

    /// Returns those that run and the last ones that ended.
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

    /// Stops every pipeline that runs, and returns them. The stop is in effect when this returns; their workers may
    /// still run.
    pub(crate) fn stop_all(&self) -> Vec<Pipeline> {
        let running: Vec<Pipeline> =
            self.known().pipelines.iter().filter(|pipeline| pipeline.ended.is_none()).cloned().collect();
        for Pipeline { stop, .. } in &running {
            stop.stop();
        }
        running
    }

    /// Waits until the workers of all of them have stopped.
    pub(crate) async fn ended(&self) {
        let stops: Vec<StopHandle> = self.known().pipelines.iter().map(|pipeline| pipeline.stop.clone()).collect();
        join_all(stops.iter().map(StopHandle::workers_stopped)).await;
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
