//! Runs that share threads by any sequence of steps.

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
    /// At most so many threads serve a run from now on.
    SetConcurrency(usize, usize),
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
        1 => (0usize..64, 1usize..4).prop_map(|(run, concurrency)| Step::SetConcurrency(run, concurrency)),
        1 => (0usize..64).prop_map(Step::Close),
    ];
    prop::collection::vec(step, 0..200)
}

/// What is true of a run, whatever the queue says.
struct Run {
    key: RunKey,
    concurrency: usize,
    /// How many threads may serve it: after the concurrency was lowered, those that do.
    allowed: usize,
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
                self.runs.push(Run {
                    key,
                    concurrency,
                    allowed: concurrency,
                    queued,
                    untold,
                    is_closed,
                    has_left,
                    service,
                });
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
                        assert!(run.queued == run.untold || self.serving(which) >= run.concurrency);
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
            Step::SetConcurrency(which, concurrency) if !self.runs.is_empty() => {
                let which = which % self.runs.len();
                let run = &mut self.runs[which];
                let before = std::mem::replace(&mut run.concurrency, concurrency);
                let more = if run.has_left { 0 } else { concurrency.saturating_sub(before) };
                assert_eq!(self.queue.set_concurrency(run.key, concurrency), more);
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
            | Step::SetConcurrency(..)
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

    fn check(&mut self, virtual_time: u64) {
        for which in 0..self.runs.len() {
            let serving = self.serving(which);
            let run = &mut self.runs[which];
            run.allowed = run.concurrency.max(run.allowed.min(serving));
            assert!(serving <= run.allowed);
            assert_eq!(self.queue.is_crowded(run.key), !run.has_left && serving > run.concurrency);
        }
        assert!(self.queue.virtual_time >= virtual_time);
        assert_eq!(self.queue.runs(), self.runs.iter().filter(|run| !run.has_left).count());
        let entries = self.queue.entries.values();
        assert_eq!(self.queue.ready(), entries.clone().filter(|entry| entry.is_ready).count());
        let waiting = self.queue.entries.iter().filter(|(_, entry)| entry.is_waiting());
        let waiting: BTreeSet<_> = waiting.map(|(run, entry)| entry.place(*run)).collect();
        assert_eq!(self.queue.waiting, waiting);
        assert_eq!(self.queue.waiting_service, waiting.iter().map(|place| u128::from(place.service)).sum());
        for (which, run) in self.runs.iter().enumerate() {
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
