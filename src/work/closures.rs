//! The works behind `map`, `try_map`, `filter_map` and `flat_map`: one closure, shared by all workers.

use std::sync::Arc;

use crate::error::BoxError;
use crate::util::clock::CLOCK;
use crate::work::turn::{Turn, Turns};
use crate::work::{Job, Work};

/// After this time, by the coarse clock, the results leave that are there.
pub(crate) const CHUNK_NANOS: u64 = 1_000_000;

/// A factory of works that share one closure: `work` is the constructor of one of the types below.
pub(crate) fn sharing<F, W>(f: F, work: fn(Arc<F>) -> W) -> impl Fn() -> W + Send + Sync + 'static
where
    F: Send + Sync + 'static,
    W: 'static,
{
    let f = Arc::new(f);
    move || work(Arc::clone(&f))
}

pub(crate) struct Map<F>(pub(crate) Arc<F>);

impl<I, O, F> Work<I> for Map<F>
where
    F: Fn(I) -> O + Send + Sync + 'static,
    O: Send + 'static,
{
    type Output = O;

    #[inline]
    fn run(&mut self, input: I, job: &mut Job<'_, O>) -> Result<(), BoxError> {
        job.emit((self.0)(input));
        Ok(())
    }
}

pub(crate) struct TryMap<F>(pub(crate) Arc<F>);

impl<I, O, E, F> Work<I> for TryMap<F>
where
    F: Fn(I) -> Result<O, E> + Send + Sync + 'static,
    O: Send + 'static,
    E: Into<BoxError>,
{
    type Output = O;

    #[inline]
    fn run(&mut self, input: I, job: &mut Job<'_, O>) -> Result<(), BoxError> {
        job.emit((self.0)(input).map_err(Into::into)?);
        Ok(())
    }
}

pub(crate) struct FilterMap<F>(pub(crate) Arc<F>);

impl<I, O, F> Work<I> for FilterMap<F>
where
    F: Fn(I) -> Option<O> + Send + Sync + 'static,
    O: Send + 'static,
{
    type Output = O;

    #[inline]
    fn run(&mut self, input: I, job: &mut Job<'_, O>) -> Result<(), BoxError> {
        if let Some(output) = (self.0)(input) {
            job.emit(output);
        }
        Ok(())
    }
}

/// A lazy iterator per item: the item is suspended when a chunk of results is there.
pub(crate) struct FlatMap<F, C> {
    pub(crate) f: Arc<F>,
    /// Tells how many results leave together, now.
    pub(crate) chunk: C,
    /// After how long, by the coarse clock, they leave.
    pub(crate) nanos: u64,
}

/// An item of [`FlatMap`].
pub(crate) enum Lazy<I, T> {
    New(I),
    /// The rest of its results.
    Rest(Box<T>),
}

impl<I, T, F, C> Turns<Lazy<I, T::IntoIter>> for FlatMap<F, C>
where
    I: 'static,
    C: Fn() -> usize + Send + 'static,
    F: Fn(I) -> T + Send + Sync + 'static,
    T: IntoIterator<Item: Send + 'static> + 'static,
{
    type Output = T::Item;

    #[inline]
    fn turn(
        &mut self,
        input: Lazy<I, T::IntoIter>,
        job: &mut Job<'_, T::Item>,
    ) -> Result<Turn<Lazy<I, T::IntoIter>>, BoxError> {
        let due = CLOCK.coarse().saturating_add(self.nanos);
        match input {
            Lazy::New(input) => {
                let mut results = (self.f)(input).into_iter();
                if job.emit_some(&mut results, (self.chunk)(), due) {
                    return Ok(Turn::Ended);
                }
                Ok(Turn::Suspended(Lazy::Rest(Box::new(results))))
            }
            Lazy::Rest(mut results) => {
                if job.emit_some(&mut results, (self.chunk)(), due) {
                    return Ok(Turn::Ended);
                }
                Ok(Turn::Suspended(Lazy::Rest(results)))
            }
        }
    }

    #[cfg(feature = "testing")]
    fn has_begun(input: &Lazy<I, T::IntoIter>) -> bool {
        matches!(input, Lazy::Rest(_))
    }
}
