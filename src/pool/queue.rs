//! The line in front of the workers, behind its lock.
//!
//! Two locks are ever held together, in this order: the line's, then the protocol's. Nothing of users runs under
//! either: items, answers and wakers leave the line first.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use futures::task::AtomicWaker;

use crate::control::{Control, Submits};
use crate::pool::error::SubmitError;
use crate::pool::reply::{Fed, Reply};
use crate::protocol::{Ends, Left, Line, Place};
use crate::ticket::Ticket;
use crate::unwind::discard;

/// An item and whoever waits for its result.
pub(super) struct Submitted<I, O> {
    pub(super) item: I,
    pub(super) reply: Reply<I, O>,
}

/// An item that was taken in: it has its credit and its index.
pub(super) struct Accepted<I, O> {
    pub(super) submitted: Submitted<I, O>,
    pub(super) index: u64,
    pub(super) ticket: Ticket,
}

impl<I, O> Submitted<I, O> {
    /// Sends the item back, without ever having had credit.
    pub(super) fn refuse(self, control: &Control) {
        let answer = Err(refusal(self.item, control));
        self.reply.send(answer, None);
    }
}

impl<I, O> Accepted<I, O> {
    fn new(control: &Arc<Control>, index: u64, submitted: Submitted<I, O>) -> Self {
        Self { submitted, index, ticket: Ticket::new(control, 1) }
    }

    /// Ends the item unbegun, because everything was stopped.
    fn stop(mut self, control: &Control, hand_back: impl FnOnce(I) -> Option<I>) {
        let Submitted { item, reply } = self.submitted;
        self.ticket.cancel();
        reply.send(Err(stopped(hand_back(item), control)), Some(self.ticket));
    }
}

/// Why an item isn't taken in.
pub(super) fn refusal<I>(item: I, control: &Control) -> SubmitError<I> {
    match control.error() {
        Some(error) => SubmitError::Lost { item: Some(item), error: error.clone() },
        None => SubmitError::Closed(item),
    }
}

/// Why an item that was taken in has no result.
pub(super) fn stopped<I>(item: Option<I>, control: &Control) -> SubmitError<I> {
    match control.error() {
        Some(error) => SubmitError::Lost { item, error: error.clone() },
        None => SubmitError::Stopped { item },
    }
}

/// Where items stand in line and workers fetch them. Whoever takes an item out of the line, by this lock, decides what
/// becomes of it: a worker runs it, a submit that is dropped takes it back, a stop answers it. So nothing runs twice, and
/// nothing runs that was taken back.
pub(super) struct Queue<I, O> {
    inner: Mutex<Inner<I, O>>,
    called: Condvar,
}

struct Inner<I, O> {
    line: Line<Submitted<I, O>, Accepted<I, O>>,
    /// Workers asleep that nobody has called yet. It may be too high after a spurious wake-up, which costs a call in
    /// vain, but never too low.
    idle: usize,
}

impl<I, O> Inner<I, O> {
    /// Claims a sleeping worker for each of so many items; how many are to be called.
    fn claim(&mut self, items: usize) -> usize {
        let called = self.idle.min(items);
        self.idle -= called;
        called
    }
}

impl<I: Send, O: Send> Queue<I, O> {
    pub(super) fn new() -> Self {
        Self { inner: Mutex::new(Inner { line: Line::new(), idle: 0 }), called: Condvar::new() }
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
        loop {
            if let Some(accepted) = inner.line.pop() {
                return Some(accepted);
            }
            if !control.is_running() {
                return None;
            }
            inner.idle += 1;
            inner = self.called.wait(inner).unwrap_or_else(PoisonError::into_inner);
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
