//! The wakers of those who poll. They belong to an executor that may be anyone's, and are called and dropped wherever
//! the awaited thing happens: on a worker's thread, inside of a channel, between two other wake-ups. A panic there
//! would take the thread, the item or the others' wake-ups with it, so what is registered is always a
//! [`CaughtWaker`]'s.

use std::future::{Future, poll_fn};
use std::mem;
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Wake, Waker};

use futures::task::AtomicWaker;

use crate::util::panic::{catch, discard};

/// The waker of the task that polled last, behind `catch`. It belongs to one future or stream, and is kept from poll to
/// poll: then channels see the same waker again, and nothing is allocated but at the first poll.
#[derive(Debug, Default)]
pub(crate) struct CaughtWaker {
    known: Option<(Arc<Caught>, Waker)>,
    /// Alive until the task has its next turn, where it gave one up.
    deferred: Weak<Deferred>,
}

impl CaughtWaker {
    /// A context to poll with, which wakes the task of `cx`.
    ///
    /// If the task's waker panics when it is cloned, that panic is the caller's: without a clone it would wait forever.
    pub(crate) fn context(&mut self, cx: &Context<'_>) -> Context<'_> {
        #[allow(clippy::disallowed_methods, reason = "here it is put behind `catch`")]
        let foreign = cx.waker();
        let waker = match self.known.take().filter(|(caught, _)| caught.0.will_wake(foreign)) {
            Some(known) => self.known.insert(known),
            None => {
                let caught = Arc::new(Caught(foreign.clone()));
                // Another task's turn is not this one's.
                self.deferred = Weak::new();
                self.known.insert((Arc::clone(&caught), caught.into()))
            }
        };
        Context::from_waker(&waker.1)
    }

    /// Has the task of `cx` woken by `by`.
    pub(crate) fn register(&mut self, by: &AtomicWaker, cx: &Context<'_>) {
        #[allow(clippy::disallowed_methods, reason = "this is the one behind `catch`")]
        by.register(self.context(cx).waker());
    }

    /// Gives up the turn: has the task of `cx` polled again after the others on its thread had theirs and the runtime
    /// looked at timers and sockets. The caller returns `Pending`.
    ///
    /// A task that wakes itself instead is polled up to 61 times by a `LocalSet`, which every arbiter is, before timers
    /// and sockets have their turn. Outside of a runtime of tokio the task is woken at once. As with all that tokio
    /// has: where a task of a runtime blocks its thread on another executor, the runtime wakes nothing on that thread.
    pub(crate) fn yield_now(&mut self, cx: &Context<'_>) {
        #[allow(clippy::disallowed_methods, reason = "this is the one behind `catch`")]
        let deferred = Arc::new(Deferred(self.context(cx).waker().clone()));
        self.deferred = Arc::downgrade(&deferred);
        // The first poll hands the waker to the runtime.
        let _ = pin!(tokio::task::yield_now()).poll(&mut Context::from_waker(&deferred.into()));
    }

    /// Returns true while the task of `cx` has given up its turn and something else has woken it since: it returns
    /// `Pending` again. Otherwise wake-ups from workers would bring it back before timers and sockets had their turn.
    pub(crate) fn is_yielding(&mut self, cx: &Context<'_>) -> bool {
        if self.deferred.strong_count() == 0 {
            return false;
        }
        self.context(cx);
        self.deferred.strong_count() > 0
    }
}

/// The wake-up after a turn that was given up. The runtime holds the only one, so its end is when the turn comes, or
/// when the runtime itself ends: the task is woken in both cases.
#[derive(Debug)]
struct Deferred(Waker);

impl Wake for Deferred {
    fn wake(self: Arc<Self>) {
        // By dropping it.
    }
}

impl Drop for Deferred {
    fn drop(&mut self) {
        #[allow(clippy::disallowed_methods, reason = "this is the one behind `catch`")]
        self.0.wake_by_ref();
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
    fn a_waker_that_panics_harms_neither_who_calls_it_nor_who_drops_it() {
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
    fn a_task_that_yields_goes_on_after_the_runtime_looked_at_timers_and_sockets_whatever_else_wakes_it() {
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
            // As a worker does.
            cx.waker().wake_by_ref();
            Poll::Pending
        });
        let tasks = tokio::task::LocalSet::new();
        let polls = tasks.block_on(&runtime, async { tokio::task::spawn_local(task).await.unwrap() });
        assert_eq!(polls, 21, "one for each yield, one for each wake-up meanwhile, the last");
    }

    #[test]
    fn a_task_of_no_runtime_that_yields_is_woken_at_once_and_another_task_is_not_kept() {
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
        assert_eq!((one.0.load(SeqCst), other.0.load(SeqCst)), (2, 0), "also where the runtime ended");
    }

    #[derive(Default)]
    struct Counting(AtomicUsize);

    impl Wake for Counting {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, SeqCst);
        }
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
