//! Where items come from: any iterator, any stream, through one door.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::Stream;

use crate::error::{BoxError, ItemError};
use crate::pipeline::fan_out::FanOut;

/// What can be fanned out: every [`IntoIterator`] and every [`Stream`].
///
/// `Kind` tells the two apart and is inferred. Use it through [`FanOutExt`]; there is nothing to implement.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be fanned out",
    label = "neither an iterator nor a stream, or not `'static`"
)]
pub trait Source<Kind> {
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

/// Starts a fan-out from any source.
pub trait FanOutExt {
    /// Fans the items of an iterator or a stream out: see [`FanOut`], which says over how many workers and so on.
    ///
    /// The source is polled on the arbiter where the pipeline is started, and need not be `Send`. An iterator that may
    /// block (a file, standard input, a slow computation) belongs into [`blocking`](crate::blocking()), which runs it on a
    /// thread of its own. An endless source is fine.
    ///
    /// ```
    /// use actix_fan::FanOutExt;
    /// use futures::{StreamExt, stream};
    ///
    /// # actix::System::new().block_on(async {
    /// let from_an_iterator = (1..=10u32).fan_out().map(|n| n * n)?;
    /// let from_a_stream = stream::iter(1..=10u32).fan_out().map(|n| n * n)?;
    /// assert_eq!(from_an_iterator.count().await + from_a_stream.count().await, 20);
    /// # Ok::<(), actix_fan::StartError>(())
    /// # }).unwrap();
    /// ```
    fn fan_out<K>(self) -> FanOut<<Self as Source<K>>::Stream>
    where
        Self: Source<K> + Sized,
    {
        FanOut::new(self.into_source())
    }

    /// Fans the good items of a stream of results out. An error takes its item's place: it goes past the work to the
    /// consumer, as an [`ItemError`], in order if that was asked for.
    ///
    /// The [`FanIn`](crate::FanIn) of an earlier stage does this by itself; here is the same for a stream made from one,
    /// and for any stream of results.
    ///
    /// ```
    /// use actix_fan::FanOutExt;
    /// use futures::{StreamExt, stream};
    ///
    /// # actix::System::new().block_on(async {
    /// let words = stream::iter(["1", "x", "3"].map(str::parse::<u32>));
    /// let mut squares = words.try_fan_out().ordered().map(|n| n * n)?;
    /// assert_eq!(squares.next().await.unwrap()?, 1);
    /// assert_eq!(squares.next().await.unwrap().unwrap_err().to_string(), "the source failed at item 1");
    /// assert_eq!(squares.next().await.unwrap()?, 9);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    fn try_fan_out<I, E>(self) -> FanOut<TrySource<Self>>
    where
        Self: Stream<Item = Result<I, E>> + Sized + 'static,
        E: Into<BoxError>,
    {
        FanOut::new(TrySource { stream: Box::pin(self), index: 0 })
    }
}

impl<T> FanOutExt for T {}

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

/// A failure of an earlier stage stays what it is.
fn failure(index: u64, error: BoxError) -> ItemError {
    match error.downcast::<ItemError>() {
        Ok(failure) => *failure,
        Err(error) => ItemError::source_failed(index, error),
    }
}
