//! The fan-out: the actors of the pool.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, Handler, Recipient, SyncContext};

use crate::batch::{Batch, Chunk, Outcomes, Passed, Spares};
use crate::control::Control;
use crate::run::Run;
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

    /// Runs the batch until its end, until the pipeline is stopped, or until it took far longer than planned.
    fn run(&mut self, inputs: &mut VecDeque<I>, passed: &mut Passed, run: &mut Run<W::Output>) {
        let mut slice = Slice::new(self.shared.overrun);
        loop {
            while let Some((before, _)) = passed.front()
                && *before == run.begun
            {
                run.pass(passed.pop_front().expect("it was just seen").1);
            }
            if inputs.is_empty() || self.bench.control().is_stopped() || slice.is_spent() || !self.bench.build() {
                return;
            }
            let until_passed = passed.front().map_or(inputs.len(), |(before, _)| before - run.begun);
            let steps = 1 + slice.grant(until_passed - 1);
            self.bench.run(steps, inputs, run, None);
        }
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
        let Batch { first, mut inputs, mut passed, mut ticket } = batch;
        let began = Instant::now();
        self.bench.meter().begin(self.bench.control().started(), began);

        let mut run = Run::new(first, self.shared.outputs.get());
        self.run(inputs.queue(), &mut passed, &mut run);
        if inputs.len() == 0 || self.bench.control().is_stopped() {
            self.shared.inputs.put(inputs.into_spare());
        } else {
            passed.iter_mut().for_each(|(before, _)| *before -= run.begun);
            let ticket = ticket.split_off(inputs.len() + passed.len());
            let rest = Batch { first: run.index(), inputs, passed, ticket };
            rest.split(self.shared.workers).for_each(|part| ctx.address().do_send(part));
        }

        let busy = began.elapsed();
        self.bench.meter().end(busy, run.begun);
        ticket.record(run.begun - run.failed - run.given_up, run.failed + run.passed, run.begun, busy);
        let Run { outputs, failures, .. } = run;
        let items = ticket.items();
        let chunk = Chunk::new(outputs, failures, Arc::clone(&self.shared.outputs), ticket);
        // If the aggregator is gone, the outcomes are dropped here, which settles their ticket.
        self.shared.aggregator.do_send(Outcomes { first, items, chunk });
    }
}
