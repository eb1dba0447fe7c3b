//! A batch at a worker's bench.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::batch::{Batch, Chunk, Inputs, Outcomes, Passed, Spares};
use crate::engine::executor::Workbench;
use crate::engine::permit::Permit;
use crate::engine::run::Run;
use crate::util::panic::discard_all;
use crate::util::time_slice::Slice;
use crate::work::Work;

/// A batch from the moment a worker took it to the moment its outcomes are sent on.
pub(crate) struct Running<I, O> {
    inputs: Inputs<I>,
    passed: Passed,
    permit: Permit,
    first: u64,
    run: Run<O>,
}

impl<I, O: 'static> Running<I, O> {
    /// Its results go into `outputs`.
    pub(crate) fn begin(Batch { first, inputs, passed, permit }: Batch<I>, outputs: Vec<O>) -> Self {
        Self { inputs, passed, permit, first, run: Run::new(first, outputs) }
    }

    /// Runs as many items as `slice` grants, at least one. False, without having run any: the batch has ended, the
    /// pipeline was stopped, no work can be built, or the slice is spent.
    #[inline]
    pub(crate) fn step<W>(&mut self, bench: &mut Workbench<W>, slice: &mut Slice) -> bool
    where
        W: Work<I, Output = O>,
    {
        let Self { inputs, passed, run, .. } = self;
        while let Some((before, _)) = passed.front()
            && *before == run.begun
        {
            run.pass(passed.pop_front().expect("it was just seen").1);
        }
        if inputs.len() == 0 || bench.owner().state.is_stopped() || slice.is_spent() || !bench.build() {
            return false;
        }
        let until_passed = passed.front().map_or(inputs.len(), |(before, _)| before - run.begun);
        let mut stretch = slice.grant(until_passed - 1);
        // And the one that it was asked for.
        stretch.steps += 1;
        bench.run(stretch, inputs.queue(), run, None);
        true
    }

    /// Gives back what has not begun, in at most `parts`, unless the pipeline was stopped, which skips it. Memory that nobody
    /// needs any more goes to `spares`.
    pub(crate) fn give_back(
        &mut self,
        parts: usize,
        spares: &Spares<I>,
    ) -> Option<impl Iterator<Item = Batch<I>> + use<I, O>> {
        if self.inputs.len() == 0 || self.permit.is_stopped() {
            spares.put(mem::take(&mut self.inputs).into_spare());
            return None;
        }
        let (inputs, mut passed) = (mem::take(&mut self.inputs), mem::take(&mut self.passed));
        passed.iter_mut().for_each(|(before, _)| *before -= self.run.begun);
        let permit = self.permit.split_off(inputs.len() + passed.len());
        Some(Batch { first: self.run.index(), inputs, passed, permit }.split(parts))
    }

    /// Items of which the work began.
    pub(crate) fn begun(&self) -> usize {
        self.run.begun
    }

    /// Its outcomes, after it kept the worker busy for `busy`. What has not begun is skipped. Results that no consumer will
    /// take are dropped here: elsewhere that would keep an arbiter.
    pub(crate) fn end(self, busy: Duration, outputs: &Arc<Spares<O>>) -> Outcomes<O> {
        let Self { mut permit, first, mut run, .. } = self;
        permit.record(run.begun - run.failed - run.given_up, run.failed + run.passed, run.begun, busy);
        if permit.is_abandoned() {
            discard_all(run.outputs.drain(..));
            discard_all(run.failures.drain(..));
            outputs.put(mem::take(&mut run.outputs));
        }
        let items = permit.items();
        let chunk = Chunk::new(run.outputs, run.failures, Arc::clone(outputs), permit);
        Outcomes { first, items, chunk }
    }
}
