use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;

use actix_fan::{Job, Pool, Stopped, pool, work_fn};
use futures::FutureExt;
use futures::future::join_all;

use super::gated_pool::GatedPool;
use crate::support::{Count, Gate, assert_balanced, assert_settled, run, settle};

#[test]
fn a_dropped_waiting_submit_is_not_counted() {
    run(async {
        let held = GatedPool::new(1, 1);
        let running = held.pool.submit(0);
        held.gate.arrived(1).await;
        let [first, second, third] = [1, 2, 3].map(|n| held.pool.submit(n));
        assert_eq!(held.pool.stats().waiting, 3);
        drop(second);
        let stats = held.pool.stats();
        assert_eq!((stats.waiting, stats.taken, stats.skipped), (2, 1, 0));
        held.gate.open();
        assert_eq!([running.await.unwrap(), first.await.unwrap(), third.await.unwrap()], [0, 10, 30]);
        assert_eq!(held.begun(), [0, 1, 3]);
    });
}

#[test]
fn a_dropped_queued_submit_returns_its_permit_at_once_and_never_runs() {
    run(async {
        let held = GatedPool::new(1, 2);
        let running = held.pool.submit(0);
        held.gate.arrived(1).await;
        let queued = held.pool.submit(1);
        assert!(held.pool.try_submit(2).unwrap_err().is_full());
        drop(queued);
        let stats = held.pool.stats();
        assert_eq!((stats.in_flight, stats.queued, stats.skipped), (1, 0, 1));
        let other = held.pool.try_submit(3).expect("its permit is free before anything else happens");
        held.gate.open();
        assert_eq!([running.await.unwrap(), other.await.unwrap()], [0, 30]);
        assert_eq!(held.begun(), [0, 3]);
        held.pool.drain();
        assert_settled(&held.pool.finished().await.unwrap());
    });
}

#[test]
fn the_permit_of_a_dropped_submit_goes_to_a_waiting_one() {
    run(async {
        let held = GatedPool::new(1, 2);
        let running = held.pool.submit(0);
        held.gate.arrived(1).await;
        let (queued, waiting) = (held.pool.submit(1), held.pool.submit(2));
        drop(queued);
        let stats = held.pool.stats();
        assert_eq!((stats.queued, stats.waiting), (1, 0));
        held.gate.open();
        assert_eq!([running.await.unwrap(), waiting.await.unwrap()], [0, 20]);
    });
}

#[test]
fn an_item_that_has_not_begun_is_dropped_with_its_submit() {
    run(async {
        let gate = Gate::new();
        let pass = gate.clone();
        let pool: Pool<Arc<()>, ()> = pool().workers(1).window(2).map(move |_| pass.pass()).unwrap();
        let item = Arc::new(());
        let running = pool.submit(Arc::default());
        gate.arrived(1).await;
        let (queued, waiting) = (pool.submit(Arc::clone(&item)), pool.submit(Arc::clone(&item)));
        assert_eq!(Arc::strong_count(&item), 3);
        drop(waiting);
        assert_eq!(Arc::strong_count(&item), 2);
        drop(queued);
        assert_eq!(Arc::strong_count(&item), 1);
        gate.open();
        running.await.unwrap();
    });
}

/// A pool whose items run until they are stopped or the test lets them go; they record which it was.
fn stoppable(workers: usize, window: usize, begun: &Count, go: &Arc<AtomicUsize>) -> Pool<usize, &'static str> {
    let (begun, go) = (begun.clone(), Arc::clone(go));
    let builder = pool().workers(workers).window(window);
    let started = builder.with(move || {
        let (begun, go) = (begun.clone(), Arc::clone(&go));
        work_fn(move |n: usize, job: &mut Job<'_, &'static str>| {
            begun.add();
            while go.load(SeqCst) <= n {
                if job.is_stopped() {
                    return Err(Stopped.into());
                }
                thread::yield_now();
            }
            job.emit(if job.is_stopped() { "stopped" } else { "not stopped" });
            Ok(())
        })
    });
    started.unwrap()
}

