//! A set of worker threads, and which run each of them serves next.
//!
//! A run (a pipeline or a pool) joins a set, queues its items itself, and tells the set that it has some. A thread that
//! has nothing to do serves the run that has had the least service so far. Where no run has anything queued, the thread
//! looks for a batch of which another thread has not begun everything, and takes half of the rest.
//!
//! The lock of a set is held for a few hundred nanoseconds. Neither code of users nor the lock of a run is taken under
//! it.

use std::any::Any;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::engine::home;
use crate::engine::opening::Opening;
use crate::engine::reentrancy::{self, SetId};
use crate::engine::run::WorkerGuard;
use crate::error::PipelineError;
use crate::protocol::{FairQueue, RunKey, Serve};
use crate::util::clock::{self, CLOCK, Tick};
use crate::util::panic::discard;
use crate::util::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use crate::util::sync::{Condvar, Mutex, MutexGuard};

/// What a run is charged when a thread begins to serve it. It is corrected when the thread is done.
const ESTIMATE: Duration = Duration::from_micros(100);

/// How long a thread serves a run before it asks whether another one should be served.
pub(crate) const QUANTUM: Duration = Duration::from_millis(2);

/// A run as the threads of its set see it.
pub(crate) trait Member: Send + Sync {
    /// Runs what is queued: a batch, or items for about as long as a batch takes. Returns false if nothing was queued.
    fn serve(self: Arc<Self>, key: RunKey, thread: &mut Thread) -> bool;

    /// Builds what this thread needs to run items, before there are any.
    fn prepare(self: Arc<Self>, key: RunKey, thread: &mut Thread);

    /// Called once, on a worker thread, when nothing is queued or running, nothing will be queued, and no thread keeps
    /// anything for the run.
    fn retire(&self);

    /// The operating system refused a thread of the set.
    fn refuse(&self, error: &PipelineError);
}

/// A batch that is run by one thread, and of which other threads may take a part.
pub(crate) trait Running: Send + Sync {
    /// The run that it belongs to.
    fn key(&self) -> RunKey;

    /// Returns true if another thread should take a part of what has not begun. `now` is by the coarse clock.
    fn is_worth_sharing(&self, now: u64) -> bool;

    /// Queues a part of what has not begun for other threads. Returns false if there is none.
    fn share(&self) -> bool;

    /// Returns true if finished results have waited for a while for the item that runs.
    fn is_overdue(&self, now: u64) -> bool;

    /// Sends the finished results on.
    fn deliver(&self);
}

/// See the file.
pub(crate) struct Set {
    inner: Mutex<Inner>,
    /// One per thread, all of them with the lock of `inner`: a thread is woken for what it alone can do.
    wake: Box<[Condvar]>,
    slots: Box<[Slot]>,
    /// Threads that sleep or are about to. A thread counts itself before it looks for a batch to share, and a thread
    /// that begins a batch reads this after it has published the batch: so one of the two sees the other.
    idle: AtomicUsize,
}

struct Inner {
    queue: FairQueue<Joined>,
    /// Threads that sleep. The last one went to sleep last, and is the first to be woken: its cache is the warmest.
    sleeping: Vec<usize>,
    /// Per thread: set by what wakes it. A thread that wakes without it sleeps on.
    woken: Vec<bool>,
    /// Per thread: what it alone can do.
    errands: Vec<VecDeque<Errand>>,
    /// What any thread can do.
    anyones: VecDeque<Errand>,
    /// Rises when a batch is to be shared: a thread that has looked for one before looks again.
    offers: u64,
    /// The threads end once no run is left.
    closing: bool,
    /// The refusal of a thread, which all further runs get.
    refused: Option<PipelineError>,
}

/// A run that has joined the set.
struct Joined {
    member: Arc<dyn Member>,
    /// The threads that keep something for it.
    seats: Vec<usize>,
}

/// What a thread publishes of the batch that it runs.
#[derive(Default)]
struct Slot {
    running: Mutex<Option<Arc<dyn Running>>>,
    /// Nanoseconds in which the thread served runs.
    busy: AtomicU64,
}

