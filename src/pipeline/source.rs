//! Where items come from: any iterator, any stream, through one door.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::Stream;

use crate::error::{BoxError, ItemError};

/// What can be fanned out: every [`IntoIterator`] and every [`Stream`].
///
/// `Kind` tells the two apart and is inferred. Use it through [`FanOutExt`](crate::FanOutExt). It can't be implemented
/// for other types: what is to be fanned out implements one of those two.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be fanned out",
    label = "neither an iterator nor a stream, or not `'static`"
)]
pub trait Source<Kind>: sealed::Sealed<Kind> {
    /// What the source yields.
    type Item;
    /// The source as the pipeline takes it.
    type Stream: Stream<Item = Result<Self::Item, ItemError>> + Unpin + 'static;

    /// Makes it a stream.
    fn into_source(self) -> Self::Stream;
}

/// The kind of a [`Source`] that is an iterator.
#[derive(Debug)]
pub enum Iterated {}

/// The kind of a [`Source`] that is a stream.
#[derive(Debug)]
pub enum Streamed {}

impl<I> Source<Iterated> for I
where
    I: IntoIterator<IntoIter: 'static>,
{
    type Item = I::Item;
    type Stream = IteratorSource<I::IntoIter>;

    fn into_source(self) -> Self::Stream {
        IteratorSource(self.into_iter())
    }
}

impl<S> Source<Streamed> for S
where
    S: Stream + 'static,
{
    type Item = S::Item;
    type Stream = StreamSource<S>;

    fn into_source(self) -> Self::Stream {
        StreamSource(Box::pin(self))
    }
}

mod sealed {
    /// Keeps implementations outside of this crate from breaking with each change to [`Source`](super::Source): there
    /// are none.
    pub trait Sealed<Kind> {}
}

impl<I: IntoIterator<IntoIter: 'static>> sealed::Sealed<Iterated> for I {}

impl<S: Stream + 'static> sealed::Sealed<Streamed> for S {}

/// An iterator as a source.
#[derive(Debug)]
pub struct IteratorSource<I>(I);

// The iterator is never pinned.
impl<I> Unpin for IteratorSource<I> {}

impl<I: Iterator> Stream for IteratorSource<I> {
    type Item = Result<I::Item, ItemError>;

    #[inline]
    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.next().map(Ok))
    }
}

/// A stream as a source.
#[derive(Debug)]
pub struct StreamSource<S>(Pin<Box<S>>);

impl<S: Stream> Stream for StreamSource<S> {
    type Item = Result<S::Item, ItemError>;

    #[inline]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(cx).map(|item| item.map(Ok))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

/// A stream of results as a source.
#[derive(Debug)]
pub struct TrySource<S> {
    stream: Pin<Box<S>>,
    index: u64,
}

impl<S> TrySource<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream: Box::pin(stream), index: 0 }
    }
}

impl<S, I, E> Stream for TrySource<S>
where
    S: Stream<Item = Result<I, E>>,
    E: Into<BoxError>,
{
    type Item = Result<I, ItemError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let item = std::task::ready!(self.stream.as_mut().poll_next(cx));
        let index = self.index;
        self.index += 1;
        Poll::Ready(item.map(|result| result.map_err(|error| failure(index, error.into()))))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.stream.size_hint()
    }
}

/// A source that can be sent to another thread. That is known of its type where this is made, and not where it is used:
/// the pipeline's start is the same for all sources.
pub(crate) struct Sendable<S>(Box<dyn Held<S> + Send>);

/// What is in a [`Sendable`]: a source.
trait Held<S> {
    fn source(&mut self) -> &mut S;
}

impl<S> Held<S> for S {
    #[inline]
    fn source(&mut self) -> &mut S {
        self
    }
}

impl<S: Send + 'static> Sendable<S> {
    pub(crate) fn new(source: S) -> Self {
        Self(Box::new(source))
    }
}

impl<S: Stream + Unpin> Stream for Sendable<S> {
    type Item = S::Item;

    #[inline]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let source: &mut S = (*self.0).source();
        Pin::new(source).poll_next(cx)
    }
}

/// A failure of an earlier stage stays what it is.
fn failure(index: u64, error: BoxError) -> ItemError {
    match error.downcast::<ItemError>() {
        Ok(failure) => *failure,
        Err(error) => ItemError::source_failed(index, error),
    }
}
