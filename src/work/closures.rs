//! The works behind `map`, `try_map`, `filter_map` and `flat_map`: one closure, shared by all workers.

use std::sync::Arc;

use crate::error::BoxError;
use crate::work::{Job, Work};

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

pub(crate) struct FlatMap<F>(pub(crate) Arc<F>);

impl<I, T, F> Work<I> for FlatMap<F>
where
    F: Fn(I) -> T + Send + Sync + 'static,
    T: IntoIterator<Item: Send + 'static>,
{
    type Output = T::Item;

    #[inline]
    fn run(&mut self, input: I, job: &mut Job<'_, T::Item>) -> Result<(), BoxError> {
        Ok(job.emit_all((self.0)(input))?)
    }
}
