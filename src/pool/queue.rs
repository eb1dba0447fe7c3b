//! The admission queue of a pool, behind its lock.
//!
//! Locks are taken in this order: the queue's, the tail of a channel, the protocol's or that of the set of threads. No code of users runs under them:
//! items, answers and wakers are taken out first, and used after the unlock. What is done under the queue's lock takes
//! constant time, however long the queue is and however many requests leave it at once, except that the queue is
//! compacted now and then (`protocol/fifo.rs`).

use std::sync::{Arc, OnceLock, PoisonError, Weak};
use std::time::Instant;

use crate::engine::reentrancy::SetId;
use crate::engine::run::{Core, Intake, Run, WorkerGuard};
use crate::engine::state::State;
use crate::observe::Submitted;
#[cfg(feature = "nats")]
use crate::observe::TraceContext;
use crate::pool::error::SubmitError;
use crate::pool::held::{Ahead, Held};
use crate::pool::request::{Admitted, AnswerSender, Answered, Channel, Reply, Request, refusal};
use crate::protocol::{AdmissionQueue, Ends, Left, Position, Protocol, RunKey};
use crate::stats::SkipReason;
use crate::util::clock;
use crate::util::panic::discard;
use crate::util::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use crate::util::sync::{Mutex, MutexGuard};
use crate::workers::set::{Running, Set};

/// How many requests of a channel are removed per hold of the lock, which takes some 10 us.
const REMOVALS_PER_LOCK: usize = 128;

/// The admission queue and the run that it admits items to. A request is removed under the lock, by a worker that runs
/// it, by a dropped submission that takes it back, or by a stop that answers it. So no item runs twice, and none runs
/// that was taken back.
pub(super) struct Queue<I, O> {
    core: Core,
    /// A reference to itself, for the run that its permits hold.
    this: Weak<Self>,
    inner: Mutex<Inner<I, O>>,
    /// The threads that serve the pool. Set before anything can be queued.
    threads: OnceLock<(Arc<Set>, RunKey)>,
    /// A copy of the number of answers that are held back, written under the lock. `Relaxed` suffices: what is decided
    /// by it may be decided a moment too late, and the answers themselves are taken under the lock.
    held: AtomicUsize,
    /// Rises when the concurrency changes: see [`Thread::is_crowded`](crate::workers::set::Thread::is_crowded).
    limited: AtomicU64,
}

struct Inner<I, O> {
    admission: AdmissionQueue<Request<I, O>, Admitted<I, O>>,
    /// Answers that are held back.
    held: Held<Answered<I, O>>,
}

impl<I: Send + 'static, O: Send + 'static> Queue<I, O> {
    pub(super) fn new(core: Core) -> Arc<Self> {
        core.state.protocol().deliver_per_item();
        Arc::new_cyclic(|this| Self {
            core,
            this: Weak::clone(this),
            inner: Mutex::new(Inner { admission: AdmissionQueue::new(), held: Held::new() }),
            held: AtomicUsize::new(0),
            limited: AtomicU64::new(0),
            threads: OnceLock::new(),
        })
    }

    /// From now on the threads of `set` serve the pool.
    pub(super) fn is_served_by(&self, set: Arc<Set>, key: RunKey) {
        self.threads.set((Arc::clone(&set), key)).expect("a pool joins one set");
        // It was stopped before that if a thread of the set was refused. Under the lock, which `phase_changed` takes as well:
        // one of the two sees the other.
        let inner = self.lock();
        let is_over = !self.state().is_running();
        drop(inner);
        if is_over {
            set.leave(key);
        }
    }

    /// The pool's run.
    pub(super) fn run(&self) -> Run {
        Run::new(self.this.upgrade().expect("the caller holds a reference"))
    }

    /// Rises when the concurrency changes.
    #[inline]
    pub(super) fn limited(&self) -> &AtomicU64 {
        &self.limited
    }

    fn state(&self) -> &State {
        &self.core.state
    }

    fn admit(&self, index: u64, request: Request<I, O>) -> Admitted<I, O> {
        Admitted::new(self.run(), index, request)
    }

    /// What an item takes along that is submitted on this thread.
    pub(super) fn submitted(&self) -> Option<Box<Submitted>> {
        self.core.observed().map(|observed| Box::new(observed.submitted()))
    }

