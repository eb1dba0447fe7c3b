//! Tasks and timers on one thread and on a clock of their own, in an order drawn from a seed.

#![allow(clippy::disallowed_methods, reason = "the wakers are those of the simulation, which don't panic")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures::future::LocalBoxFuture;

use crate::testing::seeds::Draws;

/// The clock, the timers and the draws. Cheap to clone.
#[derive(Clone)]
pub(super) struct World(Rc<RefCell<Inner>>);

struct Inner {
    now: Duration,
    /// By time, and in the order in which they were set.
    timers: BTreeMap<(Duration, u64), Waker>,
    set: u64,
    draws: Draws,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        Self(Rc::new(RefCell::new(Inner {
            now: Duration::ZERO,
            timers: BTreeMap::new(),
            set: 0,
            draws: Draws::new(seed),
        })))
    }

    pub(super) fn now(&self) -> Duration {
        self.0.borrow().now
    }

    /// A number below `end`.
    pub(super) fn below(&self, end: usize) -> usize {
        self.0.borrow_mut().draws.below(end)
    }

    /// Returns true in so many of 1,000 cases.
    pub(super) fn happens(&self, permille: usize) -> bool {
        self.below(1000) < permille
    }

    /// A duration up to `most`, in steps of a microsecond.
    pub(super) fn up_to(&self, most: Duration) -> Duration {
        Duration::from_micros(self.below(most.as_micros() as usize + 1) as u64)
    }

    pub(super) fn sleep(&self, duration: Duration) -> Sleep {
        self.sleep_until(self.now() + duration)
    }

    pub(super) fn sleep_until(&self, at: Duration) -> Sleep {
        Sleep { world: self.clone(), at, timer: None }
    }

    /// Advances the clock to the next timer. Returns false if there is none.
    fn advance(&self) -> bool {
        let mut inner = self.0.borrow_mut();
        let Some(((at, _), waker)) = inner.timers.pop_first() else { return false };
        inner.now = inner.now.max(at);
        drop(inner);
        waker.wake();
        true
    }
}

/// Ready once the clock has reached a time.
pub(super) struct Sleep {
    world: World,
    at: Duration,
    timer: Option<u64>,
}

impl Sleep {
    fn clear(&mut self) {
        if let Some(timer) = self.timer.take() {
            let removed = self.world.0.borrow_mut().timers.remove(&(self.at, timer));
            drop(removed);
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.clear();
        if self.world.now() >= self.at {
            return Poll::Ready(());
        }
        let timer = {
            let mut inner = self.world.0.borrow_mut();
            let timer = inner.set;
            inner.set += 1;
            inner.timers.insert((self.at, timer), cx.waker().clone());
            timer
        };
        self.timer = Some(timer);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.clear();
    }
}

/// A task, which can be killed or frozen from outside.
struct Task {
    future: LocalBoxFuture<'static, ()>,
    woken: Arc<Woken>,
    frozen_until: Duration,
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Relaxed);
    }
}

/// Tasks by their number.
pub(super) struct Tasks {
    world: World,
    tasks: BTreeMap<usize, Task>,
    spawned: usize,
    pub(super) steps: u64,
}

impl Tasks {
    pub(super) fn new(world: World) -> Self {
        Self { world, tasks: BTreeMap::new(), spawned: 0, steps: 0 }
    }

    /// Returns the number of the task.
    pub(super) fn spawn(&mut self, future: impl Future<Output = ()> + 'static) -> usize {
        let id = self.spawned;
        self.spawned += 1;
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        self.tasks.insert(id, Task { future: Box::pin(future), woken, frozen_until: Duration::ZERO });
        id
    }

    /// Drops a task where it stands, like a process that is killed.
    pub(super) fn kill(&mut self, id: usize) {
        self.tasks.remove(&id);
    }

    /// Keeps a task from running for a while, like a process that is stopped.
    pub(super) fn freeze(&mut self, id: usize, duration: Duration) {
        if let Some(task) = self.tasks.get_mut(&id) {
            task.frozen_until = self.world.now() + duration;
        }
    }

    pub(super) fn runs(&self, id: usize) -> bool {
        self.tasks.contains_key(&id)
    }

    /// Lets a task take a step, which the seed chooses among those that can, or advances the clock. Returns false if
    /// neither is possible.
    pub(super) fn step(&mut self) -> bool {
        self.steps += 1;
        let now = self.world.now();
        let able = |task: &Task| task.woken.0.load(Relaxed) && task.frozen_until <= now;
        let ready: Vec<usize> = self.tasks.iter().filter(|(_, task)| able(task)).map(|(id, _)| *id).collect();
        if ready.is_empty() {
            let thaws =
                self.tasks.values().filter(|task| task.woken.0.load(Relaxed)).map(|task| task.frozen_until).min();
            if let Some(at) = thaws {
                let mut inner = self.world.0.borrow_mut();
                let is_next = inner.timers.first_key_value().is_none_or(|((timer, _), _)| at <= *timer);
                if is_next {
                    inner.now = inner.now.max(at);
                    return true;
                }
            }
            return self.world.advance();
        }
        let id = ready[self.world.below(ready.len())];
        let task = self.tasks.get_mut(&id).expect("it is ready");
        task.woken.0.store(false, Relaxed);
        let waker = Waker::from(Arc::clone(&task.woken));
        if task.future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            self.tasks.remove(&id);
        }
        true
    }
}
