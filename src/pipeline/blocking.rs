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

/// Items that may wait between the thread and the pipeline.
const BUFFER: usize = 256;

/// Runs an iterator that may block on a thread of its own, as a stream.
///
/// At most 256 items wait for the consumer, and the thread has one more in its hand. Each item can be taken as soon as the iterator gave it. When
/// the stream is dropped the thread ends with the next item: an iterator that blocks for good, as a read from a terminal
/// may, keeps its thread until then.
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

/// [`blocking()`], where at most `items` wait for the consumer, besides the one that the thread has in its hand: for items
/// that are large. 0 is taken for 1.
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
        // Dropped apart from a panic of its own: a second one at a time would end the process.
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
            // Without a consumer there is nobody to tell.
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
        // The channel itself would drop the items that wait all at once, where two panics end the process.
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
