//! What the workers of a pipeline do with a batch, whether they are threads or simulated.

use std::sync::Arc;
use std::time::Instant;

use actix::Recipient;

use crate::backend::Post;
use crate::engine::batch::Batch;
use crate::engine::batch_run::{BatchRun, EndedBatch, Part, Portion};
use crate::engine::chunk::Outcomes;
use crate::engine::credit::{BatchCredit, Credit};
use crate::engine::executor::{Executor, Factory};
use crate::util::buffer_pool::BufferPool;
use crate::work::turn::Turns;

/// What the workers share. Their outcomes are sent to `A`.
pub(crate) struct Shared<I, W: Turns<I>, A = Recipient<Outcomes<<W as Turns<I>>::Output>>> {
    pub(crate) factory: Arc<Factory<W>>,
    /// True if other workers may take a part of a batch that runs, and its results may leave before it ends.
    pub(crate) divides: bool,
    /// Of the results that leave before their item has ended.
    pub(crate) credit: Arc<Credit>,
    /// True if the results of items that have ended count as well: an item has any number of them.
    pub(crate) counts_all: bool,
    pub(crate) aggregator: A,
    pub(crate) inputs: Arc<BufferPool<I>>,
    pub(crate) outputs: Arc<BufferPool<W::Output>>,
}

impl<I, W: Turns<I>, A: Post<Outcomes<W::Output>>> Shared<I, W, A> {
    /// Begins a batch; portions and `end` are to follow.
    pub(crate) fn begin(&self, executor: &Executor<W>, mut batch: Batch<I>, now: Instant) -> BatchRun<I, W::Output> {
        if self.counts_all {
            batch.credit.get_or_insert_with(|| self.credit.of_batch());
        }
        BatchRun::begin(executor, batch, self.outputs.get(), now)
    }

    /// Takes out what has ended, if there are results. To be [sent](Self::send).
    pub(crate) fn deliver(&self, running: &mut BatchRun<I, W::Output>) -> Leaving<I, W::Output> {
        let ended = if running.undelivered() > 0 { running.deliver(self.outputs.get()) } else { None };
        Leaving { ended, part: None, credit: running.credit().cloned() }
    }

    /// Sends results on. Without a consumer they are dropped here: not to be called under a lock. Returns true if there
    /// were any.
    pub(crate) fn send(&self, leaving: Leaving<I, W::Output>) -> bool {
        let Leaving { ended, part, credit } = leaving;
        let leaves = ended.is_some() || part.is_some();
        if let Some(ended) = ended {
            self.aggregator.post(self.outcomes(ended, credit.clone()));
        }
        if let Some(part) = part {
            self.aggregator.post(part.into_outcomes(&self.outputs, &self.credit, credit));
        }
        leaves
    }

    /// Returns true if a worker may take a part of a batch that another one runs.
    pub(crate) fn may_share(&self) -> bool {
        // Each part may have results of its own.
        self.divides && (!self.counts_all || self.credit.has_room())
    }

    /// How many results leave together, at the latest.
    pub(crate) fn chunk(&self) -> usize {
        if self.counts_all { self.credit.chunk() } else { usize::MAX }
    }

    /// Merges a portion that has run. If its last item was suspended, what has ended before that leaves, and a part of
    /// its results.
    pub(crate) fn settle(
        &self,
        running: &mut BatchRun<I, W::Output>,
        portion: &mut Portion<I, W::Output>,
    ) -> Leaving<I, W::Output> {
        match running.suspend(portion, || self.outputs.get()) {
            Some((ended, part)) => Leaving { ended, part, credit: running.credit().cloned() },
            None => {
                running.merge(portion);
                Leaving::nothing()
            }
        }
    }

    /// What has ended of a batch, as outcomes; `credit` is that of the batch if it goes on.
    fn outcomes(&self, ended: EndedBatch<I, W::Output>, credit: Option<Arc<BatchCredit>>) -> Outcomes<W::Output> {
        let mut outcomes = ended.into_outcomes(&self.inputs, &self.outputs);
        if self.counts_all {
            outcomes.chunk = outcomes.chunk.counted(&self.credit, credit);
        }
        outcomes
    }

    /// Ends the batch.
    pub(crate) fn end(&self, running: BatchRun<I, W::Output>, executor: &Executor<W>, now: Instant) {
        let mut outcomes = self.outcomes(running.end(executor, now), None);
        outcomes.chunk.permit.end();
        // All of its items may have left before, with their results or to other workers.
        if outcomes.items > 0 {
            // If the aggregator is gone, the outcomes are dropped here, which releases their permit.
            self.aggregator.post(outcomes);
        }
    }
}

/// Results that leave a batch which goes on: taken out under its lock, and sent afterwards.
pub(crate) struct Leaving<I, O> {
    ended: Option<EndedBatch<I, O>>,
    /// Of the item behind those.
    pub(super) part: Option<Part<O>>,
    /// Of the batch.
    credit: Option<Arc<BatchCredit>>,
}

impl<I, O> Leaving<I, O> {
    pub(super) fn nothing() -> Self {
        Self { ended: None, part: None, credit: None }
    }

    pub(crate) fn is_nothing(&self) -> bool {
        self.ended.is_none() && self.part.is_none()
    }
}