#[test]
fn only_the_cancelled_item_sees_its_cancellation() {
    run(async {
        let (begun, go) = (Count::new(), Arc::new(AtomicUsize::new(0)));
        let pool = stoppable(3, 10, &begun, &go);
        let [before, given_up, after] = [1, 2, 3].map(|n| pool.submit(n));
        begun.reached(3).await;
        drop(given_up);
        // A fourth one runs only once the worker has come back from the cancelled item.
        let fourth = pool.submit(4);
        begun.reached(4).await;
        assert_eq!(begun.get(), 4);
        let stats = pool.stats();
        assert_eq!((stats.skipped, stats.failed, stats.in_flight), (1, 0, 3));
        go.store(100, SeqCst);
        let results = join_all([before, after, fourth]).await;
        assert!(results.into_iter().all(|result| result.unwrap() == "not stopped"));
        pool.drain();
        let stats = pool.finished().await.unwrap();
        assert_eq!((stats.completed, stats.skipped), (3, 1));
    });
}

#[test]
fn the_permit_of_a_cancelled_running_item_returns_when_its_work_does() {
    run(async {
        let held = GatedPool::new(1, 1);
        let running = held.pool.submit(0);
        held.gate.arrived(1).await;
        drop(running);
        assert_eq!(held.pool.stats().in_flight, 1);
        assert!(held.pool.try_submit(1).unwrap_err().is_full());
        let mut waiting = held.pool.submit(2);
        settle().await;
        assert!((&mut waiting).now_or_never().is_none());
        assert_eq!(held.begun(), [0]);
        held.gate.open();
        assert_eq!(waiting.await.unwrap(), 20);
        held.pool.drain();
        let stats = held.pool.finished().await.unwrap();
        assert_eq!((stats.completed, stats.skipped), (2, 0), "it ran to its end, though its submit was dropped");
        assert_eq!(stats.emitted, 1);
    });
}

#[test]
fn cancelled_submits_leave_nothing_behind_while_the_pool_is_blocked() {
    run(async {
        let held = GatedPool::new(1, 3);
        let running = held.pool.submit(0);
        held.gate.arrived(1).await;
        for n in 0..10_000 {
            drop(held.pool.submit(n));
        }
        let queued = [held.pool.submit(1), held.pool.submit(2)];
        for n in 0..10_000 {
            drop(held.pool.submit(n));
        }
        let stats = held.pool.stats();
        assert_balanced(&stats);
        assert_eq!((stats.in_flight, stats.queued, stats.waiting, stats.skipped), (3, 2, 0, 10_000));
        held.gate.open();
        assert_eq!(running.await.unwrap(), 0);
        join_all(queued).await;
        assert_eq!(held.begun(), [0, 1, 2]);
    });
}

#[test]
fn submits_dropped_at_any_time_are_accounted_for() {
    run(async {
        let ran = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&ran);
        let pool = pool().workers(2).window(4).map(move |_: u64| count.fetch_add(1, SeqCst)).unwrap();
        let threads: Vec<_> = (0..4u64)
            .map(|k| {
                let pool = pool.clone();
                thread::spawn(move || {
                    let mut got = 0;
                    for n in 0..3000u64 {
                        let mut submission = pool.submit(n);
                        if (n * 7 + k).is_multiple_of(3) {
                            thread::yield_now();
                        }
                        got += u64::from((&mut submission).now_or_never().is_some());
                        assert_balanced(&pool.stats());
                    }
                    got
                })
            })
            .collect();
        let got: u64 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
        pool.drain();
        let stats = pool.finished().await.unwrap();
        assert_settled(&stats);
        assert_eq!(stats.completed, ran.load(SeqCst) as u64, "{stats:?}");
        assert_eq!((stats.emitted, stats.failed, stats.waiting), (got, 0, 0));
    });
}