    /// As [`submitted`](Self::submitted), for an item that came from another process.
    #[cfg(feature = "nats")]
    pub(super) fn submitted_of(&self, trace: Option<&TraceContext>) -> Option<Box<Submitted>> {
        self.core.observed().map(|observed| Box::new(observed.submitted_of(trace)))
    }

    /// Tells the observers that items got their permits. No lock is held.
    fn admitted(&self, items: usize) {
        if let Some(observed) = self.core.observed() {
            observed.taken(items);
        }
    }

    /// Adds a request, with a permit if there is one. Returns its position, and true if it has a permit.
    pub(super) fn join(&self, request: Request<I, O>) -> Result<(Position, bool), SubmitError<I>> {
        let mut inner = self.lock();
        // Under the lock: `phase_changed` takes it after the change, and so refuses each request that joined before.
        if !self.state().is_running() {
            return Err(refusal(request.item, self.state()));
        }
        let admit = |index, request| self.admit(index, request);
        let (position, queued) = inner.admission.join(request, &mut self.state().protocol(), admit);
        self.unlock_and_notify(inner, usize::from(queued));
        self.admitted(usize::from(queued));
        Ok((position, queued))
    }

    /// Adds a request for an item that was fed into a channel, as [`join`](Self::join).
    pub(super) fn feed(&self, item: I, sender: &AnswerSender<I, O>) -> Result<(Position, bool), SubmitError<I>> {
        let (submitted, at) = (self.submitted(), Instant::now());
        let mut inner = self.lock();
        if !self.state().is_running() {
            return Err(refusal(item, self.state()));
        }
        // Locked until the request is in the queue. A stream that is dropped meanwhile closes `answers` before it takes
        // this lock: so either the check below sees it closed, or the stream finds the request.
        let mut tail = sender.channel.tail();
        if sender.answers.is_closed() {
            return Err(SubmitError::Closed(item));
        }
        let reply = Reply::Stream { sender: sender.clone(), previous: tail.last };
        let admit = |index, request| self.admit(index, request);
        let (position, queued) =
            inner.admission.join(Request { item, reply, at, submitted }, &mut self.state().protocol(), admit);
        tail.push(position);
        drop(tail);
        self.unlock_and_notify(inner, usize::from(queued));
        self.admitted(usize::from(queued));
        Ok((position, queued))
    }

    /// Adds a request if there is a permit for it.
    pub(super) fn try_join(&self, request: Request<I, O>) -> Result<Position, SubmitError<I>> {
        let mut inner = self.lock();
        let admit = |index, request| self.admit(index, request);
        let joined = inner.admission.try_join(request, &mut self.state().protocol(), admit);
        match joined {
            Ok(position) => {
                self.unlock_and_notify(inner, 1);
                self.admitted(1);
                Ok(position)
            }
            Err(refused) if self.state().is_running() => Err(SubmitError::Full(refused.item)),
            Err(refused) => Err(refusal(refused.item, self.state())),
        }
    }

    /// Removes the next request to begin, if one is queued.
    pub(super) fn next(&self) -> Option<Admitted<I, O>> {
        self.lock().admission.pop()
    }

    /// Removes the next request to begin, after the one of `answered` has ended at `now`. Its answer is sent before
    /// that, or held back with others.
    pub(super) fn next_after(&self, answered: Answered<I, O>, now: Instant) -> Option<Admitted<I, O>> {
        // Answers that are held back may be sent by several threads at a time, and a stream has its answers in the order
        // in which they were finished.
        let answered = answered.send_to_stream();
        let mut inner = self.lock();
        if let Some(answered) = answered {
            inner.held.push(answered, now);
        }
        loop {
            let expected = self.state().protocol().expected();
            if inner.held.may_wait(Ahead { now, expected, queued: inner.admission.queued() }) {
                self.held.store(inner.held.len(), Relaxed);
                return inner.admission.pop();
            }
            inner = self.send_one_by_one(inner);
        }
    }

