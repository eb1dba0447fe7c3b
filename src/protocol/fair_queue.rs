//! Which run a thread of a shared set serves next: fair queueing by time.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

/// Runs that share a set of threads. The run that has had the least service so far is served next, so runs get equal
/// time, whatever one item of theirs costs.
///
/// ```text
/// insert ── (push ── pick ── recharge* ── serve_end)* ── close
/// ```
///
/// A run is *ready* from a push until a thread finds nothing queued for it. It is *waiting* while it is ready and
/// fewer threads than its concurrency serve it. The queue holds no items: a thread that serves a run looks for them
/// where the run keeps them. An item is therefore queued first, and pushed here afterwards.
///
/// A run cannot save up service by not waiting. Whenever it begins to wait, it is lifted to the `virtual_time`: about
/// the least service of the runs that wait. So a run that was idle, or could not use more threads, gets its share from
/// then on, and does not keep the others from theirs until it has caught up. A new run is lifted to the mean service
/// of those that wait: new runs may come without end, each to be served once, and at the least service they would
/// starve a run that has had more.
///
/// Of two runs that always wait, one gets at most as much more than the other as all threads of the set use, or are
/// charged, in one serve each. All operations take O(log runs).
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub(crate) struct FairQueue<T> {
    entries: HashMap<RunKey, Entry<T>>,
    waiting: BTreeSet<Place>,
    /// The sum of their services.
    waiting_service: u128,
    /// Runs that are ready.
    ready: usize,
    next_key: u64,
    picks: u64,
    /// In nanoseconds of service. Never goes back.
    virtual_time: u64,
}

/// A run in the queue. Never used again for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RunKey(u64);

/// A thread serves a run: from [`FairQueue::pick`] to [`FairQueue::serve_end`].
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
#[must_use = "a serve that does not end counts against the concurrency of its run forever"]
pub(crate) struct Serve {
    run: RunKey,
    /// What the run was charged for it so far.
    charged: u64,
    /// The pushes of the run before the pick.
    pushes: u64,
}

impl Serve {
    pub(crate) fn run(&self) -> RunKey {
        self.run
    }
}

#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
struct Entry<T> {
    run: T,
    concurrency: usize,
    /// Threads that serve it.
    threads: usize,
    /// In nanoseconds, with what is charged for the serves that have not ended.
    service: u64,
    turn: Turn,
    pushes: u64,
    is_ready: bool,
    is_closed: bool,
}

/// Decides between runs of equal service. A run that has been picked has the number of its last pick. One that has not
/// comes directly before the run that was picked last when it was inserted: it need not wait for that run a second
/// time, and a sequence of new runs does not hold up one that has waited for longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    pick: u64,
    /// False sorts first.
    was_picked: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    service: u64,
    turn: Turn,
    run: RunKey,
}

impl<T> FairQueue<T> {
    pub(crate) fn new() -> Self {
        Self {
            entries: HashMap::new(),
            waiting: BTreeSet::new(),
            waiting_service: 0,
            ready: 0,
            next_key: 0,
            picks: 0,
            virtual_time: 0,
        }
    }

    /// Adds a run, for which nothing is queued yet. At most `concurrency` threads serve it at a time, and at least one.
    pub(crate) fn insert(&mut self, run: T, concurrency: usize) -> RunKey {
        let key = RunKey(self.next_key);
        self.next_key += 1;
        let entry = Entry {
            run,
            concurrency: concurrency.max(1),
            threads: 0,
            service: self.virtual_time,
            turn: Turn { pick: self.picks, was_picked: false },
            pushes: 0,
            is_ready: false,
            is_closed: false,
        };
        self.entries.insert(key, entry);
        key
    }

    /// Something was queued for the run, which is ready now. Returns false if the run has left: no thread will come for
    /// what was queued. A closed run accepts it until it leaves, as from a thread that serves it and gives items back.
    pub(crate) fn push(&mut self, run: RunKey) -> bool {
        let mean = self.mean_service();
        self.update(run, |entry| {
            if entry.pushes == 0 {
                entry.service = entry.service.max(mean);
            }
            entry.is_ready = true;
            entry.pushes += 1;
        })
        .is_some()
    }

