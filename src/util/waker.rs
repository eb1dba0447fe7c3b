//! Wakers that can't panic. The waker of a task belongs to its executor, which may be any. It is called and dropped
//! where the awaited event happens: on a worker thread, inside of a channel, between two other wake-ups. A panic there
//! would end the thread, fail an item or lose the other wake-ups. So only wakers of a [`CaughtWaker`] are registered.

use std::future::{Future, poll_fn};
use std::mem;
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Wake, Waker};

use futures::task::AtomicWaker;

use crate::util::panic::{catch, discard};

/// Wakes the task that polled last, inside `catch`. Each future or stream has one and keeps it from poll to poll, so
/// that channels see the same waker again and only the first poll allocates.
#[derive(Debug, Default)]
pub(crate) struct CaughtWaker {
    known: Option<(Arc<Caught>, Waker)>,
    /// After [`yield_now`](Self::yield_now): alive until the runtime polls the task again.
    deferred: Weak<Deferred>,
}

impl CaughtWaker {
    /// A context to poll with, which wakes the task of `cx`.
    ///
    /// A panic of the task's waker when it is cloned is not caught: without a clone the task could never be woken.
    pub(crate) fn context(&mut self, cx: &Context<'_>) -> Context<'_> {
        #[allow(clippy::disallowed_methods, reason = "this wraps it in `catch`")]
        let foreign = cx.waker();
        let waker = match self.known.take().filter(|(caught, _)| caught.0.will_wake(foreign)) {
            Some(known) => self.known.insert(known),
            None => {
                let caught = Arc::new(Caught(foreign.clone()));
                // Another task has yielded, not this one.
                self.deferred = Weak::new();
                self.known.insert((Arc::clone(&caught), caught.into()))
            }
        };
        Context::from_waker(&waker.1)
    }

    /// Registers the task of `cx` with `by`.
    pub(crate) fn register(&mut self, by: &AtomicWaker, cx: &Context<'_>) {
        #[allow(clippy::disallowed_methods, reason = "this is the waker inside `catch`")]
        by.register(self.context(cx).waker());
    }

    /// Yields: the task of `cx` is polled again after the runtime has polled the other tasks of its thread, and timers
    /// and sockets. The caller returns `Pending`.
    ///
    /// If the task woke itself instead, a `LocalSet`, which every arbiter is, would poll it up to 61 times before it
    /// polls timers and sockets. Outside of a tokio runtime the task is woken at once. If a task blocks its thread on
    /// another executor, the runtime wakes no task of that thread, whether it yielded or not.
    pub(crate) fn yield_now(&mut self, cx: &Context<'_>) {
        #[allow(clippy::disallowed_methods, reason = "this is the waker inside `catch`")]
        let deferred = Arc::new(Deferred(self.context(cx).waker().clone()));
        self.deferred = Arc::downgrade(&deferred);
        // The first poll hands the waker to the runtime.
        let _ = pin!(tokio::task::yield_now()).poll(&mut Context::from_waker(&deferred.into()));
    }

    /// Returns true if the task of `cx` has yielded and something else has woken it since: it must return `Pending`
    /// again. Otherwise the wake-ups of workers would have it polled before timers and sockets.
    pub(crate) fn is_yielding(&mut self, cx: &Context<'_>) -> bool {
        if self.deferred.strong_count() == 0 {
            return false;
        }
        self.context(cx);
        self.deferred.strong_count() > 0
    }
}

/// The wake-up of a task that yielded. The runtime holds the only reference. It drops it to poll the task, or when the
/// runtime ends; the task is woken in both cases.
#[derive(Debug)]
struct Deferred(Waker);

impl Wake for Deferred {
    fn wake(self: Arc<Self>) {
        // `drop` wakes the task, when `self` goes out of scope here.
    }
}

impl Drop for Deferred {
    fn drop(&mut self) {
        #[allow(clippy::disallowed_methods, reason = "this is the waker inside `catch`")]
        self.0.wake_by_ref();
    }
}

/// A foreign waker that is called and dropped inside `catch`.
#[derive(Debug)]
struct Caught(Waker);

impl Wake for Caught {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        #[allow(clippy::disallowed_methods, reason = "it is called inside `catch`")]
        // A task whose waker panics is not polled again. That is a bug of its executor, and the panic hook has reported
        // it.
        let _ = catch(|| self.0.wake_by_ref());
    }
}