    /// Sends the answers that are here. They are not taken all at once: the first one may wake a task that takes this
    /// thread's processor. The task finds the others here then. It would otherwise run and sleep again for each of
    /// them.
    fn send_one_by_one<'a>(&'a self, mut inner: MutexGuard<'a, Inner<I, O>>) -> MutexGuard<'a, Inner<I, O>> {
        for _ in 0..inner.held.sending_begins() {
            let Some(first) = inner.held.pop() else { break };
            self.held.store(inner.held.len(), Relaxed);
            drop(inner);
            first.send();
            inner = self.lock();
        }
        inner.held.sending_ends();
        inner
    }

    /// Sends all answers that are held back.
    pub(super) fn send_held(&self) {
        if self.held.load(Relaxed) == 0 {
            return;
        }
        let mut inner = self.lock();
        if inner.held.len() > 0 {
            self.held.store(0, Relaxed);
            let held = inner.held.take();
            // Under the lock: the worker that held them back has not ended, and finds nothing to send from here on.
            let _guard = WorkerGuard::of_another_thread(&self.run());
            drop(inner);
            held.for_each(Answered::send);
        }
    }

    /// Removes a request and returns its item. `None` if it has begun or has been answered.
    pub(super) fn take_back(&self, position: Position) -> Option<I> {
        let left = self.lock().admission.leave(position)?;
        // The permit is dropped after the unlock: to release it takes the lock again.
        let request = match left {
            Left::Waiting(request) => request,
            Left::Queued(Admitted { request, mut permit, .. }) => {
                permit.cancel(SkipReason::CallerGone);
                request
            }
        };
        Some(request.item)
    }

    /// Drops the items of a channel whose stream was dropped, unless they have begun. This takes time for the requests
    /// of the channel, and none for those of others.
    pub(super) fn drop_items_of(&self, channel: &Channel) {
        for leaving in self.remove_requests_of(channel).into_iter().rev() {
            match leaving {
                Left::Queued(Admitted { request, mut permit, .. }) => {
                    permit.cancel(SkipReason::CallerGone);
                    drop(permit);
                    discard(request.item);
                }
                Left::Waiting(Request { item, reply, .. }) => {
                    discard(item);
                    reply.wake_sink();
                }
            }
        }
    }

    /// Removes the requests of a channel whose stream was dropped, the last one first. None is added any more.
    fn remove_requests_of(&self, channel: &Channel) -> Vec<Left<Request<I, O>, Admitted<I, O>>> {
        let tail = *channel.tail();
        // A drain may have refused the last request, which waited for a permit, while the one before it is still
        // queued. Otherwise the requests of a channel leave the queue in order, also while it is unlocked in between:
        // if one has left, so have all before it.
        let mut from = [tail.last, tail.previous];
        let mut left = Vec::new();
        loop {
            let admission = &mut self.lock().admission;
            for _ in 0..REMOVALS_PER_LOCK {
                let next = from.into_iter().flatten().find_map(|position| admission.leave(position));
                let Some(leaving) = next else { return left };
                from = [previous(&leaving), None];
                left.push(leaving);
            }
        }
    }

    /// Removes all requests that have a permit, answers them as stopped, and returns their items.
    pub(super) fn take_queued(&self) -> Vec<I> {
        let queued = self.lock().admission.take_queued();
        let mut items = Vec::new();
        for admitted in queued {
            admitted.stop(self.state(), |item| {
                items.push(item);
                None
            });
        }
        items
    }

    pub(super) fn is_waiting(&self, position: Position) -> bool {
        self.lock().admission.is_waiting(position)
    }

