//! A set of threads whose every step shuttle orders, with runs that only count: their threads meet at the set's lock and
//! its condition variables. `../../pipeline/interleavings.rs` names the script that runs it.

use shuttle::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use shuttle::sync::mpsc::{Sender, channel};
use shuttle::thread::{self, JoinHandle, ThreadId};

use super::*;

const ORDERS: usize = 2_000;

/// A run whose items are a number.
struct Counted {
    queued: AtomicUsize,
    served: AtomicUsize,
    /// Threads that have a work of it.
    works: AtomicUsize,
    has_retired: AtomicBool,
    retired: Sender<()>,
}

/// What a thread keeps for a run.
struct Kept {
    run: Arc<Counted>,
    thread: ThreadId,
}

impl Kept {
    fn new(run: &Arc<Counted>) -> Box<Self> {
        run.works.fetch_add(1, SeqCst);
        Box::new(Self { run: Arc::clone(run), thread: thread::current().id() })
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        assert_eq!(thread::current().id(), self.thread, "it is dropped where it was built");
        self.run.works.fetch_sub(1, SeqCst);
    }
}

impl Member for Counted {
    fn serve(self: Arc<Self>, key: RunKey, thread: &mut Thread) -> bool {
        if self.queued.fetch_update(SeqCst, SeqCst, |queued| queued.checked_sub(1)).is_err() {
            return false;
        }
        let kept = thread.take_seat::<Kept>(key).unwrap_or_else(|| {
            assert!(thread.sit_down(key), "a run that is served has not left");
            Kept::new(&self)
        });
        self.served.fetch_add(1, SeqCst);
        thread.keep_seat(key, kept);
        true
    }

    fn prepare(self: Arc<Self>, key: RunKey, thread: &mut Thread) {
        if thread.take_seat::<Kept>(key).is_none() && thread.sit_down(key) {
            thread.keep_seat(key, Kept::new(&self));
        }
    }

    fn retire(&self) {
        assert!(!self.has_retired.swap(true, SeqCst), "it retired twice");
        assert_eq!((self.queued.load(SeqCst), self.works.load(SeqCst)), (0, 0));
        self.retired.send(()).unwrap();
    }

    fn refuse(&self, error: &PipelineError) {
        unreachable!("{error}");
    }
}

fn start(threads: usize) -> (Arc<Set>, Vec<JoinHandle<()>>) {
    let set = Set::new(threads);
    let work = |id| {
        let set = Arc::clone(&set);
        thread::spawn(move || set.work(id))
    };
    let threads = (0..threads).map(work).collect();
    (set, threads)
}

/// A run joins, queues items on a thread of its own, tells the set by `push`, and leaves. `wait`: until it has retired.
fn run(set: &Arc<Set>, items: usize, prepares: bool, push: fn(&Set, RunKey), wait: bool) -> JoinHandle<()> {
    let set = Arc::clone(set);
    let (retired, has_retired) = channel();
    let [queued, served, works] = [(); 3].map(|()| AtomicUsize::new(0));
    let run = Arc::new(Counted { queued, served, works, has_retired: AtomicBool::new(false), retired });
    // Before this thread goes on, which may close the set.
    let key = set.join(2, prepares, Arc::clone(&run) as Arc<dyn Member>);
    let user = thread::spawn(move || {
        for _ in 0..items {
            run.queued.fetch_add(1, SeqCst);
            push(&set, key);
        }
        set.leave(key);
        has_retired.recv().unwrap();
        assert_eq!(run.served.load(SeqCst), items);
    });
    if wait {
        user.join().unwrap();
        return thread::spawn(|| ());
    }
    user
}

fn push(set: &Set, key: RunKey) {
    assert!(set.push(key, 1), "it has not left");
}

/// The flaw: the thread that it wakes is not told so by its flag.
fn push_without_the_flag(set: &Set, key: RunKey) {
    let mut inner = set.lock();
    inner.queue.push(key);
    let woken = inner.sleeping.pop();
    drop(inner);
    woken.into_iter().for_each(|id| set.wake[id].notify_one());
}

/// The flaw: it looks for a thread that sleeps before the run is ready.
fn push_after_the_wake_up(set: &Set, key: RunKey) {
    let woken = set.lock().wake_up_to(1);
    set.notify(woken);
    set.lock().queue.push(key);
}

fn end(users: impl IntoIterator<Item = JoinHandle<()>>, threads: Vec<JoinHandle<()>>) {
    users.into_iter().chain(threads).for_each(|thread| thread.join().unwrap());
}

fn check(case: fn()) {
    shuttle::check_random(case, ORDERS);
    shuttle::check_pct(case, ORDERS, 3);
}

#[test]
fn two_runs_share_a_set() {
    check(|| {
        let (set, threads) = start(2);
        let users = [2, 1].map(|items| run(&set, items, false, push, false));
        set.close();
        end(users, threads);
    });
}

#[test]
fn a_run_joins_after_another_has_retired() {
    check(|| {
        let (set, threads) = start(2);
        let users = [true, false].map(|wait| run(&set, 1, false, push, wait));
        set.close();
        end(users, threads);
    });
}

#[test]
fn a_set_closes_while_a_run_ends() {
    check(|| {
        let (set, threads) = start(2);
        let user = run(&set, 1, false, push, false);
        let closing = thread::spawn(move || set.close());
        end([user, closing], threads);
    });
}

#[test]
fn a_run_leaves_while_threads_prepare_for_it() {
    for items in [0, 1] {
        let case = move || {
            let (set, threads) = start(2);
            let user = run(&set, items, true, push, false);
            set.close();
            end([user], threads);
        };
        shuttle::check_random(case, ORDERS);
        shuttle::check_pct(case, ORDERS, 3);
    }
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_thread_that_is_notified_without_its_flag_is_caught() {
    check(|| {
        let (set, threads) = start(1);
        let user = run(&set, 1, false, push_without_the_flag, false);
        set.close();
        end([user], threads);
    });
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_thread_that_is_woken_before_the_run_is_ready_is_caught() {
    check(|| {
        let (set, threads) = start(1);
        let user = run(&set, 1, false, push_after_the_wake_up, false);
        set.close();
        end([user], threads);
    });
}
