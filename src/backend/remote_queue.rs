//! The queue of a pipeline whose workers are elsewhere, and what tells its coordinator of a stop.

use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::backend::Post;
use crate::engine::batch::Batch;
use crate::pipeline::intake::Serves;

/// Takes batches for the coordinator, until it is dropped: then no more come. It is bounded by the window: each batch in it
/// has its permit.
pub(crate) struct RemoteQueue<I>(UnboundedSender<Batch<I>>);

/// The other end.
pub(crate) type Batches<I> = UnboundedReceiver<Batch<I>>;

/// Tells the coordinator that the run was stopped.
#[derive(Default)]
pub(crate) struct StopSignal(Notify);

/// A queue, and its other end.
pub(crate) fn remote_queue<I>() -> (RemoteQueue<I>, Batches<I>) {
    let (sender, batches) = unbounded_channel();
    (RemoteQueue(sender), batches)
}

impl<I> Post<Batch<I>> for RemoteQueue<I> {
    fn post(&self, batch: Batch<I>) {
        // If the coordinator is gone the batch is dropped, and its permit ends its items.
        drop(self.0.send(batch));
    }
}

impl StopSignal {
    /// Ready if the run was stopped since the last time.
    pub(crate) async fn wait(&self) {
        self.0.notified().await;
    }
}

impl Serves for StopSignal {
    fn stop(&self) {
        self.0.notify_one();
    }

    // The protocol alone decides how many batches leave, and no results leave before their items have ended.
    fn set_window(&self, _: usize) {}
    fn resume(&self) {}
    fn set_concurrency(&self, _: usize) {}
}