    /// Unlocks the queue, and wakes threads for `items` new items.
    fn unlock_and_notify(&self, inner: MutexGuard<'_, Inner<I, O>>, items: usize) {
        // While others are queued the threads know that they must come, and none needs to be woken unless one is idle.
        let is_known = |set: &Set| inner.admission.queued() > items && !set.has_idle();
        let threads = self.threads.get().filter(|(set, _)| items > 0 && !is_known(set));
        // Under the lock: `phase_changed` takes it before the threads leave the pool, so they come for these items first.
        let woken = threads.and_then(|(set, key)| set.push_unnotified(*key, items));
        // Then the unlock, so that a thread that wakes finds the lock free.
        drop(inner);
        if let (Some((set, _)), Some(woken)) = (threads, woken) {
            set.notify(woken);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<I, O>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<I: Send + 'static, O: Send + 'static> Intake for Queue<I, O> {
    fn core(&self) -> &Core {
        &self.core
    }

    fn set(&self) -> Option<SetId> {
        self.threads.get().map(|(set, _)| SetId::of(set))
    }

    fn phase_changed(&self) {
        let mut inner = self.lock();
        let refused = inner.admission.take_waiting();
        let stopped = self.state().is_stopped().then(|| inner.admission.take_queued());
        drop(inner);
        // What waits for a permit was refused, so nothing more is queued.
        if let Some((set, key)) = self.threads.get() {
            set.leave(*key);
        }
        refused.for_each(|request| request.refuse(self.state()));
        stopped.into_iter().flatten().for_each(|admitted| admitted.stop(self.state(), Some));
    }

    fn batch_completed(&self) {
        // Wakes no task: callers wait for permits, which `release` passes on, and workers wait for items.
    }

    fn release(&self, ends: Ends) {
        self.change_permits(|protocol| protocol.release(ends));
    }

    fn set_window(&self, window: usize) -> usize {
        self.change_permits(|protocol| protocol.set_window(window))
    }

    fn set_concurrency(&self, concurrency: usize) -> usize {
        let _changing = self.core.changing();
        let before = self.state().protocol().set_workers(concurrency);
        if let Some((set, key)) = self.threads.get() {
            set.set_concurrency(*key, concurrency);
            // Last: a thread that sees this asks the set, which knows by then.
            self.limited.fetch_add(1, SeqCst);
        }
        before
    }

    fn look(&self, look: &mut dyn FnMut(usize, usize)) {
        let inner = self.lock();
        look(inner.admission.queued(), inner.admission.waiting());
    }

    fn is_complete(&self) -> bool {
        self.state().protocol().is_finished()
    }
}

impl<I: Send + 'static, O: Send + 'static> Queue<I, O> {
    /// Changes how many permits are free, and hands them to requests that wait for them.
    fn change_permits<R>(&self, change: impl FnOnce(&mut Protocol) -> R) -> R {
        let mut sinks: Vec<Arc<Channel>> = Vec::new();
        let mut inner = self.lock();
        let (changed, admitted) = {
            let mut protocol = self.state().protocol();
            let changed = change(&mut protocol);
            // Under the same locks, so that a `try_submit` never finds a permit free that a request waits for.
            let admitted = inner.admission.admit(&mut protocol, |index, request| {
                if let Reply::Stream { sender, .. } = &request.reply {
                    sinks.push(Arc::clone(&sender.channel));
                }
                self.admit(index, request)
            });
            (changed, admitted)
        };
        self.unlock_and_notify(inner, admitted);
        self.admitted(admitted);
        sinks.into_iter().for_each(|channel| channel.sink.wake());
        changed
    }
}

/// For as long as a worker holds answers back: the clock sends them if its item takes longer than expected.
impl<I: Send + 'static, O: Send + 'static> Running for Queue<I, O> {
    fn key(&self) -> RunKey {
        self.threads.get().expect("a thread serves it").1
    }

    fn is_worth_sharing(&self, _: u64) -> bool {
        false
    }

    fn share(&self) -> bool {
        false
    }

    fn is_overdue(&self, now: u64) -> bool {
        self.held.load(Relaxed) > 0 && self.lock().held.is_overdue(|due| now > clock::nanos(due))
    }

    fn deliver(&self) {
        self.send_held();
    }
}

/// Held by the clones of a pool, and by its submissions, sinks and streams. Dropping the last of them closes the pool.
pub(super) struct SharedHandle<I: Send + 'static, O: Send + 'static> {
    pub(super) run: Run,
    pub(super) queue: Arc<Queue<I, O>>,
}

impl<I: Send + 'static, O: Send + 'static> Drop for SharedHandle<I, O> {
    fn drop(&mut self) {
        // As if a source had ended: no caller is left that could submit an item.
        self.run.source_ended();
    }
}

/// The position of the request before this one in its channel.
fn previous<I, O>(leaving: &Left<Request<I, O>, Admitted<I, O>>) -> Option<Position> {
    let (Left::Waiting(request) | Left::Queued(Admitted { request, .. })) = leaving;
    match request.reply {
        Reply::Submission(_) => None,
        Reply::Stream { previous, .. } => previous,
    }
}
