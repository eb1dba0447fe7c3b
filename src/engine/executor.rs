//! A worker's own `Work`: built by the factory, run item by item, rebuilt after a panic.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;

use crate::engine::halt::{Halt, Waits};
use crate::engine::intake::{self, WorkerGuard};
use crate::engine::run::Run;
use crate::error::PipelineError;
use crate::protocol::Phase;
use crate::util::log;
use crate::util::panic::{catch, discard};
use crate::util::time_slice::Stretch;
use crate::work::Work;

/// How often in a row the factory may panic before the whole crew gives up.
const FACTORY_ATTEMPTS: u32 = 5;

/// What the user handed us to build a `Work` with, shared by the workers.
pub(crate) struct Factory<W>(Box<dyn Fn() -> W + Send + Sync>);

impl<W: 'static> Factory<W> {
    pub(crate) fn new(factory: impl Fn() -> W + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self(Box::new(factory)))
    }
}

impl<W> Drop for Factory<W> {
    fn drop(&mut self) {
        discard(mem::replace(&mut self.0, Box::new(|| unreachable!("nothing is built any more"))));
    }
}

/// What a worker has on its thread.
pub(crate) struct Workbench<W> {
    // Dropped before `guard`, which says that nothing of the user's is left on this thread: the last worker's share
    // is the last of the factory.
    work: Option<Box<W>>,
    factory: Arc<Factory<W>>,
    id: usize,
    guard: WorkerGuard,
}

impl<W> Workbench<W> {
    pub(crate) fn new(id: usize, factory: Arc<Factory<W>>, guard: WorkerGuard) -> Self {
        Self { work: None, factory, id, guard }
    }

    pub(crate) fn id(&self) -> usize {
        self.id
    }

    /// The run that it works for.
    pub(crate) fn owner(&self) -> &intake::Run {
        self.guard.run()
    }

    /// Has the factory build a `Work` where there is none. False: it can't, and everything has ended with an error.
    pub(crate) fn build(&mut self) -> bool {
        for attempt in 1.. {
            if self.work.is_some() {
                return true;
            }
            match catch(&*self.factory.0) {
                Ok(work) => {
                    log::debug!("worker {} has its work", self.id);
                    self.work = Some(Box::new(work));
                }
                Err(message) if attempt == FACTORY_ATTEMPTS => {
                    let error = PipelineError::WorkerFactory { attempts: attempt, message };
                    self.owner().fail(error, Phase::Stopped);
                    return false;
                }
                Err(message) => log::warn!("the factory of worker {} panicked, trying again: {message}", self.id),
            }
        }
        unreachable!("the loop returns")
    }

    /// Runs items for a stretch with the `Work` that was built. A panic fails its item and takes the `Work` with it.
    /// `own` is whoever waits for these items alone.
    #[inline]
    pub(crate) fn run<I>(
        &mut self,
        stretch: Stretch,
        inputs: &mut VecDeque<I>,
        run: &mut Run<W::Output>,
        own: Option<&dyn Waits>,
    ) where
        W: Work<I>,
    {
        let work = self.work.as_mut().expect("it was built");
        let halt = Halt::new(&self.guard.run().state, own);
        if let Err(message) = catch(|| run.steps(stretch, inputs, &mut **work, halt)) {
            log::warn!("item {} panicked, the work of worker {} is rebuilt: {message}", run.index() - 1, self.id);
            run.panicked(message);
            self.owner().metrics.rebuilt(self.id);
            self.clear();
        }
    }

    /// Drops the `Work`.
    pub(crate) fn clear(&mut self) {
        discard(self.work.take());
    }
}
