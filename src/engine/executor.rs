//! A thread's own `Work`: built by the factory, lent to what runs items, rebuilt after a panic.

use std::mem;
use std::sync::Arc;

use crate::engine::metrics::Progress;
use crate::engine::reentrancy;
use crate::engine::run::{Core, Run, WorkerGuard};
use crate::engine::state::State;
use crate::error::PipelineError;
use crate::protocol::Phase;
use crate::util::panic::{catch, discard};
use crate::work::{FACTORY_ATTEMPTS, call_factory};

/// The user's factory of works, shared by the workers.
pub(crate) struct Factory<W>(Box<dyn Fn() -> W + Send + Sync>);

impl<W: 'static> Factory<W> {
    pub(crate) fn new(factory: impl Fn() -> W + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self(Box::new(factory)))
    }
}

impl<W> Drop for Factory<W> {
    fn drop(&mut self) {
        // What the user's closure owns may panic when it is dropped, and this may be the last of what a thread drops.
        discard(mem::replace(&mut self.0, Box::new(|| unreachable!("nothing is built any more"))));
    }
}

/// What a worker thread needs to run items of one run.
pub(crate) struct Executor<W> {
    work: Option<Box<W>>,
    /// `None` once this is being dropped.
    factory: Option<Arc<Factory<W>>>,
    id: usize,
    /// `None` once this has been dropped: then nothing of the user's is left on this thread.
    guard: Option<WorkerGuard>,
}

impl<W> Executor<W> {
    pub(crate) fn new(id: usize, factory: Arc<Factory<W>>, guard: WorkerGuard) -> Self {
        Self { work: None, factory: Some(factory), id, guard: Some(guard) }
    }

    pub(crate) fn id(&self) -> usize {
        self.id
    }

    /// The run that it works for.
    pub(crate) fn owner(&self) -> &Run {
        self.guard.as_ref().expect("it is not being dropped").run()
    }

    /// Builds a `Work` by the factory if there is none. Returns true if there is one now. There is none after a
    /// stop, and where the factory failed, which ends the run with an error.
    #[inline]
    pub(crate) fn prepare(&mut self) -> bool {
        self.work.is_some() || self.build()
    }

    #[cold]
    fn build(&mut self) -> bool {
        // Nothing will begin any more, so the factory, which may be slow, is not called in vain.
        if self.owner().state.is_stopped() {
            return false;
        }
        let factory = Arc::clone(self.factory.as_ref().expect("it is not being dropped"));
        match call_factory(&*factory.0, format_args!("worker {}", self.id)) {
            Ok(work) => {
                self.work = Some(Box::new(work));
                true
            }
            Err(message) => {
                let error = PipelineError::WorkerFactory { attempts: FACTORY_ATTEMPTS, message };
                self.owner().fail(error, Phase::Stopped);
                false
            }
        }
    }

    /// Lends the `Work` that was prepared to `run`, with the state of the run that it works for, and where to record the
    /// item that runs. A panic takes the `Work` with it and comes back as its message.
    #[inline]
    pub(crate) fn lend<R>(&mut self, run: impl FnOnce(&mut W, &State, &Progress) -> R) -> Result<R, String> {
        let work = self.work.as_mut().expect("it was prepared");
        // Looked up here, once per step: the innermost loop reads it for each item.
        let core: &Core = self.guard.as_ref().expect("it is not being dropped").run();
        let (state, progress) = (&core.state, core.metrics.progress(self.id));
        let ran = catch(|| run(work, state, progress));
        if ran.is_err() {
            // What the panic left half done is not run again.
            self.owner().metrics.rebuilt(self.id);
            self.clear();
        }
        ran
    }

    /// Drops the `Work`.
    pub(crate) fn clear(&mut self) {
        discard(self.work.take());
    }
}

impl<W> Drop for Executor<W> {
    fn drop(&mut self) {
        // The `Drop` of a work or of the factory's closure may wait for its own run, which must be refused.
        let _entered = reentrancy::enter(self.owner().id());
        self.clear();
        // Its `Drop` contains the panics of the closure.
        drop(self.factory.take());
        // Last: the run may end with it.
        drop(self.guard.take());
    }
}