enum Errand {
    /// Builds what the thread needs for a run.
    Prepare(RunKey, Arc<dyn Member>),
    /// Drops what the thread keeps for a run.
    Leave(RunKey, #[allow(dead_code, reason = "its drop retires the run")] Arc<Retiring>),
}

/// A run that is left by its threads. The last reference retires it.
struct Retiring(Arc<dyn Member>);

impl Drop for Retiring {
    fn drop(&mut self) {
        self.0.retire();
    }
}

/// What a thread does next.
enum Next {
    Errand(Errand),
    Serve(Serve, Arc<dyn Member>),
    End,
}

/// Threads that have been woken, and are to be notified.
#[derive(Default)]
#[must_use = "a woken thread that is not notified sleeps on"]
pub(crate) struct Woken {
    /// By itself, so that no memory is allocated for one thread.
    first: Option<usize>,
    others: Vec<usize>,
}

impl Woken {
    fn add(&mut self, thread: Option<usize>) {
        match self.first {
            None => self.first = thread,
            Some(_) => self.others.extend(thread),
        }
    }
}

/// What came of serving a run.
struct Served {
    used: Duration,
    found: bool,
}

/// The worker thread, as the runs see it that it serves.
pub(crate) struct Thread {
    id: usize,
    set: Arc<Set>,
    /// The run that it serves, and since when.
    serving: Option<(Serve, Instant)>,
    /// How often the run's concurrency had been set when this thread asked whether it is one too many; 0 before.
    limited_seen: u64,
    /// What it keeps for runs whose work is built once per thread.
    seats: BTreeMap<RunKey, Box<dyn Any>>,
}

impl Set {
    pub(crate) fn new(threads: usize) -> Arc<Self> {
        let set = Arc::new(Self {
            inner: Mutex::new(Inner {
                queue: FairQueue::new(),
                sleeping: Vec::with_capacity(threads),
                woken: vec![false; threads],
                errands: (0..threads).map(|_| VecDeque::new()).collect(),
                anyones: VecDeque::new(),
                offers: 0,
                closing: false,
                refused: None,
            }),
            wake: (0..threads).map(|_| Condvar::new()).collect(),
            slots: (0..threads).map(|_| Slot::default()).collect(),
            idle: AtomicUsize::new(0),
        });
        let tick: Weak<dyn Tick> = Arc::downgrade(&(Arc::clone(&set) as Arc<dyn Tick>));
        clock::on_tick(tick);
        set
    }

    pub(crate) fn threads(&self) -> usize {
        self.slots.len()
    }

    /// A run joins. At most `concurrency` threads serve it at a time. `prepare`: each thread builds at once what it
    /// needs for the run.
    pub(crate) fn join(&self, concurrency: usize, prepare: bool, member: Arc<dyn Member>) -> RunKey {
        let mut inner = self.lock();
        let refused = inner.refused.clone();
        let key = inner.queue.insert(Joined { member: Arc::clone(&member), seats: Vec::new() }, concurrency);
        if prepare {
            let errand = || Errand::Prepare(key, Arc::clone(&member));
            inner.errands.iter_mut().for_each(|errands| errands.push_back(errand()));
        }
        self.unlock_and_wake(inner, if prepare { usize::MAX } else { 0 });
        if let Some(error) = refused {
            member.refuse(&error);
        }
        key
    }

    /// The run has queued something. Wakes up to `threads` threads that sleep. Returns false if the run has retired: no
    /// thread will come.
    pub(crate) fn push(&self, key: RunKey, threads: usize) -> bool {
        let pushed = self.push_unnotified(key, threads);
        let comes = pushed.is_some();
        self.notify(pushed.unwrap_or_default());
        comes
    }

    /// [`push`](Self::push), for a caller that holds a lock which the woken threads will take: it notifies them after
    /// the unlock. `None` if the run has retired.
    pub(crate) fn push_unnotified(&self, key: RunKey, threads: usize) -> Option<Woken> {
        let mut inner = self.lock();
        inner.queue.push(key).then(|| inner.wake_up_to(threads))
    }

