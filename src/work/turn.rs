//! What the engine runs on an item: a turn. A [`Work`] ends each item in one turn. A lazy iterator takes one turn per
//! chunk of results, maybe on another thread each time.

use crate::error::BoxError;
use crate::work::{Job, Work};

/// What the engine runs on items.
pub(crate) trait Turns<I>: 'static {
    type Output: Send + 'static;

    /// Runs the item until it ends or is suspended. What it emitted then leaves.
    ///
    /// # Errors
    ///
    /// As [`Work::run`].
    fn turn(&mut self, input: I, job: &mut Job<'_, Self::Output>) -> Result<Turn<I>, BoxError>;

    /// Returns true if the item has begun in an earlier turn.
    #[cfg(feature = "testing")]
    fn has_begun(_input: &I) -> bool {
        false
    }
}

/// How a turn ended.
pub(crate) enum Turn<I> {
    Ended,
    /// The rest of the item goes on in another turn.
    Suspended(I),
}

/// A work, which ends each item in one turn.
pub(crate) struct Whole<W>(pub(crate) W);

impl<I, W: Work<I>> Turns<I> for Whole<W> {
    type Output = W::Output;

    #[inline]
    fn turn(&mut self, input: I, job: &mut Job<'_, W::Output>) -> Result<Turn<I>, BoxError> {
        self.0.run(input, job).map(|()| Turn::Ended)
    }
}
