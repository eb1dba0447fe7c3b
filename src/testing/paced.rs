//! A consumer whose pace a test sets.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll};

use futures::task::AtomicWaker;
use futures::{Stream, StreamExt};

use crate::util::waker::CaughtWaker;

/// A stream that yields only as many items as it was allowed: a slow consumer, or one that stops polling, without a clock.
/// See [`metered`].
pub struct Metered<S> {
    stream: S,
    allowance: Allowance,
    waker: CaughtWaker,
}

/// Sets the pace of a [`Metered`] stream, from anywhere. Clones belong to the same stream.
#[derive(Clone, Debug)]
pub struct Allowance(Arc<Meter>);

#[derive(Debug, Default)]
struct Meter {
    left: AtomicUsize,
    waker: AtomicWaker,
}

/// Has a consumer take only what it is allowed. Nothing is taken from the stream before that, not even its end.
///
/// ```
/// use actix_fan::FanOutExt;
/// use actix_fan::testing::{assert_balanced, metered};
/// use futures::StreamExt;
///
/// # actix::System::new().block_on(async {
/// let same = (0u32..).fan_out().window(8).batch(1).map(|n| n)?;
/// let handle = same.stop_handle();
/// let (mut slow, allowance) = metered(same);
/// allowance.allow(3);
/// for _ in 0..3 {
///     assert!(slow.next().await.is_some());
/// }
/// assert!(futures::poll!(slow.next()).is_pending());
/// assert!(handle.stats().in_flight <= 8);
/// assert_balanced(&handle.stats());
/// # Ok::<(), actix_fan::StartError>(())
/// # }).unwrap();
/// ```
pub fn metered<S>(stream: S) -> (Metered<S>, Allowance) {
    let allowance = Allowance(Arc::default());
    (Metered { stream, allowance: allowance.clone(), waker: CaughtWaker::default() }, allowance)
}

impl<S> Metered<S> {
    /// The stream underneath, as for [`FanIn::finished`](crate::FanIn::finished): what is taken from there costs no allowance.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Goes back to the consumer's own pace.
    pub fn into_inner(self) -> S {
        self.stream
    }
}

impl Allowance {
    /// Allows so many more items; the stream's end counts as one.
    pub fn allow(&self, items: usize) {
        self.add(items);
        self.0.waker.wake();
    }

    fn add(&self, items: usize) {
        // It can't fail: the closure always has a value.
        let _ = self.0.left.fetch_update(SeqCst, SeqCst, |left| Some(left.saturating_add(items)));
    }
}

impl<S> Metered<S> {
    fn poll_take(&mut self, cx: &Context<'_>) -> Poll<()> {
        let Meter { left, waker } = &*self.allowance.0;
        // Before the look: what is allowed after it wakes.
        self.waker.register(waker, cx);
        match left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)) {
            Ok(_) => Poll::Ready(()),
            Err(_) => Poll::Pending,
        }
    }
}

impl<S: Stream + Unpin> Stream for Metered<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        std::task::ready!(self.poll_take(cx));
        let polled = self.stream.poll_next_unpin(cx);
        if polled.is_pending() {
            // Without a wake-up: it is the stream that is waited for.
            self.allowance.add(1);
        }
        polled
    }
}

impl<S> fmt::Debug for Metered<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metered").field("allowance", &self.allowance).finish_non_exhaustive()
    }
}
