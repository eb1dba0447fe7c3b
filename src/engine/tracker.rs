//! Counts the threads that hold values of the user's, and wakes the tasks that wait until none does.

use std::sync::OnceLock;
use std::time::Instant;

use tokio::sync::watch;

use crate::util::waker::caught;

/// Counts the threads of a run: its workers, and threads that drop results. And its parts, which are actors.
#[derive(Debug)]
pub(crate) struct Tracker {
    alive: watch::Sender<Alive>,
    ended: OnceLock<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Alive {
    threads: usize,
    parts: usize,
}

impl Tracker {
    /// For a run that is about to start: `open` is 1 if threads will come, which counts as one until none comes any more.
    pub(crate) fn new(open: usize) -> Self {
        Self { alive: watch::Sender::new(Alive { threads: open, parts: 0 }), ended: OnceLock::new() }
    }

    /// Counts one more thread.
    pub(crate) fn enter(&self) {
        // Wakes no task: none waits for more threads.
        self.alive.send_if_modified(|alive| {
            alive.threads += 1;
            false
        });
    }

    /// Counts one thread fewer: it holds no value of the user's any more. Returns true if it was the last one, but at
    /// most once: a thread that enters after the end doesn't end the run again when it leaves.
    pub(crate) fn leave(&self) -> bool {
        let mut last = false;
        self.alive.send_if_modified(|alive| {
            alive.threads -= 1;
            last = alive.threads == 0 && self.ended.get().is_none();
            if last {
                // Under the lock of `alive`: tasks that wait for the last thread then read a time that stands still.
                self.stop_clock();
            }
            // No task waits for fewer threads that are some.
            alive.threads == 0
        });
        last
    }

    /// Counts one more part.
    pub(crate) fn enter_part(&self) {
        self.alive.send_if_modified(|alive| {
            alive.parts += 1;
            false
        });
    }

    /// Counts one part fewer: it has dropped what it had.
    pub(crate) fn leave_part(&self) {
        self.alive.send_if_modified(|alive| {
            alive.parts -= 1;
            alive.parts == 0
        });
    }

    /// Stops the run's clock, unless it has stopped already.
    pub(crate) fn stop_clock(&self) {
        self.ended.get_or_init(Instant::now);
    }

    /// When the run's clock stopped; `None` before.
    pub(crate) fn ended(&self) -> Option<Instant> {
        self.ended.get().copied()
    }

    /// Makes the tasks in [`wait_until`](Self::wait_until) check their condition again.
    pub(crate) fn notify(&self) {
        self.alive.send_modify(|_| ());
    }

    /// Waits until no thread is left, and no part either unless `parts_may_live`, and `condition` holds, which is
    /// checked whenever one of them ends and after each [`notify`](Self::notify).
    pub(crate) async fn wait_until(&self, parts_may_live: bool, condition: impl Fn() -> bool) {
        let mut alive = self.alive.subscribe();
        let is_over = |alive: &Alive| alive.threads == 0 && (parts_may_live || alive.parts == 0) && condition();
        // The sender lives in `self`, so the channel can't close while this waits.
        let _ = caught(alive.wait_for(is_over)).await;
    }
}
