//! The builder of a pool, which starts its workers.

use std::sync::Arc;

use crate::engine::host::Host;
use crate::engine::run::Run;
use crate::engine::settings::{Settings, thread_setters};
use crate::error::{BoxError, StartError};
use crate::observe::RunKind;
use crate::pool::assembly::{Assembled, item_bytes};
use crate::pool::handle::Pool;
use crate::protocol::BatchSize;
use crate::util::log;
use crate::util::panic::Guarded;
use crate::work::Work;
use crate::work::closures::{Map, TryMap, sharing};
use crate::workers::{Workers, private};

/// Starts to build a [`Pool`]: see there.
pub fn pool() -> PoolBuilder {
    PoolBuilder { settings: Settings::new(BatchSize::Fixed(1), PoolBuilder::THREAD_NAME), on: None }
}

/// A [`Pool`] about to be started: set what matters, then say what the workers do.
///
/// [`map`](Self::map), [`try_map`](Self::try_map) and [`with`](Self::with) start it, on any thread. If the thread belongs
/// to an actix System, whose loop need not run yet, the pool ends with that System.
///
/// A pool has worker threads of its own, unless [`on`](Self::on) puts it on threads that others share.
///
/// # Errors
///
/// Each of them returns a [`StartError`] when a setting makes no sense, when this thread belongs to a System that was
/// stopped, or when the operating system refuses a thread.
#[derive(Debug)]
#[must_use = "a pool does nothing until `map`, `try_map` or `with` starts it"]
pub struct PoolBuilder {
    settings: Settings,
    on: Option<Workers>,
}

impl PoolBuilder {
    thread_setters!(
        workers,
        thread_name: "pool-worker",
        default: "The default is one per core that the process may use, by \
            [`available_parallelism`](std::thread::available_parallelism). One fewer leaves a core to the arbiters."
    );

    /// The most items in flight: queued, running, or done and not yet taken from a [`PoolStream`](crate::PoolStream).
    /// At least 1.
    ///
    /// Beyond it [`submit`](Pool::submit) waits and [`try_submit`](Pool::try_submit) refuses the item. Choose it by how
    /// long an item may wait: the last item of a full window waits for about `window / workers` others. The default is
    /// as many items as fit into 512 KiB together with the memory of their requests, some 2,000 small ones, and at
    /// least 16 per worker. It can be changed later: [`Pool::set_window`].
    pub fn window(mut self, window: usize) -> Self {
        self.settings.window = Some(window);
        self
    }

    /// Starts workers that turn each item into its result.
    pub fn map<I, O, F>(self, f: F) -> Result<Pool<I, O>, StartError>
    where
        F: Fn(I) -> O + Send + Sync + 'static,
        I: Send + 'static,
        O: Send + 'static,
    {
        self.start(sharing(f, Map), false)
    }

    /// Starts workers that turn each item into its result or an error, which becomes the
    /// [`work_error`](crate::ItemError::work_error) of the item.
    pub fn try_map<I, O, E, F>(self, f: F) -> Result<Pool<I, O>, StartError>
    where
        F: Fn(I) -> Result<O, E> + Send + Sync + 'static,
        I: Send + 'static,
        O: Send + 'static,
        E: Into<BoxError>,
    {
        self.start(sharing(f, TryMap), false)
    }

    /// Starts workers with a [`Work`] of their own each, which `factory` builds on the worker's thread, and again after
    /// a panic. Each item must emit exactly one result: another number is an error of that item,
    /// [`NotOneResult`](crate::NotOneResult).
    ///
    /// When the factory panics five times in a row the pool ends with
    /// [`PipelineError::WorkerFactory`](crate::PipelineError::WorkerFactory).
    pub fn with<I, W, F>(self, factory: F) -> Result<Pool<I, W::Output>, StartError>
    where
        I: Send + 'static,
        W: Work<I>,
        F: Fn() -> W + Send + Sync + 'static,
    {
        self.start(factory, true)
    }

    /// `has_state`: each thread keeps a work of its own.
    fn start<I, W, F>(self, factory: F, has_state: bool) -> Result<Pool<I, W::Output>, StartError>
    where
        I: Send + 'static,
        W: Work<I>,
        F: Fn() -> W + Send + Sync + 'static,
    {
        let factory = Guarded::new(factory);
        let item_bytes = item_bytes::<I, W::Output>();
        let mut checked = self.settings.check(item_bytes, self.on.as_ref().map(|on| on.set().threads()))?;
        let host = Host::of_thread()?;
        let is_private = self.on.is_none();
        // Borrowed: if this is the last clone, its drop before the pool has joined would end the threads.
        let set = match &self.on {
            Some(workers) => Arc::clone(workers.set()),
            None => private(checked.threads.clone(), &self.settings.observers)?,
        };
        let (window, concurrency) = (checked.window, checked.concurrency);
        checked.observe(RunKind::Pool, self.settings.observers, self.on.as_ref().map(Workers::observers));
        let core = checked.core(item_bytes, Some(&host));
        // From here on, an early return drops the pool, which ends the threads of its own.
        let Assembled { run, pool, stage } = Assembled::new(core, factory.into_inner(), is_private || has_state);
        stage.join(&set, concurrency, is_private);
        if is_private {
            set.close();
        }
        if let Some(system) = host.system() {
            let keeper = Keeper(run);
            let keeping = async move {
                let keeper = keeper;
                // Neither returns an error, since the arbiter's thread is no worker of the pool.
                let _ = keeper.0.workers_stopped().await;
                if !keeper.0.state.is_running() {
                    // Callers that took requests out of the admission queue, on any thread, may still be ending them.
                    let _ = keeper.0.wait().await;
                }
            };
            if !system.arbiter().spawn(keeping) {
                return Err(StartError::SystemStopped);
            }
        }
        log::info!("pool started: {concurrency} workers, a window of {window} items");
        Ok(pool)
    }
}

/// Fails the pool when it is dropped before the pool has ended. A task on the System's first arbiter holds it, so that
/// the pool ends with the System.
struct Keeper(Run);

impl Drop for Keeper {
    fn drop(&mut self) {
        // Does nothing if the pool has finished.
        self.0.lose("the keeper of the pool");
    }
}
