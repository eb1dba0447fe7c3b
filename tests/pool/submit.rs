use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use actix_fan::pool;
use futures::FutureExt;
use futures::future::join_all;

use super::gated_pool::GatedPool;
use crate::support::{Count, assert_settled, run};

#[test]
fn each_submit_has_the_result_of_its_own_item() {
    for items in [0u64, 1, 2, 1000] {
        for (workers, window) in [(1, 1), (1, 7), (3, 1), (3, 2000)] {
            run(async move {
                let squares = pool().workers(workers).window(window).map(|n: u64| n * n).unwrap();
                let results = join_all((0..items).map(|n| squares.submit(n))).await;
                let results: Vec<u64> = results.into_iter().map(Result::unwrap).collect();
                assert_eq!(results, (0..items).map(|n| n * n).collect::<Vec<_>>());
                squares.drain();
                let stats = squares.finished().await.unwrap();
                assert_settled(&stats);
                assert_eq!((stats.taken, stats.completed, stats.emitted), (items, items, items));
            });
        }
    }
}

#[test]
fn an_item_is_in_the_pool_before_its_future_is_polled() {
    run(async {
        let held = GatedPool::new(1, 1);
        let submission = held.pool.submit(3);
        held.gate.arrived(1).await;
        held.gate.open();
        assert_eq!(submission.await.unwrap(), 30);
    });
}

#[test]
fn a_window_of_one_lets_in_one_item_at_a_time() {
    run(async {
        let held = GatedPool::new(3, 1);
        let submissions: Vec<_> = (0..10).map(|n| held.pool.submit(n)).collect();
        for n in 1..=10 {
            held.gate.arrived(n).await;
            let stats = held.pool.stats();
            assert_eq!((stats.in_flight, stats.queued, stats.waiting), (1, 0, 10 - n));
            held.gate.let_through(1);
        }
        assert_eq!(join_all(submissions).await.len(), 10);
        assert_eq!(held.begun(), (0..10).collect::<Vec<_>>());
    });
}

#[test]
fn a_full_pool_returns_the_item() {
    run(async {
        let held = GatedPool::new(1, 2);
        let kept = [held.pool.try_submit(0).unwrap(), held.pool.try_submit(1).unwrap()];
        let refused = held.pool.try_submit(2).unwrap_err();
        assert!(refused.is_full() && !refused.is_closed());
        assert_eq!(refused.to_string(), "the pool is full: try again later, or wait with `submit`");
        assert_eq!(refused.into_item(), Some(2));
        held.gate.open();
        assert_eq!(join_all(kept).await.into_iter().map(Result::unwrap).collect::<Vec<_>>(), [0, 10]);
        assert_eq!(held.pool.try_submit(3).unwrap().await.unwrap(), 30, "the permit is free when the result is there");
        assert_eq!((held.pool.stats().taken, held.gate.arrivals()), (3, 3));
    });
}

#[test]
fn waiting_submits_are_not_overtaken() {
    run(async {
        let held = GatedPool::new(1, 1);
        let first = held.pool.submit(0);
        held.gate.arrived(1).await;
        let waiting: Vec<_> = (1..=3).map(|n| held.pool.submit(n)).collect();
        for n in 1..=3 {
            assert_eq!(held.pool.try_submit(9).unwrap_err().into_item(), Some(9));
            held.gate.let_through(1);
            held.gate.arrived(n + 1).await;
        }
        held.gate.open();
        assert_eq!(first.await.unwrap(), 0);
        join_all(waiting).await;
        assert_eq!(held.begun(), [0, 1, 2, 3], "in the order of the calls");
    });
}

#[test]
fn items_begin_in_the_order_of_the_calls_whether_they_waited_or_not() {
    run(async {
        let held = GatedPool::new(1, 3);
        // Polled in the other order.
        let mut submissions: Vec<_> = (0..20).map(|n| held.pool.submit(n)).collect();
        assert!(submissions.iter_mut().rev().all(|submission| submission.now_or_never().is_none()));
        held.gate.open();
        join_all(submissions).await;
        assert_eq!(held.begun(), (0..20).collect::<Vec<_>>());
    });
}

#[test]
fn an_item_does_not_wait_behind_a_long_one_while_a_worker_is_free() {
    run(async {
        let gate = crate::support::Gate::new();
        let pass = gate.clone();
        let pool = pool()
            .workers(2)
            .map(move |long: bool| {
                if long {
                    pass.pass()
                }
            })
            .unwrap();
        let long = pool.submit(true);
        for _ in 0..100 {
            pool.submit(false).await.unwrap();
        }
        gate.open();
        long.await.unwrap();
    });
}

#[test]
fn a_thread_without_a_runtime_can_wait_for_permit_and_result() {
    run(async {
        let squares = pool().workers(1).window(1).map(|n: u64| n * n).unwrap();
        let (results, done) = (Arc::new(Mutex::new(Vec::new())), Count::new());
        for k in 0..4 {
            let (squares, results, done) = (squares.clone(), Arc::clone(&results), done.clone());
            std::thread::spawn(move || {
                for n in 0..50 {
                    let result = squares.blocking_submit(100 * k + n).unwrap();
                    results.lock().unwrap().push(result);
                }
                done.add();
            });
        }
        done.reached(4).await;
        let mut results = results.lock().unwrap().clone();
        results.sort_unstable();
        let expected: Vec<u64> = (0..4).flat_map(|k| (0..50).map(move |n| (100 * k + n) * (100 * k + n))).collect();
        assert_eq!(results, expected);
    });
}

#[test]
fn no_item_runs_twice() {
    run(async {
        let runs: Arc<Vec<AtomicU64>> = Arc::new((0..5000).map(|_| AtomicU64::new(0)).collect());
        let count = Arc::clone(&runs);
        let pool = pool().workers(3).window(40).map(move |n: usize| count[n].fetch_add(1, SeqCst)).unwrap();
        let results = join_all((0..5000).map(|n| pool.submit(n))).await;
        assert!(results.into_iter().all(|before| before.unwrap() == 0));
        assert!(runs.iter().all(|runs| runs.load(SeqCst) == 1));
    });
}
