//! Whether an item is to go on.

use crate::engine::state::State;

/// Whoever waits for one item, and may leave.
pub(crate) trait Waits: Sync {
    /// Nobody waits for the result any more.
    fn is_gone(&self) -> bool;
}

/// What is asked before an item begins, and what the item can ask while it runs.
#[derive(Clone, Copy)]
pub(crate) struct Halt<'a> {
    state: &'a State,
    /// Whoever waits for this item alone; in a pipeline, nobody does.
    own: Option<&'a dyn Waits>,
}

impl<'a> Halt<'a> {
    #[inline]
    pub(crate) fn new(state: &'a State, own: Option<&'a dyn Waits>) -> Self {
        Self { state, own }
    }

    #[inline]
    pub(crate) fn is_stopped(&self) -> bool {
        self.state.is_stopped() || self.own.is_some_and(Waits::is_gone)
    }
}