    /// At most `concurrency` threads serve the run at a time from now on. Those that are too many by that end their serves
    /// when they ask whether it is [crowded](Thread::is_crowded); if more may, they are woken.
    pub(crate) fn set_concurrency(&self, key: RunKey, concurrency: usize) {
        let mut inner = self.lock();
        let more = inner.queue.set_concurrency(key, concurrency);
        if more > 0 {
            // Where nothing of it is queued, there may be a batch to share.
            inner.offers += 1;
            self.unlock_and_wake(inner, more);
        }
    }

    /// The run queues no more. Once nothing of it is queued or running, it retires.
    pub(crate) fn leave(&self, key: RunKey) {
        let mut inner = self.lock();
        let retired = inner.queue.close(key);
        let woken = Self::retire(&mut inner, key, retired);
        drop(inner);
        self.notify(woken);
    }

    /// No run joins any more; the threads end once none is left.
    pub(crate) fn close(&self) {
        let mut inner = self.lock();
        inner.closing = true;
        self.unlock_and_wake(inner, usize::MAX);
    }

    /// A thread was refused: fails all runs. What is left of them is ended by this thread, in the place of the one that
    /// was refused, unless others have started.
    pub(crate) fn refuse(self: &Arc<Self>, error: &PipelineError, id: usize) {
        let members: Vec<_> = {
            let mut inner = self.lock();
            inner.refused = Some(error.clone());
            inner.queue.iter().map(|joined| Arc::clone(&joined.member)).collect()
        };
        members.iter().for_each(|member| member.refuse(error));
        drop(members);
        self.work(id);
    }

    /// How many runs have joined and have not retired.
    pub(crate) fn runs(&self) -> usize {
        self.lock().queue.runs()
    }

    /// [`runs`](Self::runs), but for this one.
    pub(crate) fn runs_besides(&self, key: RunKey) -> usize {
        let queue = &mut self.lock().queue;
        queue.runs() - usize::from(queue.get_mut(key).is_some())
    }

    /// How long the threads have served runs, in all.
    pub(crate) fn busy(&self) -> Duration {
        Duration::from_nanos(self.slots.iter().map(|slot| slot.busy.load(Relaxed)).sum())
    }

    /// Returns true if a thread has nothing to do.
    #[inline]
    pub(crate) fn has_idle(&self) -> bool {
        self.idle.load(Relaxed) > 0
    }

    /// Wakes a thread that sleeps, to share a batch of the run, if another thread may serve it.
    pub(crate) fn offer(&self, key: RunKey) {
        let mut inner = self.lock();
        if inner.queue.has_room(key) {
            inner.offers += 1;
            self.unlock_and_wake(inner, 1);
        }
    }

    /// The life of the thread `id`.
    pub(crate) fn work(self: &Arc<Self>, id: usize) {
        // Until the thread ends: it runs code of users between two serves as well, as in the drop of a work.
        let _belonging = reentrancy::belong_to(SetId::of(self));
        let mut thread = Thread { id, set: Arc::clone(self), serving: None, limited_seen: 0, seats: BTreeMap::new() };
        let mut served = None;
        loop {
            match self.next(id, served.take()) {
                Next::Errand(Errand::Prepare(key, member)) => member.prepare(key, &mut thread),
                Next::Errand(Errand::Leave(key, retiring)) => {
                    // In this order: the run ends when the last thread has left it.
                    discard(thread.seats.remove(&key));
                    drop(retiring);
                }
                Next::Serve(serve, member) => {
                    let (key, began) = (serve.run(), Instant::now());
                    thread.serving = Some((serve, began));
                    thread.limited_seen = 0;
                    let found = member.serve(key, &mut thread);
                    let used = began.elapsed();
                    self.slots[id].busy.fetch_add(nanos(used), Relaxed);
                    served = thread.serving.take().map(|(serve, _)| (serve, Served { used, found }));
                }
                Next::End => {
                    debug_assert!(thread.seats.is_empty(), "each run that has retired was left");
                    return;
                }
            }
        }
    }