    /// A thread is free: picks the run that it serves. The run is charged `estimate` at once, so that the next free
    /// thread picks another one that has had as little.
    pub(crate) fn pick(&mut self, estimate: Duration) -> Option<(Serve, &T)> {
        let run = self.waiting.first()?.run;
        let charged = nanos(estimate);
        self.picks += 1;
        let turn = Turn { pick: self.picks, was_picked: true };
        let pushes = self.update(run, |entry| {
            entry.threads += 1;
            entry.service = entry.service.saturating_add(charged);
            entry.turn = turn;
            entry.pushes
        })?;
        self.advance(run);
        Some((Serve { run, charged, pushes }, &self.entries[&run].run))
    }

    /// A serve goes on, and has `used` more than was charged for it: the run is charged with that. Runs that begin to
    /// wait during a long serve are then lifted to what it really got.
    pub(crate) fn recharge(&mut self, serve: &mut Serve, used: Duration) {
        let more = nanos(used).saturating_sub(serve.charged);
        if more > 0 {
            serve.charged += more;
            self.update(serve.run, |entry| entry.service = entry.service.saturating_add(more));
            self.advance(serve.run);
        }
    }

    /// Returns true if more threads serve the run than may, since its concurrency was lowered: one of them should end its
    /// serve.
    pub(crate) fn is_crowded(&self, run: RunKey) -> bool {
        self.entries.get(&run).is_some_and(|entry| entry.threads > entry.concurrency)
    }

    /// Changes how many threads serve the run at a time, at least one. Those that are too many by that go on until their
    /// serves end. Returns how many more may serve it than before.
    pub(crate) fn set_concurrency(&mut self, run: RunKey, concurrency: usize) -> usize {
        let more = self.update(run, |entry| {
            let before = std::mem::replace(&mut entry.concurrency, concurrency.max(1));
            entry.concurrency.saturating_sub(before)
        });
        more.unwrap_or(0)
    }

    /// Returns true if another run waits that has had less service than this one, whose serve has `used` so much so
    /// far. A caller that wants to go on for a while beside equal runs takes that time off `used`.
    pub(crate) fn is_contended(&self, serve: &Serve, used: Duration) -> bool {
        let Some(entry) = self.entries.get(&serve.run) else { return false };
        let service = (entry.service - serve.charged).saturating_add(nanos(used));
        // Its own place may be the first one, and only that.
        let mut others = self.waiting.iter().take(2).filter(|place| place.run != serve.run);
        others.next().is_some_and(|other| other.service < service)
    }

    /// The thread no longer serves the run. `found` is false if the thread looked, after the pick, and nothing was
    /// queued: then the run is no longer ready, unless there was a push since the pick. That push may have come after
    /// the look.
    ///
    /// Returns the run if it leaves: it is closed, not ready, and no thread serves it.
    pub(crate) fn serve_end(&mut self, serve: Serve, used: Duration, found: bool) -> Option<T> {
        let Serve { run, charged, pushes } = serve;
        self.update(run, |entry| {
            entry.threads -= 1;
            entry.service = (entry.service - charged).saturating_add(nanos(used));
            if !found && entry.pushes == pushes {
                entry.is_ready = false;
            }
        });
        self.advance(run);
        self.leave(run)
    }

    /// The run takes nothing in any more. It leaves when it is not ready and no thread serves it; returns it if that is
    /// so now.
    pub(crate) fn close(&mut self, run: RunKey) -> Option<T> {
        self.update(run, |entry| entry.is_closed = true);
        self.leave(run)
    }

    /// The run of this key, unless it has left.
    pub(crate) fn get_mut(&mut self, run: RunKey) -> Option<&mut T> {
        self.entries.get_mut(&run).map(|entry| &mut entry.run)
    }

