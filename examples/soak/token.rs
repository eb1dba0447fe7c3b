//! Items and works whose creations and drops are counted.

use std::marker::PhantomData;
use std::mem;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread::{self, ThreadId, panicking};

use crate::work::inject;

/// Counts the tokens of a round, and the residents.
#[derive(Default)]
pub(crate) struct Census {
    created: AtomicU64,
    dropped: AtomicU64,
    /// Residents that were used or dropped on another thread.
    strayed: AtomicU64,
}

impl Census {
    pub(crate) fn created(&self) -> u64 {
        self.created.load(SeqCst)
    }

    pub(crate) fn alive(&self) -> u64 {
        // Read in this order: otherwise a token that is created and dropped in between would count as dropped only.
        let dropped = self.dropped.load(SeqCst);
        self.created().saturating_sub(dropped)
    }

    pub(crate) fn strayed(&self) -> u64 {
        self.strayed.load(SeqCst)
    }
}

/// An item, or the part of a result that stands for it. It counts its creation and its drop.
pub(crate) struct Token {
    pub(crate) id: u64,
    armed: bool,
    _ballast: Vec<u8>,
    census: Arc<Census>,
}

impl Token {
    /// An `armed` token panics when it is dropped before it was defused.
    pub(crate) fn new(id: u64, armed: bool, ballast: usize, census: &Arc<Census>) -> Self {
        census.created.fetch_add(1, SeqCst);
        // Not zeroes: the allocator would not touch the memory.
        Self { id, armed, _ballast: vec![id as u8 | 1; ballast], census: Arc::clone(census) }
    }

    /// Another token of the same item.
    pub(crate) fn sibling(&self) -> Self {
        Self::new(self.id, false, 0, &self.census)
    }

    pub(crate) fn defuse(&mut self) -> bool {
        mem::take(&mut self.armed)
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.census.dropped.fetch_add(1, SeqCst);
        if self.armed && !panicking() {
            inject(self.id);
        }
    }
}

/// One of the results of an item.
pub(crate) struct Made {
    pub(crate) token: Token,
    pub(crate) part: u8,
    pub(crate) value: u64,
}

/// The next stage takes results as its items.
impl From<Made> for Token {
    fn from(made: Made) -> Self {
        made.token
    }
}

/// A part of a work, which is not `Send`: it is used and dropped on the thread that built it.
pub(crate) struct Resident {
    home: ThreadId,
    census: Arc<Census>,
    not_send: PhantomData<Rc<()>>,
}

impl Resident {
    pub(crate) fn new(census: &Arc<Census>) -> Self {
        census.created.fetch_add(1, SeqCst);
        Self { home: thread::current().id(), census: Arc::clone(census), not_send: PhantomData }
    }

    pub(crate) fn is_used(&self) {
        self.census.strayed.fetch_add(u64::from(thread::current().id() != self.home), SeqCst);
    }
}

impl Drop for Resident {
    fn drop(&mut self) {
        self.is_used();
        self.census.dropped.fetch_add(1, SeqCst);
    }
}
