//! Items whose creations and drops are counted.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread::panicking;

use crate::work::inject;

/// Counts the tokens of a round.
#[derive(Default)]
pub(crate) struct Census {
    created: AtomicU64,
    dropped: AtomicU64,
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
