//! The fan-out: the actors of the pool.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, Handler, Recipient, SyncContext};

use crate::batch::{Batch, Outcomes, Spares};
use crate::control::Control;
use crate::running::Running;
use crate::slice::Slice;
use crate::work::Work;
use crate::workbench::{Factory, Workbench};

/// One of the actors of a `SyncArbiter` pool: runs the [`Work`] on batches and sends their [`Outcomes`] on.
///
/// All workers take from one queue, so a batch goes to whoever is free. Each item runs by itself under `catch_unwind`:
/// a panic fails that item, the `Work` is rebuilt by the factory on the same thread, and the rest of the batch runs.
pub struct Worker<I, W: Work<I>> {
    shared: Arc<Shared<I, W>>,
    // Dropped last: then nothing of the user's is left on this thread.
    bench: Workbench<W>,
}

/// What the workers of a pipeline have in common.
pub(crate) struct Shared<I, W: Work<I>> {
    pub(crate) factory: Arc<Factory<W>>,
    pub(crate) workers: usize,
    /// How long a batch may run before what it has not begun goes back to the queue, for whoever is free.
    pub(crate) overrun: Duration,
    pub(crate) aggregator: Recipient<Outcomes<W::Output>>,
    pub(crate) inputs: Arc<Spares<I>>,
    pub(crate) outputs: Arc<Spares<W::Output>>,
}

impl<I, W: Work<I>> Worker<I, W> {
    pub(crate) fn new(id: usize, shared: Arc<Shared<I, W>>, control: &Arc<Control>) -> Self {
        let bench = Workbench::new(id, Arc::clone(&shared.factory), control);
        Self { shared, bench }
    }
}

impl<I, W: Work<I>> fmt::Debug for Worker<I, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("id", &self.bench.id()).finish_non_exhaustive()
    }
}

impl<I, W> Actor for Worker<I, W>
where
    I: Send + 'static,
    W: Work<I>,
{
    type Context = SyncContext<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        if !self.bench.control().is_stopped() {
            self.bench.build();
        }
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.bench.clear();
    }
}

impl<I, W> Handler<Batch<I>> for Worker<I, W>
where
    I: Send + 'static,
    W: Work<I>,
{
    type Result = ();

    fn handle(&mut self, batch: Batch<I>, ctx: &mut Self::Context) {
        let began = Instant::now();
        self.bench.meter().begin(self.bench.control().started(), began);

        let mut running = Running::begin(batch, self.shared.outputs.get());
        let mut slice = Slice::new(self.shared.overrun);
        while running.step(&mut self.bench, &mut slice) {}
        let rest = running.give_back(self.shared.workers, &self.shared.inputs);
        rest.into_iter().flatten().for_each(|part| ctx.address().do_send(part));

        let busy = began.elapsed();
        self.bench.meter().end(busy, running.begun());
        // If the aggregator is gone, the outcomes are dropped here, which settles their ticket.
        self.shared.aggregator.do_send(running.end(busy, &self.shared.outputs));
    }
}
