//! The wakers of those who poll. They belong to an executor that may be anyone's, and are called and dropped wherever the
//! awaited thing happens: on a worker's thread, inside of a channel, between two other wake-ups. A panic there would
//! take the thread, the item or the others' wake-ups with it, so what is registered is always a [`CaughtWaker`]'s.

use std::future::{Future, poll_fn};
use std::mem;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use futures::task::AtomicWaker;

use crate::unwind::{catch, discard};

/// The waker of the task that polled last, behind `catch`. It belongs to one future or stream, and is kept from poll to
/// poll: then channels see the same waker again, and nothing is allocated but at the first poll.
#[derive(Debug, Default)]
pub(crate) struct CaughtWaker(Option<(Arc<Caught>, Waker)>);

impl CaughtWaker {
    /// A context to poll with, which wakes the task of `cx`.
    ///
    /// If the task's waker panics when it is cloned, that panic is the caller's: without a clone it would wait forever.
    pub(crate) fn context(&mut self, cx: &Context<'_>) -> Context<'_> {
        #[allow(clippy::disallowed_methods, reason = "here it is put behind `catch`")]
        let foreign = cx.waker();
        let waker = match self.0.take().filter(|(caught, _)| caught.0.will_wake(foreign)) {
            Some(known) => self.0.insert(known),
            None => {
                let caught = Arc::new(Caught(foreign.clone()));
                self.0.insert((Arc::clone(&caught), caught.into()))
            }
        };
        Context::from_waker(&waker.1)
    }

    /// Has the task of `cx` woken by `by`.
    pub(crate) fn register(&mut self, by: &AtomicWaker, cx: &Context<'_>) {
        #[allow(clippy::disallowed_methods, reason = "this is the one behind `catch`")]
        by.register(self.context(cx).waker());
    }
}

#[derive(Debug)]
struct Caught(Waker);

impl Wake for Caught {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        #[allow(clippy::disallowed_methods, reason = "here it is behind `catch`")]
        // A task whose waker panics isn't polled again: its executor's fault, and the panic hook has reported it.
        let _ = catch(|| self.0.wake_by_ref());
    }
}

impl Drop for Caught {
    fn drop(&mut self) {
        discard(mem::replace(&mut self.0, Waker::noop().clone()));
    }
}

/// Has the task polled again after the others on its thread.
pub(crate) fn poll_again(cx: &Context<'_>) {
    #[allow(clippy::disallowed_methods, reason = "here it is behind `catch`")]
    let _ = catch(|| cx.waker().wake_by_ref());
}

/// `future`, where what it awaits gets to see a [`CaughtWaker`]'s only.
pub(crate) async fn caught<F: Future>(future: F) -> F::Output {
    let (mut future, mut waker) = (pin!(future), CaughtWaker::default());
    poll_fn(|cx| future.as_mut().poll(&mut waker.context(cx))).await
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "what happens to the wakers is what is tested")]
mod tests {
    use std::panic::resume_unwind;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use super::*;

    /// Counts its wake-ups, and panics at each and when it is dropped.
    #[derive(Default)]
    struct Faulty(Arc<AtomicUsize>);

    impl Wake for Faulty {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, SeqCst);
            resume_unwind(Box::new("woken"));
        }
    }

    impl Drop for Faulty {
        fn drop(&mut self) {
            resume_unwind(Box::new("dropped"));
        }
    }

    #[test]
    fn a_waker_that_panics_harms_neither_who_calls_it_nor_who_drops_it() {
        let woken = Arc::new(AtomicUsize::new(0));
        let foreign = Waker::from(Arc::new(Faulty(Arc::clone(&woken))));
        let mut caught = CaughtWaker::default();
        let registered = caught.context(&Context::from_waker(&foreign)).waker().clone();
        poll_again(&Context::from_waker(&foreign));
        // `Wake::wake` takes the last reference and drops it in the middle of its own panic, unless others are left.
        registered.wake_by_ref();
        registered.wake();
        assert_eq!(woken.load(SeqCst), 3);
        discard(foreign);
        drop(caught);
    }

    #[test]
    fn the_same_task_is_registered_as_the_same_waker() {
        let [one, other] = [(); 2].map(|()| Waker::from(Arc::new(Caught(Waker::noop().clone()))));
        let mut caught = CaughtWaker::default();
        let first = caught.context(&Context::from_waker(&one)).waker().clone();
        assert!(caught.context(&Context::from_waker(&one)).waker().will_wake(&first));
        assert!(!caught.context(&Context::from_waker(&other)).waker().will_wake(&first));
    }
}