    /// Ends what the thread did before, and finds what it does next; sleeps until there is something.
    fn next(&self, id: usize, served: Option<(Serve, Served)>) -> Next {
        let mut inner = self.lock();
        if let Some((serve, Served { used, found })) = served {
            let key = serve.run();
            let retired = inner.queue.serve_end(serve, used, found);
            let woken = Self::retire(&mut inner, key, retired);
            if woken.first.is_some() {
                drop(inner);
                self.notify(woken);
                inner = self.lock();
            }
        }
        if let Some(next) = inner.find(id) {
            return next;
        }
        self.idle.fetch_add(1, SeqCst);
        let next = self.wait(id, inner);
        self.idle.fetch_sub(1, SeqCst);
        next
    }

    fn wait<'a>(&'a self, id: usize, mut inner: MutexGuard<'a, Inner>) -> Next {
        let mut looked_at = None;
        loop {
            if let Some(next) = inner.find(id) {
                return next;
            }
            if looked_at != Some(inner.offers) {
                looked_at = Some(inner.offers);
                drop(inner);
                // What it shares is pushed, so the next look finds it.
                if self.share_of_another(id) {
                    looked_at = None;
                }
                inner = self.lock();
                continue;
            }
            inner.sleeping.push(id);
            while !inner.woken[id] {
                // Sleeps at once instead of spinning for a while first. If other threads want the processor, a spinning
                // worker is preempted by them, and the item that it should take waits until it runs again.
                inner = self.wake[id].wait(inner).unwrap_or_else(PoisonError::into_inner);
            }
            inner.woken[id] = false;
            looked_at = None;
        }
    }

    /// Makes another thread's batch share what it has not begun.
    fn share_of_another(&self, id: usize) -> bool {
        let now = CLOCK.coarse();
        // From the next thread on, so that not all of them come to the same batch.
        let (before, after) = self.slots.split_at(id);
        after.iter().skip(1).chain(before).any(|slot| {
            let running = slot.running();
            running.is_some_and(|running| {
                // Otherwise no thread could take what is shared.
                running.is_worth_sharing(now) && self.lock().queue.has_room(running.key()) && running.share()
            })
        })
    }

    /// Lets the threads leave a run that has retired.
    fn retire(inner: &mut Inner, key: RunKey, retired: Option<Joined>) -> Woken {
        let mut woken = Woken::default();
        let Some(Joined { member, seats }) = retired else { return woken };
        let retiring = Arc::new(Retiring(member));
        if seats.is_empty() {
            inner.anyones.push_back(Errand::Leave(key, retiring));
            woken.add(inner.wake_any());
        } else {
            for id in seats {
                inner.errands[id].push_back(Errand::Leave(key, Arc::clone(&retiring)));
                woken.add(inner.wake(id));
            }
        }
        if inner.closing && inner.queue.runs() == 0 {
            while let Some(id) = inner.wake_any() {
                woken.add(Some(id));
            }
        }
        woken
    }

    fn unlock_and_wake(&self, mut inner: MutexGuard<'_, Inner>, threads: usize) {
        let woken = inner.wake_up_to(threads);
        drop(inner);
        self.notify(woken);
    }