    /// All runs that have not left.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.entries.values().map(|entry| &entry.run)
    }

    /// Returns true if fewer threads serve the run than its concurrency allows.
    pub(crate) fn has_room(&self, run: RunKey) -> bool {
        self.entries.get(&run).is_some_and(|entry| entry.threads < entry.concurrency)
    }

    /// Runs that have not left.
    pub(crate) fn runs(&self) -> usize {
        self.entries.len()
    }

    /// Runs that are ready.
    #[cfg(test)]
    pub(crate) fn ready(&self) -> usize {
        self.ready
    }

    /// Runs that a free thread would serve.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// What decides about all further steps, for a model: of numbers that only grow, their order and their distances.
    /// `serves` are those that have not ended.
    #[cfg(test)]
    pub(crate) fn decides(&self, serves: &[Option<Serve>]) -> Vec<u64> {
        let base = self.entries.values().map(|entry| entry.service).fold(self.virtual_time, u64::min);
        let next_turn = Turn { pick: self.picks, was_picked: false };
        let turns: BTreeSet<_> = self.entries.values().map(|entry| entry.turn).chain([next_turn]).collect();
        let rank = |turn| turns.iter().position(|other| *other == turn).unwrap_or(0) as u64;
        let mut keys: Vec<_> = self.entries.keys().copied().collect();
        keys.sort_unstable();
        let mut decides = vec![self.virtual_time - base, rank(next_turn)];
        for key in keys {
            let entry = &self.entries[&key];
            let flags = [entry.pushes == 0, entry.is_ready, entry.is_closed].map(u64::from);
            decides.extend([key.0, entry.threads as u64, entry.service - base, rank(entry.turn)]);
            decides.extend(flags);
        }
        for serve in serves {
            // Further pushes since the pick matter, not how many.
            let is_newest =
                |serve: &Serve| self.entries.get(&serve.run).is_some_and(|entry| entry.pushes == serve.pushes);
            decides.extend(
                serve
                    .as_ref()
                    .map_or([u64::MAX, 0, 0], |serve| [serve.run.0, serve.charged, u64::from(is_newest(serve))]),
            );
        }
        decides
    }

    /// Changes an entry, and its place with it. If the run begins to wait by that, it is lifted to the virtual time.
    fn update<R>(&mut self, run: RunKey, change: impl FnOnce(&mut Entry<T>) -> R) -> Option<R> {
        let entry = self.entries.get_mut(&run)?;
        let (was_ready, was_waiting) = (entry.is_ready, entry.is_waiting());
        let before = entry.place(run);
        let result = change(entry);
        let is_waiting = entry.is_waiting();
        if is_waiting && !was_waiting {
            entry.service = entry.service.max(self.virtual_time);
        }
        let after = entry.place(run);
        match (was_ready, entry.is_ready) {
            (false, true) => self.ready += 1,
            (true, false) => self.ready -= 1,
            _ => {}
        }
        if (was_waiting, before) != (is_waiting, after) {
            if was_waiting {
                self.waiting.remove(&before);
                self.waiting_service -= u128::from(before.service);
            }
            if is_waiting {
                self.waiting.insert(after);
                self.waiting_service += u128::from(after.service);
            }
        }
        Some(result)
    }

    /// Moves the virtual time on, after the service of `run` has changed: to the least of it and of the runs that wait.
    ///
    /// `run` may not wait any more, but its service must count. The virtual time would otherwise stand still while new
    /// runs come and leave one after the other, and a run that has had more than them would never be served. Runs that
    /// other threads serve and that do not wait must not count: one that uses all its concurrency falls behind for
    /// that reason alone, and new runs would be inserted as far behind.
    fn advance(&mut self, run: RunKey) {
        let service = self.entries[&run].service;
        let least = self.waiting.first().map_or(service, |first| first.service.min(service));
        self.virtual_time = self.virtual_time.max(least);
    }

    /// The mean service of the runs that wait, rounded up: a new run then soon has as much as the last of them.
    fn mean_service(&self) -> u64 {
        let mean = self.waiting_service.div_ceil(self.waiting.len().max(1) as u128);
        u64::try_from(mean).expect("each of them fits")
    }

    fn leave(&mut self, run: RunKey) -> Option<T> {
        let entry = self.entries.get(&run)?;
        let leaves = entry.is_closed && !entry.is_ready && entry.threads == 0;
        leaves.then(|| self.entries.remove(&run)).flatten().map(|entry| entry.run)
    }
}

impl<T> Entry<T> {
    fn is_waiting(&self) -> bool {
        self.is_ready && self.threads < self.concurrency
    }

    fn place(&self, run: RunKey) -> Place {
        Place { service: self.service, turn: self.turn, run }
    }
}

/// At least 1: a run whose serves are too short to be measured must not be served forever.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests;
