//! The line in front of the workers, behind its lock.
//!
//! Two locks are ever held together, in this order: the line's, then the protocol's. Nothing of users runs under
//! either: items, answers and wakers leave the line first.

use std::sync::{Arc, PoisonError};

use futures::task::AtomicWaker;

use crate::control::{Control, Submits};
use crate::pool::error::SubmitError;
use crate::pool::item::{Accepted, Submitted, refusal};
use crate::pool::reply::{Fed, Reply};
use crate::protocol::{Ends, Left, Line, Place};
use crate::sync::atomic::{AtomicBool, Ordering::Relaxed};
use crate::sync::{Condvar, Mutex, MutexGuard, thread};
use crate::unwind::discard;

/// Where items stand in line and workers fetch them. Whoever takes an item out of the line, by this lock, decides what
/// becomes of it: a worker runs it, a submit that is dropped takes it back, a stop answers it. So nothing runs twice, and
/// nothing runs that was taken back.
pub(super) struct Queue<I, O> {
    inner: Mutex<Inner<I, O>>,
    called: Condvar,
    /// Whether a worker that watches the line should look. Only a hint, so `Relaxed` does: it looks under the lock.
    stirred: AtomicBool,
}

/// How often a worker yields before it sleeps. Whoever submits one item after the other is back within a few
/// microseconds, and to wake a thread can take ten times that: the processor may sleep as well.
const YIELDS: usize = 16;

struct Inner<I, O> {
    line: Line<Submitted<I, O>, Accepted<I, O>>,
    /// Workers asleep that nobody has called yet. It may be too high after a spurious wake-up, which costs a call in
    /// vain, but never too low.
    idle: usize,
    /// Workers about to sleep, who look once more before they do.
    watching: usize,
}

impl<I, O> Inner<I, O> {
    /// Claims a sleeping worker for each of so many items that just came, but for those that others look for already; how
    /// many are to be called.
    fn claim(&mut self, items: usize) -> usize {
        let unseen = self.line.queued().saturating_sub(self.watching);
        let called = self.idle.min(items).min(unseen);
        self.idle -= called;
        called
    }
}

impl<I: Send, O: Send> Queue<I, O> {
    pub(super) fn new() -> Self {
        Self {
            inner: Mutex::new(Inner { line: Line::new(), idle: 0, watching: 0 }),
            called: Condvar::new(),
            stirred: AtomicBool::new(false),
        }
    }

    /// Takes a place in the line. Whether that has credit is told as well.
    pub(super) fn join(
        &self,
        submitted: Submitted<I, O>,
        control: &Arc<Control>,
    ) -> Result<(Place, bool), SubmitError<I>> {
        let mut inner = self.lock();
        if !control.is_running() {
            return Err(refusal(submitted.item, control));
        }
        let admit = |index, submitted| Accepted::new(control, index, submitted);
        let (place, queued) = inner.line.join(submitted, &mut control.protocol(), admit);
        self.call(inner, usize::from(queued));
        Ok((place, queued))
    }

    /// Takes a place in the line, if there is credit.
    pub(super) fn try_join(&self, submitted: Submitted<I, O>, control: &Arc<Control>) -> Result<Place, SubmitError<I>> {
        let mut inner = self.lock();
        let admit = |index, submitted| Accepted::new(control, index, submitted);
        let joined = inner.line.try_join(submitted, &mut control.protocol(), admit);
        match joined {
            Ok(place) => {
                self.call(inner, 1);
                Ok(place)
            }
            Err(refused) if control.is_running() => Err(SubmitError::Full(refused.item)),
            Err(refused) => Err(refusal(refused.item, control)),
        }
    }