    /// Notifies threads that were woken.
    pub(crate) fn notify(&self, woken: Woken) {
        woken.first.into_iter().chain(woken.others).for_each(|id| self.wake[id].notify_one());
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn find(&mut self, id: usize) -> Option<Next> {
        if let Some(errand) = self.errands[id].pop_front().or_else(|| self.anyones.pop_front()) {
            return Some(Next::Errand(errand));
        }
        if let Some((serve, joined)) = self.queue.pick(ESTIMATE) {
            return Some(Next::Serve(serve, Arc::clone(&joined.member)));
        }
        (self.closing && self.queue.runs() == 0).then_some(Next::End)
    }

    fn wake_up_to(&mut self, threads: usize) -> Woken {
        let mut woken = Woken::default();
        for _ in 0..threads {
            let Some(id) = self.wake_any() else { break };
            woken.add(Some(id));
        }
        woken
    }

    /// Wakes the thread that went to sleep last. The caller notifies it.
    fn wake_any(&mut self) -> Option<usize> {
        let id = self.sleeping.pop()?;
        self.woken[id] = true;
        Some(id)
    }

    /// Wakes this thread if it sleeps. The caller notifies it.
    fn wake(&mut self, id: usize) -> Option<usize> {
        let at = self.sleeping.iter().position(|sleeping| *sleeping == id)?;
        self.sleeping.remove(at);
        self.woken[id] = true;
        Some(id)
    }
}

impl Slot {
    fn running(&self) -> Option<Arc<dyn Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Tick for Set {
    fn tick(&self, now: u64) -> bool {
        let mut goes_on = false;
        for running in self.slots.iter().filter_map(Slot::running) {
            goes_on = true;
            if self.has_idle() && running.is_worth_sharing(now) {
                self.offer(running.key());
            }
            if running.is_overdue(now) {
                // On a thread whose stack is large enough for what a `Drop` of users may need, if there is no consumer.
                home::spawn(move || running.deliver());
            }
        }
        goes_on
    }
}

impl Thread {
    pub(crate) fn id(&self) -> usize {
        self.id
    }

    pub(crate) fn set(&self) -> &Arc<Set> {
        &self.set
    }

    /// Takes what this thread keeps for the run.
    pub(crate) fn take_seat<T: 'static>(&mut self, key: RunKey) -> Option<Box<T>> {
        let seat = self.seats.remove(&key)?;
        Some(seat.downcast().expect("a run keeps one type"))
    }

    /// Keeps something for the run, until the run retires.
    pub(crate) fn keep_seat<T: 'static>(&mut self, key: RunKey, seat: Box<T>) {
        self.seats.insert(key, seat);
    }

    /// What the threads of the run share, and a guard of this thread. `keeps`: it will keep something for the run. `None`
    /// once the run has retired, or has left before this thread prepared what it keeps.
    pub(crate) fn enter<T: Clone>(&self, opening: &Opening<T>, key: RunKey, keeps: bool) -> Option<(T, WorkerGuard)> {
        let entered = opening.enter()?;
        if keeps && !self.sit_down(key) {
            discard(entered);
            return None;
        }
        Some(entered)
    }

    /// Tells the set that this thread will keep something for the run, the first time. Returns false if the run has
    /// left: then the thread must keep nothing, because it would not be told to drop it.
    pub(crate) fn sit_down(&self, key: RunKey) -> bool {
        let mut inner = self.set.lock();
        let Some(joined) = inner.queue.get_mut(key) else { return false };
        joined.seats.push(self.id);
        true
    }

    /// Returns true if more threads serve the run than may, by [`Set::set_concurrency`]: this one should end its serve.
    /// `limited` counts how often the concurrency was set; the lock is taken only when that has changed.
    #[inline]
    pub(crate) fn is_crowded(&mut self, limited: &AtomicU64) -> bool {
        let now = limited.load(Relaxed);
        if now == self.limited_seen {
            return false;
        }
        self.limited_seen = now;
        self.serving.as_ref().is_some_and(|(serve, _)| self.set.lock().queue.is_crowded(serve.run()))
    }

    /// Returns true if this thread should serve another run by now, which has had less, or if too many serve this one.
    pub(crate) fn is_contended(&mut self) -> bool {
        let Some((serve, began)) = &mut self.serving else { return false };
        let used = began.elapsed();
        let queue = &mut self.set.lock().queue;
        queue.recharge(serve, used);
        queue.is_contended(serve, used) || queue.is_crowded(serve.run())
    }

    /// Publishes the batch that this thread runs.
    pub(crate) fn publish(&self, running: Arc<dyn Running>) {
        *self.set.slots[self.id].running.lock().unwrap_or_else(PoisonError::into_inner) = Some(running);
    }

    /// The batch that was published has ended.
    pub(crate) fn retract(&self) {
        let running = self.set.slots[self.id].running.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(running);
    }
}

impl fmt::Debug for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Set").field("threads", &self.threads()).finish_non_exhaustive()
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(all(test, shuttle))]
mod interleavings;
