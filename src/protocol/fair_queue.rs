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
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NANO: Duration = Duration::from_nanos(1);
    const MAX: usize = usize::MAX;

    impl<T: Copy> FairQueue<T> {
        /// One whole serve; returns the run.
        fn serve(&mut self, used: u32) -> T {
            let (serve, run) = self.pick(used * NANO).expect("a run waits");
            let run = *run;
            assert!(self.serve_end(serve, used * NANO, true).is_none());
            run
        }
    }

    /// A queue of runs that are always ready.
    fn ready(runs: usize, concurrency: usize) -> (FairQueue<usize>, Vec<RunKey>) {
        let mut queue = FairQueue::new();
        let keys: Vec<_> = (0..runs).map(|run| queue.insert(run, concurrency)).collect();
        keys.iter().for_each(|key| assert!(queue.push(*key)));
        (queue, keys)
    }

    #[test]
    fn equal_runs_take_turns_and_a_thread_avoids_what_another_one_serves() {
        let (mut queue, _) = ready(3, MAX);
        assert_eq!([(); 6].map(|()| queue.serve(0)), [0, 1, 2, 0, 1, 2]);
        let serves = [(); 4].map(|()| queue.pick(5 * NANO).map(|(serve, run)| (serve, *run)).unwrap());
        assert_eq!([0, 1, 2, 3].map(|at| serves[at].1), [0, 1, 2, 0]);
        assert_eq!((queue.runs(), queue.ready(), queue.waiting()), (3, 3, 3));
    }

    #[test]
    fn a_run_of_short_serves_is_served_as_long_as_one_of_long_serves() {
        let (mut queue, _) = ready(2, MAX);
        let mut used = [0, 0];
        for _ in 0..10_000 {
            let (serve, run) = queue.pick(3 * NANO).map(|(serve, run)| (serve, *run)).unwrap();
            let cost = [1, 1000][run];
            used[run] += cost;
            assert!(queue.serve_end(serve, cost * NANO, true).is_none());
        }
        assert!(used[0].abs_diff(used[1]) <= 1000, "{used:?}");
    }

    #[test]
    fn a_new_or_idle_run_is_next_but_gets_no_more_than_its_share() {
        let mut queue = FairQueue::new();
        let [old, idle] = [0, 1].map(|run| queue.insert(run, MAX));
        queue.push(old);
        (0..100).for_each(|_| assert_eq!(queue.serve(10), 0));
        let new = queue.insert(2, MAX);
        queue.push(new);
        queue.push(idle);
        assert_eq!([(); 6].map(|()| queue.serve(10)), [1, 2, 0, 1, 2, 0]);
    }

    #[test]
    fn new_runs_that_come_without_end_do_not_starve_one_that_has_had_more() {
        let (mut queue, _) = ready(1, MAX);
        assert_eq!(queue.serve(100), 0);
        let served = (0..100).take_while(|_| {
            let new = queue.insert(1, MAX);
            queue.push(new);
            queue.serve(10) == 1
        });
        assert!(served.count() <= 11);
    }

    #[test]
    fn a_run_that_uses_all_its_concurrency_saves_nothing_up() {
        let mut queue = FairQueue::new();
        let [narrow, wide] = [1, MAX].map(|concurrency| queue.insert(concurrency, concurrency));
        queue.push(narrow);
        queue.push(wide);
        let mut narrow_serve = queue.pick(NANO).unwrap().0;
        for _ in 0..50 {
            // Three threads serve the wide run as long as one serves the narrow one.
            (0..30).for_each(|_| assert_eq!(queue.serve(10), MAX));
            queue.recharge(&mut narrow_serve, 100 * NANO);
            queue.serve_end(narrow_serve, 100 * NANO, true);
            let (serve, run) = queue.pick(NANO).unwrap();
            assert_eq!(*run, 1, "the narrow run is next whenever it waits");
            narrow_serve = serve;
        }
        let new = queue.insert(2, MAX);
        queue.push(new);
        let runs: Vec<_> = (0..10).map(|_| queue.serve(10)).collect();
        assert_eq!(runs.iter().filter(|run| **run == MAX).count(), 5, "{runs:?}");
    }

    #[test]
    fn a_serve_is_contended_once_another_run_has_had_less() {
        let (mut queue, keys) = ready(2, MAX);
        let (mut serve, _) = queue.pick(100 * NANO).unwrap();
        assert_eq!(serve.run(), keys[0]);
        assert!(queue.is_contended(&serve, 5 * NANO));
        // The other one is served too, and has been charged more.
        let (other, _) = queue.pick(100 * NANO).unwrap();
        assert!(!queue.is_contended(&serve, 100 * NANO) && queue.is_contended(&serve, 101 * NANO));
        queue.recharge(&mut serve, 150 * NANO);
        assert!(!queue.is_contended(&serve, 100 * NANO) && queue.is_contended(&serve, 150 * NANO));
        assert!(!queue.is_contended(&other, 150 * NANO));
        // Alone.
        queue.serve_end(other, 100 * NANO, false);
        assert!(!queue.is_contended(&serve, 1000 * NANO));
    }

    #[test]
    fn a_push_during_the_serve_is_not_lost() {
        let (mut queue, keys) = ready(1, MAX);
        let (serve, _) = queue.pick(NANO).unwrap();
        queue.push(keys[0]);
        assert_eq!((queue.serve_end(serve, NANO, false), queue.ready()), (None, 1));
        let (serve, _) = queue.pick(NANO).unwrap();
        assert_eq!((queue.serve_end(serve, NANO, false), queue.ready(), queue.waiting()), (None, 0, 0));
        assert!(queue.pick(NANO).is_none());
        assert_eq!((queue.close(keys[0]), queue.close(keys[0]), queue.runs()), (Some(0), None, 0));
        assert!(!queue.push(keys[0]));
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Insert {
            concurrency: usize,
        },
        /// An item is queued for a run.
        Queue(usize),
        /// And pushed, if that was not done yet.
        Push(usize),
        Pick {
            estimate: u32,
        },
        /// A thread looks for an item, if it has not done so.
        Look(usize),
        Recharge(usize, u32),
        /// The serve of a thread that has looked ends.
        End(usize, u32),
        Close(usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            1 => (1usize..4).prop_map(|concurrency| Step::Insert { concurrency }),
            3 => (0usize..64).prop_map(Step::Queue),
            3 => (0usize..64).prop_map(Step::Push),
            4 => (0u32..20).prop_map(|estimate| Step::Pick { estimate }),
            4 => (0usize..64).prop_map(Step::Look),
            1 => (0usize..64, 0u32..40).prop_map(|(thread, used)| Step::Recharge(thread, used)),
            4 => (0usize..64, 0u32..40).prop_map(|(thread, used)| Step::End(thread, used)),
            1 => (0usize..64).prop_map(Step::Close),
        ];
        prop::collection::vec(step, 0..200)
    }

    /// What is true of a run, whatever the queue says.
    struct Run {
        key: RunKey,
        concurrency: usize,
        queued: usize,
        /// Of these, items that no push has told of yet. Another item's push may tell of them.
        untold: usize,
        is_closed: bool,
        has_left: bool,
        service: u64,
    }

    struct Thread {
        serve: Serve,
        run: usize,
        found: Option<bool>,
    }

    struct World {
        queue: FairQueue<usize>,
        runs: Vec<Run>,
        threads: Vec<Thread>,
    }

    impl World {
        fn step(&mut self, step: Step) {
            match step {
                Step::Insert { concurrency } => {
                    let key = self.queue.insert(self.runs.len(), concurrency);
                    assert!(self.runs.iter().all(|run| run.key < key));
                    let service = self.queue.entries[&key].service;
                    let (queued, untold, is_closed, has_left) = (0, 0, false, false);
                    self.runs.push(Run { key, concurrency, queued, untold, is_closed, has_left, service });
                }
                Step::Queue(which) if !self.runs.is_empty() => {
                    let which = which % self.runs.len();
                    // Items come from outside until the run is closed, and from its own threads after that too.
                    let is_served = self.serving(which) > 0;
                    let run = &mut self.runs[which];
                    if !run.is_closed || is_served {
                        run.queued += 1;
                        run.untold += 1;
                        if run.is_closed {
                            self.push(which);
                        }
                    }
                }
                Step::Push(which) if !self.runs.is_empty() => self.push(which % self.runs.len()),
                Step::Pick { estimate } => {
                    let least = self.queue.waiting.first().map(|place| place.service);
                    let Some((serve, &run)) = self.queue.pick(estimate * NANO) else {
                        // Every run to which something was pushed has all the threads that it may have.
                        for (which, run) in self.runs.iter().enumerate() {
                            assert!(run.queued == run.untold || self.serving(which) == run.concurrency);
                        }
                        return;
                    };
                    assert_eq!(serve.run(), self.runs[run].key);
                    assert!(!self.runs[run].has_left);
                    assert_eq!(Some(self.queue.entries[&serve.run].service - serve.charged), least);
                    self.threads.push(Thread { serve, run, found: None });
                }
                Step::Look(which) if !self.threads.is_empty() => {
                    let which = which % self.threads.len();
                    let Thread { run, found, .. } = &mut self.threads[which];
                    if found.is_none() {
                        let run = &mut self.runs[*run];
                        *found = Some(run.queued > 0);
                        run.queued = run.queued.saturating_sub(1);
                        run.untold = run.untold.min(run.queued);
                    }
                }
                Step::Recharge(which, used) if !self.threads.is_empty() => {
                    let which = which % self.threads.len();
                    self.queue.recharge(&mut self.threads[which].serve, used * NANO);
                }
                Step::End(which, used) if !self.threads.is_empty() => {
                    let which = which % self.threads.len();
                    let Some(found) = self.threads[which].found else { return };
                    let Thread { serve, run, .. } = self.threads.swap_remove(which);
                    let left = self.queue.serve_end(serve, used * NANO, found);
                    self.runs[run].service += u64::from(used.max(1));
                    self.left(run, left);
                }
                Step::Close(which) if !self.runs.is_empty() => {
                    let which = which % self.runs.len();
                    // A producer pushes what it queued before it closes the run.
                    self.push(which);
                    self.runs[which].is_closed = true;
                    let left = self.queue.close(self.runs[which].key);
                    self.left(which, left);
                }
                Step::Queue(_)
                | Step::Push(_)
                | Step::Look(_)
                | Step::Recharge(..)
                | Step::End(..)
                | Step::Close(_) => {}
            }
        }

        fn push(&mut self, which: usize) {
            let run = &mut self.runs[which];
            if run.untold > 0 {
                run.untold = 0;
                assert!(self.queue.push(run.key), "a run left with items of its own");
            }
        }

        /// What the queue says of a run that left, or did not.
        fn left(&mut self, which: usize, left: Option<usize>) {
            let Some(run) = left else { return };
            assert_eq!(run, which);
            assert!(self.runs[run].is_closed && self.serving(run) == 0);
            assert_eq!(self.runs[run].queued, 0);
            assert!(!std::mem::replace(&mut self.runs[run].has_left, true), "it left twice");
        }

        fn serving(&self, run: usize) -> usize {
            self.threads.iter().filter(|thread| thread.run == run).count()
        }

        fn check(&self, virtual_time: u64) {
            assert!(self.queue.virtual_time >= virtual_time);
            assert_eq!(self.queue.runs(), self.runs.iter().filter(|run| !run.has_left).count());
            let entries = self.queue.entries.values();
            assert_eq!(self.queue.ready(), entries.clone().filter(|entry| entry.is_ready).count());
            let waiting = self.queue.entries.iter().filter(|(_, entry)| entry.is_waiting());
            let waiting: BTreeSet<_> = waiting.map(|(run, entry)| entry.place(*run)).collect();
            assert_eq!(self.queue.waiting, waiting);
            assert_eq!(self.queue.waiting_service, waiting.iter().map(|place| u128::from(place.service)).sum());
            for (which, run) in self.runs.iter().enumerate() {
                assert!(self.serving(which) <= run.concurrency);
                let Some(entry) = self.queue.entries.get(&run.key) else { continue };
                assert_eq!(entry.threads, self.serving(which));
                assert!(run.queued == run.untold || entry.is_ready, "a push was lost");
                // It leaves once it is neither ready nor served.
                assert!(!run.is_closed || entry.is_ready || entry.threads > 0);
                // Lifted, never lowered.
                let charged: u64 =
                    self.threads.iter().filter(|thread| thread.run == which).map(|thread| thread.serve.charged).sum();
                assert!(entry.service >= run.service + charged);
            }
        }
    }

    proptest! {
        #[test]
        fn no_push_is_lost_and_each_closed_run_leaves_once(steps in steps()) {
            let mut world = World { queue: FairQueue::new(), runs: Vec::new(), threads: Vec::new() };
            for step in steps {
                let virtual_time = world.queue.virtual_time;
                world.step(step);
                world.check(virtual_time);
            }
            // Everything is pushed, closed and served to its end.
            (0..world.runs.len()).for_each(|run| world.step(Step::Close(run)));
            while world.queue.ready() > 0 || !world.threads.is_empty() {
                world.step(Step::Pick { estimate: 1 });
                world.step(Step::Look(0));
                world.step(Step::End(0, 1));
            }
            prop_assert!(world.runs.iter().all(|run| run.has_left && run.queued == 0));
            prop_assert_eq!(world.queue.runs(), 0);
        }

        #[test]
        fn runs_that_always_wait_differ_by_one_serve_of_each_thread(
            costs in prop::collection::vec((1u32..200, 0u32..200), 2..6),
            threads in 1usize..5,
            estimate in 0u32..400,
            picks in prop::collection::vec((any::<prop::sample::Index>(), 0u32..200), 0..600),
        ) {
            let (mut queue, _) = ready(costs.len(), MAX);
            let (mut used, mut serves) = (vec![0u64; costs.len()], Vec::new());
            for (which, random) in picks {
                if serves.len() == threads {
                    let (serve, run): (Serve, usize) = serves.swap_remove(which.index(threads));
                    let (least, spread) = costs[run];
                    let cost = least + random % (spread + 1);
                    used[run] += u64::from(cost);
                    queue.serve_end(serve, cost * NANO, true);
                }
                let (serve, run) = queue.pick(estimate * NANO).expect("all wait");
                let run = *run;
                serves.push((serve, run));
                let dearest = costs.iter().map(|(least, spread)| least + spread).max().unwrap().max(estimate);
                let (least, most) = (used.iter().min().unwrap(), used.iter().max().unwrap());
                prop_assert!(most - least <= threads as u64 * u64::from(dearest), "{:?}", used);
            }
        }

        #[test]
        fn a_run_that_waits_is_served_however_many_new_runs_come(
            runs in 1usize..6,
            costs in prop::collection::vec((1u32..100, 0usize..4), 1..600),
            busy in 0usize..4,
        ) {
            let (mut queue, _) = ready(runs, MAX);
            // Of each: what the others got since it was picked last.
            let mut missed = vec![0; runs];
            let mut most_waiting = 0;
            for (cost, joins) in costs {
                if joins <= busy {
                    // A run of one serve.
                    let new = queue.insert(MAX, 1);
                    queue.push(new);
                    prop_assert!(queue.close(new).is_none());
                }
                most_waiting = most_waiting.max(queue.waiting() as u32);
                let (serve, run) = queue.pick(cost * NANO).unwrap();
                let run = *run;
                let left = queue.serve_end(serve, cost * NANO, run != MAX);
                prop_assert_eq!(left, (run == MAX).then_some(MAX));
                missed.iter_mut().for_each(|missed| *missed += cost);
                if run != MAX {
                    missed[run] = 0;
                }
                // Serves that end a run leave the gap to the mean almost as it was, so it shrinks slowly.
                let bound = 10 * 100 * most_waiting;
                prop_assert!(missed.iter().all(|missed| *missed < bound), "{:?} {}", missed, bound);
            }
        }
    }
}
