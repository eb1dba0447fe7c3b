//! How the parts of a pipeline are put together, whatever carries messages between them: actors' mailboxes, or what
//! stands in for these in a simulation and in the tests that shuttle orders.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::engine::chunk::Chunk;
use crate::engine::credit::Credit;
use crate::engine::executor::Factory;
use crate::engine::host::Host;
use crate::engine::run::Run;
use crate::engine::settings::Checked;
use crate::pipeline::aggregator::Aggregator;
use crate::pipeline::feed::Feed;
use crate::pipeline::intake::SourceIntake;
use crate::pipeline::receiver::Receiver;
use crate::pipeline::worker::Shared;
use crate::protocol::bytes_of;
use crate::util::buffer_pool::BufferPool;
use crate::util::time_slice::TimeSlice;
use crate::work::turn::Turns;

/// What an item in flight takes, in bytes: it is its input first and its output then.
pub(crate) fn item_bytes<I, O>() -> usize {
    bytes_of::<I>().max(bytes_of::<O>())
}

/// A pipeline whose parts are being made. They are asked for in the order in which they need each other's addresses.
pub(crate) struct Assembly<I, O> {
    pub(crate) run: Run,
    pub(crate) intake: Arc<SourceIntake>,
    workers: usize,
    divides: bool,
    credit: Arc<Credit>,
    slice: Duration,
    inputs: Arc<BufferPool<I>>,
    stream: UnboundedReceiver<Chunk<O>>,
}

impl<I, O: Send + 'static> Assembly<I, O> {
    /// Returns the aggregator as well, since all the others send to it. `slice` is how long a part may keep its thread.
    pub(crate) fn new(
        checked: &Checked,
        ordered: bool,
        host: Option<&Host>,
        upstream: Vec<Run>,
        slice: Duration,
    ) -> (Self, Aggregator<O>) {
        let workers = checked.concurrency;
        let intake = SourceIntake::new(checked.core(item_bytes::<I, O>(), host), upstream);
        let run = intake.run();
        let (chunks, stream) = unbounded_channel();
        let aggregator = Aggregator::new(&run, chunks, ordered, TimeSlice::new(slice));
        // As many results may leave before their item has ended as items may be in flight.
        let credit = Credit::new(bytes_of::<O>(), checked.window);
        // One pool for both ends: the workers put the buffers of batches in from which the feed takes them.
        let inputs = Arc::new(BufferPool::new(workers));
        (Self { run, intake, workers, divides: checked.batch.divides(), credit, slice, inputs, stream }, aggregator)
    }

    /// What the workers share.
    pub(crate) fn shared<W, A>(&self, factory: Arc<Factory<W>>, aggregator: A) -> Shared<I, W, A>
    where
        W: Turns<I, Output = O>,
    {
        Shared {
            factory,
            divides: self.divides,
            credit: Arc::clone(&self.credit),
            counts_all: false,
            aggregator,
            inputs: Arc::clone(&self.inputs),
            outputs: Arc::new(BufferPool::new(self.workers)),
        }
    }

    /// Of the results that are counted.
    pub(crate) fn credit(&self) -> &Arc<Credit> {
        &self.credit
    }

    /// The feed, which sends batches to `queue`, and their end to `aggregator`.
    pub(crate) fn feed<S, Q, A>(&self, source: S, queue: Q, aggregator: A) -> Feed<S, I, Q, A> {
        Feed::new(
            &self.intake,
            Arc::clone(&self.credit),
            source,
            queue,
            aggregator,
            Arc::clone(&self.inputs),
            TimeSlice::new(self.slice),
        )
    }

    /// The receiver, last: dropping it abandons the run.
    pub(crate) fn receiver(self) -> Receiver<O> {
        Receiver::new(self.run, self.stream, TimeSlice::new(self.slice))
    }
}
