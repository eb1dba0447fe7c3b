//! The admission queue in front of the workers, behind its lock.
//!
//! Locks are taken in this order: the admission queue's, a channel's trail, the protocol's. Nothing of users runs under any of them:
//! items, answers and wakers leave the admission queue first. What is done under the admission queue's lock takes no longer the more items are
//! in the admission queue, however many of them leave at once; but for gaps, which are swept up now and then (`protocol/fifo.rs`).

use std::sync::{Arc, PoisonError, Weak};

use crate::engine::intake::{Core, Intake, Run};
use crate::engine::state::State;
use crate::pool::error::SubmitError;
use crate::pool::request::{Accepted, Channel, Fed, Reply, Submitted, refusal};
use crate::protocol::{AdmissionQueue, Ends, Left, Position};
use crate::util::panic::discard;
use crate::util::sync::{Condvar, Mutex, MutexGuard};

/// Items of a channel that leave under one hold of the lock: some 10 us.
const PORTION: usize = 128;

/// Where items stand in line and workers fetch them. Whoever takes an item out of the admission queue, by this lock, decides what
/// becomes of it: a worker runs it, a submit that is dropped takes it back, a stop answers it. So nothing runs twice, and
/// nothing runs that was taken back.
pub(super) struct Queue<I, O> {
    core: Core,
    /// Itself, for the permits that it hands out.
    this: Weak<Self>,
    inner: Mutex<Inner<I, O>>,
    called: Condvar,
}

struct Inner<I, O> {
    admission: AdmissionQueue<Submitted<I, O>, Accepted<I, O>>,
    /// Workers asleep that nobody has called yet. It may be too high after a spurious wake-up, which costs a call in
    /// vain, but never too low.
    idle: usize,
}

impl<I, O> Inner<I, O> {
    /// Claims a sleeping worker for each of so many items that just came; returns how many are to be called.
    fn claim(&mut self, items: usize) -> usize {
        let called = self.idle.min(items);
        self.idle -= called;
        called
    }
}

impl<I: Send + 'static, O: Send + 'static> Queue<I, O> {
    pub(super) fn new(core: Core) -> Arc<Self> {
        core.state.protocol().deliver_per_item();
        Arc::new_cyclic(|this| Self {
            core,
            this: Weak::clone(this),
            inner: Mutex::new(Inner { admission: AdmissionQueue::new(), idle: 0 }),
            called: Condvar::new(),
        })
    }

    /// The pool's run.
    pub(super) fn run(&self) -> Run {
        Run::new(self.this.upgrade().expect("it is called through a reference that keeps it"))
    }

    fn state(&self) -> &State {
        &self.core.state
    }

    fn accept(&self, index: u64, submitted: Submitted<I, O>) -> Accepted<I, O> {
        Accepted::new(&self.run(), index, submitted)
    }

    /// Takes a place in the admission queue. Whether that has credit is told as well.
    pub(super) fn join(&self, submitted: Submitted<I, O>) -> Result<(Position, bool), SubmitError<I>> {
        let mut inner = self.lock();
        if !self.state().is_running() {
            return Err(refusal(submitted.item, self.state()));
        }
        let accept = |index, submitted| self.accept(index, submitted);
        let (position, queued) = inner.admission.join(submitted, &mut self.state().protocol(), accept);
        self.call(inner, usize::from(queued));
        Ok((position, queued))
    }

    /// Takes a place in the admission queue for an item that was fed into a channel, as [`join`](Self::join) does for a submitted one.
    pub(super) fn feed(&self, item: I, fed: &Fed<I, O>) -> Result<(Position, bool), SubmitError<I>> {
        let mut inner = self.lock();
        if !self.state().is_running() {
            return Err(refusal(item, self.state()));
        }
        // Held until the item is in the admission queue: a stream that goes meanwhile finds it there, or was seen to be gone.
        let mut trail = fed.channel.trail();
        if fed.answers.is_closed() {
            return Err(SubmitError::Closed(item));
        }
        let reply = Reply::Many { fed: fed.clone(), before: trail.last };
        let accept = |index, submitted| self.accept(index, submitted);
        let (position, queued) = inner.admission.join(Submitted { item, reply }, &mut self.state().protocol(), accept);
        trail.add(position);
        drop(trail);
        self.call(inner, usize::from(queued));
        Ok((position, queued))
    }

    /// Takes a place in the admission queue, if there is credit.
    pub(super) fn try_join(&self, submitted: Submitted<I, O>) -> Result<Position, SubmitError<I>> {
        let mut inner = self.lock();
        let accept = |index, submitted| self.accept(index, submitted);
        let joined = inner.admission.try_join(submitted, &mut self.state().protocol(), accept);
        match joined {
            Ok(position) => {
                self.call(inner, 1);
                Ok(position)
            }
            Err(refused) if self.state().is_running() => Err(SubmitError::Full(refused.item)),
            Err(refused) => Err(refusal(refused.item, self.state())),
        }
    }

