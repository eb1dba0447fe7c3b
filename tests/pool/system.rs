//! The end of the actix System, in whatever phase the pool is.

use std::thread;

use actix::System;
use actix_fan::{PipelineError, Pool, SubmitError, pool};
use futures::executor::block_on;
use futures::{FutureExt, SinkExt, StreamExt};

use super::gated_pool::GatedPool;
use crate::support::assert_settled;

/// A System on another thread, and what starts there.
struct Elsewhere<T> {
    started: T,
    system: System,
    thread: thread::JoinHandle<()>,
}

impl<T: Send + 'static> Elsewhere<T> {
    fn start(start: impl FnOnce() -> T + Send + 'static) -> Self {
        let (sender, receiver) = std::sync::mpsc::channel();
        let thread = thread::spawn(move || {
            let system = System::new();
            system.block_on(async { sender.send((start(), System::current())).unwrap() });
            system.run().unwrap();
        });
        let (started, system) = receiver.recv().unwrap();
        Self { started, system, thread }
    }

    /// Stops the System and waits until its thread has ended.
    fn stop(self) -> T {
        self.system.stop();
        self.thread.join().unwrap();
        self.started
    }
}

/// Checks the error of a submit that the System's end cut off; returns the item.
fn lost(error: SubmitError<u64>) -> Option<u64> {
    assert!(error.is_closed());
    let source = std::error::Error::source(&error).map(ToString::to_string);
    assert_eq!(source.as_deref(), Some("the actix System stopped before the pipeline did"));
    assert_eq!(error.to_string(), "the pool ended before the item was done");
    match error {
        SubmitError::Lost { item, error: PipelineError::SystemStopped } => item,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_stopped_system_fails_every_pending_submit_without_waiting_for_running_items() {
    let elsewhere = Elsewhere::start(|| GatedPool::new(1, 3));
    let mut submissions: Vec<_> = (0..5).map(|n| elsewhere.started.pool.submit(n)).collect();
    block_on(elsewhere.started.gate.arrived(1));
    let held = elsewhere.stop();
    for (n, pending) in (1..5).zip(submissions.drain(1..)) {
        let error = pending.now_or_never().expect("it is woken at once").unwrap_err();
        assert_eq!(lost(error), Some(n));
    }
    held.gate.open();
    assert_eq!(block_on(submissions.remove(0)).unwrap(), 0, "what ran had its result");
    held.pool.drain();
    assert_eq!(block_on(held.pool.finished()).unwrap_err(), PipelineError::SystemStopped);
    assert_settled(&held.pool.stats());
    assert_eq!(held.begun(), [0]);
}

#[test]
fn an_idle_pool_ends_and_returns_later_items() {
    let elsewhere = Elsewhere::start(|| pool().workers(2).map(|n: u64| n).unwrap());
    assert_eq!(block_on(elsewhere.started.submit(1)).unwrap(), 1);
    let pool = elsewhere.stop();
    assert_eq!(lost(block_on(pool.submit(2)).unwrap_err()), Some(2));
    assert_eq!(lost(pool.try_submit(3).unwrap_err()), Some(3));
    assert_eq!(lost(pool.blocking_submit(4).unwrap_err()), Some(4));
    pool.drain();
    assert_eq!(block_on(pool.finished()).unwrap_err(), PipelineError::SystemStopped);
}

#[test]
fn a_drained_pool_ends_without_an_error() {
    for stopped in [false, true] {
        let elsewhere = Elsewhere::start(|| pool().workers(2).map(|n: u64| n).unwrap());
        assert_eq!(block_on(elsewhere.started.submit(1)).unwrap(), 1);
        if stopped {
            elsewhere.started.stop()
        } else {
            elsewhere.started.drain()
        }
        let pool = elsewhere.stop();
        pool.drain();
        assert_eq!(block_on(pool.finished()).unwrap().completed, 1);
        assert!(matches!(pool.try_submit(2), Err(SubmitError::Closed(2))));
    }
}

#[test]
fn a_drain_interrupted_by_the_system_returns_the_error() {
    let elsewhere = Elsewhere::start(|| GatedPool::new(1, 3));
    let submissions: Vec<_> = (0..3).map(|n| elsewhere.started.pool.submit(n)).collect();
    block_on(elsewhere.started.gate.arrived(1));
    elsewhere.started.pool.drain();
    let held = elsewhere.stop();
    held.gate.open();
    held.pool.drain();
    assert_eq!(block_on(held.pool.finished()).unwrap_err(), PipelineError::SystemStopped);
    let results: Vec<bool> =
        submissions.into_iter().map(|submission| submission.now_or_never().unwrap().is_ok()).collect();
    assert_eq!(results, [true, false, false]);
}

#[test]
fn a_stream_of_results_ends_after_the_lost_items() {
    let elsewhere = Elsewhere::start(|| GatedPool::new(1, 3));
    let (mut sink, mut results) = elsewhere.started.pool.channel();
    for n in 0..4 {
        block_on(sink.feed(n)).unwrap();
    }
    block_on(elsewhere.started.gate.arrived(1));
    let held = elsewhere.stop();
    assert_eq!(lost(block_on(sink.feed(9)).unwrap_err()), Some(9));
    drop(sink);
    held.gate.open();
    let mut back: Vec<Option<u64>> =
        block_on(results.by_ref().filter_map(async |result| result.err().map(lost)).collect());
    back.sort_unstable();
    assert_eq!(back, [Some(1), Some(2), Some(3)]);
}

#[test]
fn a_thread_that_blocks_on_a_submit_is_woken() {
    let elsewhere = Elsewhere::start(|| GatedPool::new(1, 1));
    let running = elsewhere.started.pool.submit(0);
    block_on(elsewhere.started.gate.arrived(1));
    let pool: Pool<u64, u64> = elsewhere.started.pool.clone();
    let waiting = thread::spawn(move || pool.blocking_submit(1));
    while elsewhere.started.pool.stats().waiting == 0 {
        thread::yield_now();
    }
    let held = elsewhere.stop();
    assert_eq!(lost(waiting.join().unwrap().unwrap_err()), Some(1));
    held.gate.open();
    assert_eq!(block_on(running).unwrap(), 0);
}

#[test]
fn the_arbiter_that_started_the_pool_may_stop_while_the_system_goes_on() {
    crate::support::run(async {
        let arbiter = actix::Arbiter::new();
        let (sender, receiver) = futures::channel::oneshot::channel();
        arbiter.spawn_fn(move || _ = sender.send(pool().workers(1).map(|n: u64| n + 1).unwrap()));
        let pool = receiver.await.unwrap();
        arbiter.stop();
        arbiter.join().unwrap();
        assert_eq!(pool.submit(1).await.unwrap(), 2);
        pool.drain();
        pool.finished().await.unwrap();
    });
}