    /// The next item to begin; waits for one. `None`: none will come any more.
    pub(super) fn next(&self, control: &Control) -> Option<Accepted<I, O>> {
        let mut inner = self.lock();
        let mut watched = false;
        loop {
            if let Some(accepted) = inner.line.pop() {
                return Some(accepted);
            }
            if !control.is_running() {
                return None;
            }
            if watched {
                inner.idle += 1;
                inner = self.called.wait(inner).unwrap_or_else(PoisonError::into_inner);
            } else {
                inner.watching += 1;
                self.stirred.store(false, Relaxed);
                drop(inner);
                self.watch();
                inner = self.lock();
                inner.watching -= 1;
            }
            watched = !watched;
        }
    }

    /// Lets others have the processor for a while, until something stirs in the line.
    fn watch(&self) {
        for _ in 0..YIELDS {
            if self.stirred.load(Relaxed) {
                return;
            }
            thread::yield_now();
        }
    }

    /// Takes an item back. `None`: it has begun, or is done.
    pub(super) fn take_back(&self, place: Place) -> Option<I> {
        let left = self.lock().line.leave(place)?;
        let submitted = match left {
            Left::Waiting(submitted) => submitted,
            Left::Queued(Accepted { submitted, mut ticket, .. }) => {
                ticket.cancel();
                submitted
            }
        };
        Some(submitted.item)
    }

    /// Drops everything whose stream of results is gone.
    pub(super) fn sweep(&self) {
        let (waiting, queued) = {
            let line = &mut self.lock().line;
            let waiting = line.extract_waiting(|submitted| submitted.reply.is_fed_in_vain());
            (waiting, line.extract_queued(|accepted| accepted.submitted.reply.is_fed_in_vain()))
        };
        for Accepted { submitted, mut ticket, .. } in queued {
            ticket.cancel();
            drop(ticket);
            discard(submitted.item);
        }
        for Submitted { item, reply } in waiting {
            discard(item);
            reply.wake_sink();
        }
    }

    /// Takes everything out that has credit and has not begun, and tells those who wait for it that it was stopped.
    pub(super) fn clear(&self, control: &Control) -> Vec<I> {
        let queued = self.lock().line.extract_queued(|_| true);
        let mut items = Vec::with_capacity(queued.len());
        for accepted in queued {
            accepted.stop(control, |item| {
                items.push(item);
                None
            });
        }
        items
    }

    pub(super) fn is_waiting(&self, place: Place) -> bool {
        self.lock().line.is_waiting(place)
    }

    /// Wakes workers for so many items that just came.
    fn call(&self, mut inner: MutexGuard<'_, Inner<I, O>>, items: usize) {
        let called = inner.claim(items);
        if items > 0 && inner.watching > 0 {
            self.stirred.store(true, Relaxed);
        }
        drop(inner);
        (0..called).for_each(|_| self.called.notify_one());
    }

    fn lock(&self) -> MutexGuard<'_, Inner<I, O>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<I: Send, O: Send> Submits for Queue<I, O> {
    fn advanced(&self, control: &Arc<Control>) {
        let mut inner = self.lock();
        let refused = inner.line.extract_waiting(|_| true);
        let stopped = if control.is_stopped() { inner.line.extract_queued(|_| true) } else { Vec::new() };
        inner.idle = 0;
        drop(inner);
        self.called.notify_all();
        refused.into_iter().for_each(|submitted| submitted.refuse(control));
        stopped.into_iter().for_each(|accepted| accepted.stop(control, Some));
    }

    fn settle(&self, ends: Ends, control: &Arc<Control>) {
        let mut sinks: Vec<Arc<AtomicWaker>> = Vec::new();
        let mut inner = self.lock();
        let admitted = {
            let mut protocol = control.protocol();
            protocol.settle(ends);
            inner.line.admit(&mut protocol, |index, submitted| {
                if let Reply::Many(Fed { turn, .. }) = &submitted.reply {
                    sinks.push(Arc::clone(turn));
                }
                Accepted::new(control, index, submitted)
            })
        };
        self.call(inner, admitted);
        sinks.into_iter().for_each(|turn| turn.wake());
    }

    fn look(&self, look: &mut dyn FnMut(usize, usize)) {
        let inner = self.lock();
        look(inner.line.queued(), inner.line.waiting());
    }
}
