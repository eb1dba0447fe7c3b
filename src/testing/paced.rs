//! A stream whose consumer takes as many items as the test allows.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll};

use futures::task::AtomicWaker;
use futures::{Stream, StreamExt};

use crate::util::waker::CaughtWaker;

/// A stream that yields only as many items as its [`Pace`] allows, as to a slow consumer or to one that stops polling;
/// made by [`paced`].
pub struct Paced<S> {
    stream: S,
    pace: Pace,
    waker: CaughtWaker,
}

/// Says how many items a [`Paced`] stream may yield; can be used on any thread. Clones belong to the same stream.
#[derive(Clone, Debug)]
pub struct Pace(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    left: AtomicUsize,
    waker: AtomicWaker,
}

/// Makes a stream wait until the test allows each item, without a clock: `next` is pending until then. The stream
/// underneath is not polled before that, not even for its end.
///
/// ```
/// use actix_fan::FanOutExt;
/// use actix_fan::testing::{assert_accounted, paced};
/// use futures::StreamExt;
///
/// # actix::System::new().block_on(async {
/// let same = (0u32..).fan_out().window(8).batch(1).map(|n| n)?;
/// let handle = same.stop_handle();
/// let (mut slow, pace) = paced(same);
/// pace.allow(3);
/// for _ in 0..3 {
///     assert!(slow.next().await.is_some());
/// }
/// assert!(futures::poll!(slow.next()).is_pending());
/// assert!(handle.stats().in_flight <= 8);
/// assert_accounted(&handle.stats());
/// # Ok::<(), actix_fan::StartError>(())
/// # }).unwrap();
/// ```
pub fn paced<S>(stream: S) -> (Paced<S>, Pace) {
    let pace = Pace(Arc::default());
    (Paced { stream, pace: pace.clone(), waker: CaughtWaker::default() }, pace)
}

impl<S> Paced<S> {
    /// The stream underneath, as for [`FanIn::finished`](crate::FanIn::finished): items taken from it directly are not
    /// counted.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// The stream underneath, for a consumer at its own pace.
    pub fn into_inner(self) -> S {
        self.stream
    }
}

impl Pace {
    /// Allows `items` more items; the stream's end counts as one.
    pub fn allow(&self, items: usize) {
        self.add(items);
        self.0.waker.wake();
    }

    fn add(&self, items: usize) {
        // It can't fail: the closure always has a value.
        let _ = self.0.left.fetch_update(SeqCst, SeqCst, |left| Some(left.saturating_add(items)));
    }
}

impl<S> Paced<S> {
    fn poll_take(&mut self, cx: &Context<'_>) -> Poll<()> {
        let Inner { left, waker } = &*self.pace.0;
        // Before the read: an `allow` after the read then wakes the task.
        self.waker.register(waker, cx);
        match left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)) {
            Ok(_) => Poll::Ready(()),
            Err(_) => Poll::Pending,
        }
    }
}

impl<S: Stream + Unpin> Stream for Paced<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        std::task::ready!(self.poll_take(cx));
        let polled = self.stream.poll_next_unpin(cx);
        if polled.is_pending() {
            // Without a wake-up: it is the stream that is waited for.
            self.pace.add(1);
        }
        polled
    }
}

impl<S> fmt::Debug for Paced<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Paced").field("pace", &self.pace).finish_non_exhaustive()
    }
}
