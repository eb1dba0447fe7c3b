//! Iterators that may block, on threads of their own.

use std::fmt;
use std::io;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::thread;

use futures::Stream;
use tokio::sync::{Semaphore, mpsc};

use crate::util::panic::{catch, discard};
use crate::util::waker::CaughtWaker;

/// How many items may wait between the thread and the pipeline.
const BUFFER: usize = 256;

/// Runs an iterator that may block on a thread of its own, as a stream.
///
/// At most 256 items wait for the consumer, and the thread holds one more. Each item can be taken as soon as the
/// iterator has yielded it. After the stream was dropped, the thread ends with the iterator's next item: if the
/// iterator blocks forever, as a read from a terminal may, its thread stays forever.
///
/// # Errors
///
/// The operating system's, when it refuses the thread.
///
/// # Panics
///
/// A panic of the iterator is passed on by the stream. In a pipeline that is
/// [`PipelineError::SourcePanicked`](crate::PipelineError::SourcePanicked).
///
/// # Examples
///
/// ```
/// use actix_fan::{FanOutExt, blocking};
/// use futures::StreamExt;
/// use std::io::BufRead;
///
/// # actix::System::new().block_on(async {
/// let lines = blocking(std::io::Cursor::new("one\ntwo").lines())?;
/// let lengths = lines.try_fan_out().ordered().map(|line: String| line.len())?;
/// assert_eq!(lengths.map(Result::unwrap).collect::<Vec<_>>().await, [3, 3]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub fn blocking<I>(iterator: I) -> io::Result<Blocking<I::Item>>
where
    I: IntoIterator<Item: Send + 'static> + Send + 'static,
{
    blocking_ahead(BUFFER, iterator)
}

/// [`blocking()`] for large items: at most `items` wait for the consumer, besides the one that the thread holds. 0 is
/// taken for 1.
///
/// # Errors
///
/// As for [`blocking()`].
pub fn blocking_ahead<I>(items: usize, iterator: I) -> io::Result<Blocking<I::Item>>
where
    I: IntoIterator<Item: Send + 'static> + Send + 'static,
{
    let (sender, items) = mpsc::channel(items.clamp(1, Semaphore::MAX_PERMITS));
    thread::Builder::new().name("fan-source".to_owned()).spawn(move || {
        // Outside of `catch`, to be dropped after a panic of the iterator has been caught: a second panic during the
        // unwinding would end the process.
        let mut source = None;
        let run = catch(|| {
            for item in source.insert(iterator.into_iter()) {
                if let Err(unsent) = sender.blocking_send(Ok(item)) {
                    discard(unsent);
                    break;
                }
            }
        });
        discard(source);
        if let Err(message) = run {
            // An error if the stream was dropped; then the panic has no consequence.
            let _ = sender.blocking_send(Err(message));
        }
    })?;
    Ok(Blocking { items, waker: CaughtWaker::default() })
}

/// What [`blocking()`] returns: a stream of the iterator's items.
pub struct Blocking<T> {
    items: mpsc::Receiver<Result<T, String>>,
    waker: CaughtWaker,
}

impl<T> Stream for Blocking<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let this = &mut *self;
        Poll::Ready(match ready!(this.items.poll_recv(&mut this.waker.context(cx))) {
            Some(Ok(item)) => Some(item),
            // The panic hook has reported it on the thread where it happened.
            Some(Err(message)) => resume_unwind(Box::new(message)),
            None => None,
        })
    }
}

impl<T> Drop for Blocking<T> {
    fn drop(&mut self) {
        // Item by item: if the channel dropped them, a second panic during the unwinding of the first would end the
        // process.
        self.items.close();
        while let Ok(item) = self.items.try_recv() {
            discard(item);
        }
    }
}

impl<T> fmt::Debug for Blocking<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blocking").finish_non_exhaustive()
    }
}