    /// The next item to begin; waits for one. `None`: none will come any more.
    pub(super) fn next(&self) -> Option<Accepted<I, O>> {
        let mut inner = self.lock();
        loop {
            if let Some(accepted) = inner.admission.pop() {
                return Some(accepted);
            }
            if !self.state().is_running() {
                return None;
            }
            // At once, without looking a while longer for an item that may come soon: where other threads want the
            // processor, each such look ends with a time slice of theirs, and an item that relies on the one who
            // looks waits for it.
            inner.idle += 1;
            inner = self.called.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes an item back. `None`: it has begun, or is done.
    pub(super) fn take_back(&self, position: Position) -> Option<I> {
        let left = self.lock().admission.leave(position)?;
        let submitted = match left {
            Left::Waiting(submitted) => submitted,
            Left::Queued(Accepted { submitted, mut permit, .. }) => {
                permit.cancel();
                submitted
            }
        };
        Some(submitted.item)
    }

    /// Drops what was fed into a channel whose stream is gone. This costs what the channel has in the admission queue, whatever others
    /// have there.
    pub(super) fn sweep(&self, channel: &Channel) {
        for leaving in self.take_out(channel).into_iter().rev() {
            match leaving {
                Left::Queued(Accepted { submitted, mut permit, .. }) => {
                    permit.cancel();
                    drop(permit);
                    discard(submitted.item);
                }
                Left::Waiting(Submitted { item, reply }) => {
                    discard(item);
                    reply.wake_sink();
                }
            }
        }
    }

    /// Takes what was fed into a channel out of the admission queue, the last of it first. Nothing more comes by then.
    fn take_out(&self, channel: &Channel) -> Vec<Left<Submitted<I, O>, Accepted<I, O>>> {
        let trail = *channel.trail();
        // The last one may have been sent back while it waited for credit, and the one before it be there still. Apart
        // from that a channel's items leave in order: where one is gone, so are those before it, between portions too.
        let mut from = [trail.last, trail.before];
        let mut left = Vec::new();
        loop {
            let line = &mut self.lock().admission;
            for _ in 0..PORTION {
                let next = from.into_iter().flatten().find_map(|position| line.leave(position));
                let Some(leaving) = next else { return left };
                from = [before(&leaving), None];
                left.push(leaving);
            }
        }
    }

    /// Takes everything out that has credit and has not begun, and tells those who wait for it that it was stopped.
    pub(super) fn clear(&self) -> Vec<I> {
        let queued = self.lock().admission.take_queued();
        let mut items = Vec::new();
        for accepted in queued {
            accepted.stop(self.state(), |item| {
                items.push(item);
                None
            });
        }
        items
    }

    pub(super) fn is_waiting(&self, position: Position) -> bool {
        self.lock().admission.is_waiting(position)
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

impl<I: Send + 'static, O: Send + 'static> Intake for Queue<I, O> {
    fn core(&self) -> &Core {
        &self.core
    }

    fn phase_changed(&self) {
        let mut inner = self.lock();
        let refused = inner.admission.take_waiting();
        let stopped = self.state().is_stopped().then(|| inner.admission.take_queued());
        inner.idle = 0;
        drop(inner);
        self.called.notify_all();
        refused.for_each(|submitted| submitted.refuse(self.state()));
        stopped.into_iter().flatten().for_each(|accepted| accepted.stop(self.state(), Some));
    }

    fn batch_completed(&self) {
        // Submits wait for permits, which `release` hands on, and workers for items.
    }

    fn release(&self, ends: Ends) {
        let mut sinks: Vec<Arc<Channel>> = Vec::new();
        let mut inner = self.lock();
        let admitted = {
            let mut protocol = self.state().protocol();
            protocol.release(ends);
            inner.admission.admit(&mut protocol, |index, submitted| {
                if let Reply::Many { fed, .. } = &submitted.reply {
                    sinks.push(Arc::clone(&fed.channel));
                }
                self.accept(index, submitted)
            })
        };
        self.call(inner, admitted);
        sinks.into_iter().for_each(|channel| channel.turn.wake());
    }

    fn look(&self, look: &mut dyn FnMut(usize, usize)) {
        let inner = self.lock();
        look(inner.admission.queued(), inner.admission.waiting());
    }

    fn is_complete(&self) -> bool {
        self.state().protocol().is_finished()
    }
}

/// Held by everything through which items or results may still pass: the pool's clones, submits, sinks and streams. When
/// the last of them is gone, the pool is closed.
pub(super) struct SharedHandle<I: Send + 'static, O: Send + 'static> {
    pub(super) run: Run,
    pub(super) queue: Arc<Queue<I, O>>,
}

impl<I: Send + 'static, O: Send + 'static> Drop for SharedHandle<I, O> {
    fn drop(&mut self) {
        // Like a source that has no more: nothing is left to submit with.
        self.run.source_ended();
    }
}

/// The place of what was fed into the same channel before this.
fn before<I, O>(leaving: &Left<Submitted<I, O>, Accepted<I, O>>) -> Option<Position> {
    let (Left::Waiting(submitted) | Left::Queued(Accepted { submitted, .. })) = leaving;
    match submitted.reply {
        Reply::One(_) => None,
        Reply::Many { before, .. } => before,
    }
}
