//! The builder of a set of worker threads.

use std::fmt;
use std::sync::Arc;

use crate::engine::settings::{Settings, thread_setters};
use crate::error::StartError;
use crate::protocol::BatchSize;
use crate::workers::handle::Workers;
use crate::workers::start::{Hooks, start};

/// A set of worker threads about to be started: [`Workers::builder`].
#[must_use = "it starts no thread until `build` or `build_global` is called"]
pub struct WorkersBuilder {
    settings: Settings,
    hooks: Hooks,
    run_window: Option<usize>,
}

impl WorkersBuilder {
    pub(super) fn new() -> Self {
        Self {
            settings: Settings::new(BatchSize::Adaptive, Self::THREAD_NAME),
            hooks: Hooks::default(),
            run_window: None,
        }
    }

    thread_setters!(threads, thread_name: "fan-worker");

    /// The most closures of [`Workers::run`] that are queued or run at a time. At least 1; the default is about a thousand,
    /// and at least 16 per thread.
    ///
    /// Beyond it [`Workers::run`] waits and [`Workers::try_run`] refuses the closure. Choose it by how long a closure may
    /// wait, and by what the queued ones may hold: each keeps what it captured.
    pub fn run_window(mut self, closures: usize) -> Self {
        self.run_window = Some(closures);
        self
    }

    /// Called on each thread before it serves anything, with the thread's number from 0: to pin it to a core, or to set
    /// its priority.
    ///
    /// A panic in it is contained; the thread goes on.
    pub fn on_thread_start(mut self, hook: impl Fn(usize) + Send + Sync + 'static) -> Self {
        self.hooks.on_start = Some(Arc::new(hook));
        self
    }

    /// Called on each thread after it has served everything: once the last clone of the [`Workers`] was dropped and the
    /// last of its pipelines and pools has ended. The threads of the global set never end.
    ///
    /// A panic in it is contained.
    pub fn on_thread_stop(mut self, hook: impl Fn(usize) + Send + Sync + 'static) -> Self {
        self.hooks.on_stop = Some(Arc::new(hook));
        self
    }

    /// Starts the threads. Returns before they run: they start beside the caller, which is not kept waiting.
    ///
    /// # Errors
    ///
    /// A [`StartError`] if a setting makes no sense ([`Threads`](StartError::Threads), [`Window`](StartError::Window) for
    /// [`run_window`](Self::run_window), and others), or the operating system refuses the thread that starts the others.
    /// If it refuses one of these, the pipelines and pools on this set fail with
    /// [`PipelineError::WorkerThread`](crate::PipelineError::WorkerThread).
    pub fn build(self) -> Result<Workers, StartError> {
        let threads = self.settings.check_threads().map_err(|error| match error {
            // By the name of its setter here.
            StartError::Workers(threads) => StartError::Threads(threads),
            error => error,
        })?;
        if self.run_window == Some(0) {
            return Err(StartError::Window);
        }
        let observers = self.settings.observers;
        let hooks = Hooks { observers: observers.clone(), ..self.hooks };
        Ok(Workers::new(start(threads, hooks, false)?, self.run_window, observers))
    }

    /// Starts the threads, as the set that [`Workers::global`] returns. To be called before anything uses that, as in
    /// `main`.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build), and [`StartError::GlobalWorkers`] if there is a global set already.
    pub fn build_global(self) -> Result<Workers, StartError> {
        // What it owns of the application is not dropped under the lock of the global set, where a thread is refused.
        let _kept = (self.settings.observers.clone(), self.hooks.clone());
        Workers::start_global(|| self.build())
    }
}

impl fmt::Debug for WorkersBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkersBuilder").field("settings", &self.settings).finish_non_exhaustive()
    }
}
