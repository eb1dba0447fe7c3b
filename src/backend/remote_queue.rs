//! The queue of a pipeline whose workers are elsewhere.

use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::backend::Post;
use crate::engine::batch::Batch;
use crate::pipeline::intake::Serves;

/// What the coordinator is told.
pub(crate) enum Command<I> {
    Batch(Batch<I>),
    /// No more batches come.
    Ended,
    /// The run was stopped.
    Stop,
}

/// Takes batches for the coordinator. It is bounded by the window: each batch in it has its permit.
pub(crate) struct RemoteQueue<I>(UnboundedSender<Command<I>>);

/// Tells the coordinator that the run was stopped.
pub(crate) struct StopBell<I>(UnboundedSender<Command<I>>);

pub(crate) type Commands<I> = UnboundedReceiver<Command<I>>;

/// A queue, what stops it, and its other end.
pub(crate) fn remote_queue<I>() -> (RemoteQueue<I>, Arc<StopBell<I>>, Commands<I>) {
    let (sender, commands) = unbounded_channel();
    (RemoteQueue(sender.clone()), Arc::new(StopBell(sender)), commands)
}

impl<I> Post<Batch<I>> for RemoteQueue<I> {
    fn post(&self, batch: Batch<I>) {
        // If the coordinator is gone the batch is dropped, and its permit ends its items.
        drop(self.0.send(Command::Batch(batch)));
    }
}

impl<I> Drop for RemoteQueue<I> {
    fn drop(&mut self) {
        drop(self.0.send(Command::Ended));
    }
}

impl<I: Send> Serves for StopBell<I> {
    fn stop(&self) {
        drop(self.0.send(Command::Stop));
    }

    // The protocol alone decides how many batches leave, and no results leave before their items have ended.
    fn set_window(&self, _: usize) {}
    fn resume(&self) {}
    fn set_concurrency(&self, _: usize) {}
}