impl Drop for Caught {
    fn drop(&mut self) {
        discard(mem::replace(&mut self.0, Waker::noop().clone()));
    }
}

/// Awaits `future`, which is polled with the waker of a [`CaughtWaker`].
pub(crate) async fn caught<F: Future>(future: F) -> F::Output {
    let (mut future, mut waker) = (pin!(future), CaughtWaker::default());
    poll_fn(|cx| future.as_mut().poll(&mut waker.context(cx))).await
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "the tests use the wakers themselves")]
mod tests {
    use std::panic::resume_unwind;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use std::task::Poll;

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
    fn a_panic_of_a_waker_is_caught_when_it_is_called_and_when_it_is_dropped() {
        let woken = Arc::new(AtomicUsize::new(0));
        let foreign = Waker::from(Arc::new(Faulty(Arc::clone(&woken))));
        let mut caught = CaughtWaker::default();
        let registered = caught.context(&Context::from_waker(&foreign)).waker().clone();
        caught.yield_now(&Context::from_waker(&foreign));
        // `Wake::wake` takes the last reference and drops it in the middle of its own panic, unless others are left.
        registered.wake_by_ref();
        registered.wake();
        assert_eq!(woken.load(SeqCst), 3);
        discard(foreign);
        drop(caught);
    }

    #[test]
    fn a_task_that_yields_is_polled_after_timers_and_sockets_whatever_wakes_it() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut waker = CaughtWaker::default();
        let (mut polls, mut yields) = (0, 0);
        let task = poll_fn(move |cx| {
            polls += 1;
            if waker.is_yielding(cx) {
                return Poll::Pending;
            }
            if yields == 10 {
                return Poll::Ready(polls);
            }
            yields += 1;
            waker.yield_now(cx);
            // A worker wakes the task meanwhile.
            cx.waker().wake_by_ref();
            Poll::Pending
        });
        let tasks = tokio::task::LocalSet::new();
        let polls = tasks.block_on(&runtime, async { tokio::task::spawn_local(task).await.unwrap() });
        assert_eq!(polls, 21, "one per yield, one per wake-up in between, and the last");
    }

    #[test]
    fn outside_of_a_runtime_a_yield_wakes_at_once_and_another_task_has_not_yielded() {
        let [one, other] = [(); 2].map(|()| Arc::new(Counting::default()));
        let (first, second) = (Waker::from(Arc::clone(&one)), Waker::from(Arc::clone(&other)));
        let mut waker = CaughtWaker::default();
        waker.yield_now(&Context::from_waker(&first));
        assert_eq!(one.0.load(SeqCst), 1);
        assert!(!waker.is_yielding(&Context::from_waker(&first)));

        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            waker.yield_now(&Context::from_waker(&first));
            assert!(waker.is_yielding(&Context::from_waker(&first)));
            assert!(!waker.is_yielding(&Context::from_waker(&second)));
        });
        drop(runtime);
        assert_eq!((one.0.load(SeqCst), other.0.load(SeqCst)), (2, 0), "a runtime that ends wakes the task");
    }

    #[derive(Default)]
    struct Counting(AtomicUsize);

    impl Wake for Counting {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, SeqCst);
        }
    }

    #[test]
    fn two_polls_of_a_task_register_the_same_waker() {
        let [one, other] = [(); 2].map(|()| Waker::from(Arc::new(Caught(Waker::noop().clone()))));
        let mut caught = CaughtWaker::default();
        let first = caught.context(&Context::from_waker(&one)).waker().clone();
        assert!(caught.context(&Context::from_waker(&one)).waker().will_wake(&first));
        assert!(!caught.context(&Context::from_waker(&other)).waker().will_wake(&first));
    }
}
