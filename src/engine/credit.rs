//! How many results have left the workers, and were not taken by the consumer.
//!
//! The window bounds the items in flight. Where an item may have any number of results, these are bounded as well: a
//! batch whose lazy iterators have too many results ahead of the consumer is parked, in the middle of an item if need
//! be, and goes on when results were taken.
//!
//! While there is no room for results, no batch is handed out, and none is shared: so what may be held beyond the bound
//! is a few chunks for each batch that is queued or runs.
//!
//! A batch may go on while none of its own results wait, however many there are of others. So two batches never wait for
//! each other, also where the results of the one are held back for order until the other has ended.

use std::sync::{Arc, OnceLock, Weak};

use crate::util::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// How many bytes of results leave together, if there are so many.
const CHUNK_BYTES: usize = 256 * 1024;
const CHUNK_MIN: usize = if cfg!(all(test, shuttle)) { 1 } else { 16 };
const CHUNK_MAX: usize = 32_768;

/// The results of a pipeline that have left the workers, and were not taken: all of them where items have any number of
/// results, otherwise those that left before their item had ended.
pub(crate) struct Credit {
    held: AtomicUsize,
    /// While so many are held, no batch is handed out, and one that runs goes on only when its own were taken. It follows
    /// the window.
    most: AtomicUsize,
    /// How many results leave together.
    chunk: ChunkSize,
    /// Of one result.
    bytes: usize,
    parking: OnceLock<Weak<dyn Parking>>,
}

/// How many results leave together. It changes with the window.
#[derive(Clone)]
pub(crate) struct ChunkSize(Arc<std::sync::atomic::AtomicUsize>);

impl ChunkSize {
    fn of(bytes: usize, most: usize) -> usize {
        (CHUNK_BYTES / bytes.max(1)).min(most / 2).clamp(CHUNK_MIN, CHUNK_MAX)
    }

    #[inline]
    pub(crate) fn get(&self) -> usize {
        // `Relaxed`: a chunk of the size before is as good.
        self.0.load(std::sync::atomic::Ordering::Relaxed)
    }
}

/// Where batches wait until results are taken.
pub(crate) trait Parking: Send + Sync {
    /// Results were taken. Lets a batch go on, if one waits that may, and others come.
    fn resume(&self);
}

/// The results of one batch that have left, and were not taken.
pub(crate) struct BatchCredit {
    credit: Arc<Credit>,
    held: AtomicUsize,
}

/// Results on their way to the consumer. Dropping it gives their credit back.
pub(crate) struct Held {
    results: usize,
    credit: Arc<Credit>,
    /// Their batch, if it goes on.
    batch: Option<Arc<BatchCredit>>,
}

impl Credit {
    /// For results of `bytes` each, of which about `most` may be held.
    pub(crate) fn new(bytes: usize, most: usize) -> Arc<Self> {
        let chunk = ChunkSize(Arc::new(ChunkSize::of(bytes, most).into()));
        let (held, most) = (AtomicUsize::new(0), AtomicUsize::new(most));
        Arc::new(Self { held, most, chunk, bytes, parking: OnceLock::new() })
    }

    /// About `most` results may be held from now on. If that is more than before, batches that are parked may go on.
    pub(crate) fn set_most(&self, most: usize) {
        self.chunk.0.store(ChunkSize::of(self.bytes, most), std::sync::atomic::Ordering::Relaxed);
        self.most.store(most, SeqCst);
    }

    /// Batches wait there.
    pub(crate) fn park_at(&self, parking: Weak<dyn Parking>) {
        let _ = self.parking.set(parking);
    }

    /// How many results leave together.
    #[inline]
    pub(crate) fn chunk(&self) -> usize {
        self.chunk.get()
    }

    /// [`chunk`](Self::chunk), for a work that asks for it.
    pub(crate) fn chunk_size(&self) -> ChunkSize {
        self.chunk.clone()
    }

    /// Returns true if fewer results are held than may be.
    pub(crate) fn has_room(&self) -> bool {
        self.held.load(SeqCst) < self.most.load(SeqCst)
    }

    #[cfg(feature = "testing")]
    pub(crate) fn held(&self) -> usize {
        self.held.load(SeqCst)
    }

    /// A batch begins, of which results may leave before it ends.
    pub(crate) fn of_batch(self: &Arc<Self>) -> Arc<BatchCredit> {
        Arc::new(BatchCredit { credit: Arc::clone(self), held: AtomicUsize::new(0) })
    }

    /// Results leave, of a `batch` that goes on or of one that has ended.
    pub(crate) fn hold(self: &Arc<Self>, results: usize, batch: Option<Arc<BatchCredit>>) -> Held {
        self.held.fetch_add(results, SeqCst);
        if let Some(batch) = &batch {
            batch.held.fetch_add(results, SeqCst);
        }
        Held { results, credit: Arc::clone(self), batch }
    }
}

impl BatchCredit {
    /// Returns true if the batch need not wait until more results are taken.
    pub(crate) fn may_go_on(&self) -> bool {
        let held = self.held.load(SeqCst);
        // A chunk is made while the one before is taken.
        held == 0 || held <= self.credit.chunk() && self.credit.has_room()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.credit.held.fetch_sub(self.results, SeqCst);
        if let Some(batch) = &self.batch {
            batch.held.fetch_sub(self.results, SeqCst);
        }
        // Afterwards: a batch that is parked in between finds these results taken.
        if let Some(parking) = self.credit.parking.get().and_then(Weak::upgrade) {
            parking.resume();
        }
    }
}
