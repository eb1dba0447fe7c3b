use actix_fan::{End, Job, Pool, SubmitError, pool, work_fn};
use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::{join_all, pending, ready};

use super::gated_pool::GatedPool;
use crate::support::{Count, DropCounter, TrackedWork, assert_settled, run, settle};

/// One item running, two queued, two waiting for permits.
async fn in_every_state() -> (GatedPool, Vec<actix_fan::Submission<u64, u64>>) {
    let held = GatedPool::new(1, 3);
    let submissions: Vec<_> = (0..5).map(|n| held.pool.submit(n)).collect();
    held.gate.arrived(1).await;
    let stats = held.pool.stats();
    assert_eq!((stats.in_flight, stats.queued, stats.waiting), (3, 2, 2));
    (held, submissions)
}

#[test]
fn close_returns_waiting_items_and_runs_taken_ones() {
    run(async {
        let (held, mut submissions) = in_every_state().await;
        held.pool.drain();
        for (n, waiting) in [3, 4].into_iter().zip(submissions.drain(3..)) {
            let refused = waiting.now_or_never().expect("it is woken at once").unwrap_err();
            assert!(refused.is_closed() && !refused.is_full());
            assert_eq!(refused.to_string(), "the pool is closed: it takes in no more items");
            assert_eq!(refused.into_item(), Some(n));
        }
        held.gate.open();
        let results: Vec<u64> = join_all(submissions).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(results, [0, 10, 20]);
        held.pool.drain();
        let stats = held.pool.finished().await.unwrap();
        assert_eq!((stats.taken, stats.completed, stats.waiting), (3, 3, 0));
    });
}

#[test]
fn stop_returns_every_item_that_has_not_begun() {
    run(async {
        let (held, mut submissions) = in_every_state().await;
        held.pool.stop();
        let stats = held.pool.stats();
        assert_eq!((stats.in_flight, stats.queued, stats.waiting, stats.skipped), (1, 0, 0, 2));
        for (n, submission) in (1..5).zip(submissions.drain(1..)) {
            let refused = submission.now_or_never().expect("it is woken at once").unwrap_err();
            assert_eq!(matches!(refused, SubmitError::Stopped { .. }), n < 3, "{refused}");
            assert!(refused.is_closed());
            assert_eq!(refused.into_item(), Some(n));
        }
        held.gate.open();
        assert_eq!(submissions.remove(0).await.unwrap(), 0, "what had begun has its result");
        held.pool.drain();
        let stats = held.pool.finished().await.unwrap();
        assert_settled(&stats);
        assert_eq!((held.begun(), stats.completed, stats.skipped), (vec![0], 1, 2));
    });
}

#[test]
fn a_running_item_sees_a_stop_but_not_a_close() {
    run(async {
        let begun = Count::new();
        let count = begun.clone();
        let pool = pool()
            .workers(1)
            .with(move || {
                let count = count.clone();
                work_fn(move |(), job: &mut Job<'_, ()>| {
                    count.add();
                    while !job.is_stopped() {
                        std::thread::yield_now();
                    }
                    Err(actix_fan::Stopped.into())
                })
            })
            .unwrap();
        let mut submission = pool.submit(());
        begun.reached(1).await;
        pool.drain();
        settle().await;
        assert!((&mut submission).now_or_never().is_none());
        pool.stop();
        let error = submission.await.unwrap_err();
        assert_eq!(error.to_string(), "the pool was stopped before the item was done");
        assert_eq!(error.into_item(), None);
        pool.drain();
        let stats = pool.finished().await.unwrap();
        assert_eq!((stats.skipped, stats.failed), (1, 0));
    });
}

#[test]
fn drain_waits_for_every_result_and_every_worker() {
    run(async {
        for items in [0, 1, 100] {
            let counter = DropCounter::new();
            let tracker = counter.clone();
            let pool = pool().workers(3).with(move || TrackedWork::new(&tracker));
            let pool = pool.unwrap();
            let submissions: Vec<_> = (0..items).map(|n| pool.submit(n)).collect();
            pool.drain();
            let stats = pool.finished().await.unwrap();
            assert_eq!((stats.completed, counter.alive()), (items, 0));
            assert_eq!(stats.elapsed, pool.stats().elapsed, "the clock stands still");
            assert!(submissions.into_iter().all(|submission| submission.now_or_never().unwrap().is_ok()));
        }
    });
}

#[test]
fn finished_can_be_cancelled_and_called_again() {
    run(async {
        let held = GatedPool::new(1, 1);
        let submission = held.pool.submit(1);
        held.gate.arrived(1).await;
        assert!(held.pool.finished().now_or_never().is_none());
        assert!(!held.pool.is_closed(), "it only waits");
        held.pool.drain();
        assert!(held.pool.finished().now_or_never().is_none());
        assert!(held.pool.is_closed() && !held.pool.is_stopped());
        held.gate.open();
        assert_eq!(held.pool.finished().await.unwrap().completed, 1);
        assert_eq!(submission.await.unwrap(), 10);
    });
}

#[test]
fn a_shutdown_within_its_deadline_returns_no_items() {
    run(async {
        let held = GatedPool::new(1, 8);
        let submissions: Vec<_> = (0..3).map(|n| held.pool.submit(n)).collect();
        held.gate.open();
        assert!(held.pool.shutdown(pending()).await.unwrap().is_empty());
        assert_eq!(join_all(submissions).await.into_iter().flatten().count(), 3);
        held.pool.drain();
        assert_settled(&held.pool.finished().await.unwrap());
    });
}

#[test]
fn a_shutdown_at_its_deadline_returns_items_that_have_not_begun_and_does_not_wait() {
    run(async {
        let (held, mut submissions) = in_every_state().await;
        let (late, deadline) = oneshot::channel::<()>();
        let pool = held.pool.clone();
        let shutdown = actix::spawn(async move { pool.shutdown(deadline.map(drop)).await });
        settle().await;
        assert!(held.pool.is_closed());
        for (n, waiting) in [3, 4].into_iter().zip(submissions.drain(3..)) {
            assert_eq!(waiting.await.unwrap_err().into_item(), Some(n), "it had no permit");
        }
        late.send(()).unwrap();
        assert_eq!(shutdown.await.unwrap().unwrap(), [1, 2]);
        for handed_back in submissions.drain(1..) {
            let error = handed_back.await.unwrap_err();
            assert!(matches!(error, SubmitError::Stopped { item: None }), "{error:?}");
        }
        let stats = held.pool.stats();
        assert_eq!((stats.in_flight, stats.skipped), (1, 2));
        held.gate.open();
        assert_eq!(submissions.remove(0).await.unwrap(), 0);
        held.pool.drain();
        assert_settled(&held.pool.finished().await.unwrap());
        assert_eq!(held.begun(), [0]);
    });
}

#[test]
fn a_passed_deadline_stops_at_once() {
    run(async {
        let (held, submissions) = in_every_state().await;
        assert_eq!(held.pool.shutdown(ready(())).await.unwrap(), [1, 2]);
        assert!(held.pool.shutdown(ready(())).await.unwrap().is_empty());
        held.gate.open();
        assert_eq!(join_all(submissions).await.into_iter().flatten().collect::<Vec<_>>(), [0]);
    });
}

#[test]
fn items_submitted_after_the_end_are_returned() {
    let ends: [fn(&Pool<u64, u64>); 3] = [Pool::drain, Pool::stop, |pool| pool.stop_handle().drain()];
    for end in ends {
        run(async move {
            let pool = pool().workers(2).map(|n: u64| n).unwrap();
            pool.submit(1).await.unwrap();
            end(&pool);
            for _ in 0..2 {
                assert_eq!(pool.submit(2).await.unwrap_err().into_item(), Some(2));
                assert_eq!(pool.try_submit(3).unwrap_err().into_item(), Some(3));
                assert_eq!(pool.blocking_submit(4).unwrap_err().into_item(), Some(4));
                assert!(pool.submit(5).await.unwrap_err().is_closed());
                pool.drain();
                pool.finished().await.unwrap();
            }
            assert_eq!(pool.stats().taken, 1);
        });
    }
}

#[test]
fn stop_close_and_drain_may_be_repeated_in_any_order() {
    run(async {
        let (held, submissions) = in_every_state().await;
        held.pool.drain();
        held.pool.drain();
        held.pool.stop();
        held.pool.stop();
        held.pool.drain();
        held.pool.stop_handle().stop();
        assert!(held.pool.stop_handle().is_stopped());
        held.gate.open();
        assert_eq!(join_all(submissions).await.into_iter().flatten().count(), 1);
        held.pool.drain();
        assert_settled(&held.pool.finished().await.unwrap());
    });
}

#[test]
fn dropping_the_last_clone_closes_the_pool_and_awaited_submits_complete() {
    run(async {
        let (GatedPool { pool, gate, .. }, mut submissions) = {
            let (held, submissions) = in_every_state().await;
            (held, submissions)
        };
        let handle = pool.stop_handle();
        let other = pool.clone();
        drop(pool);
        drop(other);
        gate.open();
        let last = submissions.pop().unwrap();
        let results: Vec<u64> = join_all(submissions).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(results, [0, 10, 20, 30]);
        assert_eq!(last.await.unwrap(), 40, "even one that waited for a permit");
        handle.workers_stopped().await;
        let stats = handle.stats();
        assert_settled(&stats);
        assert_eq!(stats.completed, 5);
    });
}

#[test]
fn an_unused_pool_ends_with_its_last_clone() {
    run(async {
        let pool: Pool<u64, u64> = pool().workers(3).map(|n| n).unwrap();
        let handle = pool.stop_handle();
        drop(pool);
        handle.workers_stopped().await;
    });
}

#[test]
fn dropping_everything_at_once_leaves_no_thread_behind() {
    run(async {
        let (held, submissions) = in_every_state().await;
        let (handle, gate) = (held.pool.stop_handle(), held.gate.clone());
        drop(held);
        drop(submissions);
        gate.open();
        handle.workers_stopped().await;
        let stats = handle.stats();
        assert_settled(&stats);
        assert_eq!((stats.completed, stats.skipped), (1, stats.taken - 1));
    });
}

#[test]
fn a_pool_tells_how_it_ended() {
    type Act = fn(&Pool<u64, u64>);
    let acts: [(Act, End); 5] = [
        (|_| (), End::Complete),
        (Pool::drain, End::Drained),
        (|pool| pool.stop_handle().drain(), End::Drained),
        (Pool::stop, End::Stopped),
        (
            |pool| {
                pool.drain();
                pool.stop();
            },
            End::Stopped,
        ),
    ];
    for (act, expected) in acts {
        run(async move {
            let (held, submissions) = in_every_state().await;
            let (handle, gate) = (held.pool.stop_handle(), held.gate.clone());
            assert_eq!((handle.end(), held.pool.stats().end), (None, None));
            act(&held.pool);
            assert_eq!(handle.end(), None, "an item runs");
            assert!(handle.finished().now_or_never().is_none());
            drop(held);
            gate.open();
            join_all(submissions).await;
            let stats = handle.finished().await.unwrap();
            assert_settled(&stats);
            assert_eq!(stats.end, Some(expected));
        });
    }
}

#[test]
fn a_stop_changes_the_end_before_the_close_but_not_after_the_last_item() {
    run(async {
        let pool = pool().workers(2).map(|n: u64| n).unwrap();
        pool.submit(1).await.unwrap();
        pool.drain();
        assert_eq!(pool.finished().await.unwrap().end, Some(End::Drained));
        pool.stop();
        assert!(pool.shutdown(ready(())).await.unwrap().is_empty());
        pool.drain();
        assert_eq!(pool.finished().await.unwrap().end, Some(End::Drained));
    });
    run(async {
        let pool: Pool<u64, u64> = pool().workers(2).map(|n| n).unwrap();
        pool.stop();
        pool.drain();
        assert_eq!(pool.finished().await.unwrap().end, Some(End::Stopped));
    });
}

#[test]
fn a_shutdown_drains_in_time_and_stops_at_its_deadline() {
    run(async {
        let (held, submissions) = in_every_state().await;
        let handle = held.pool.stop_handle();
        held.gate.open();
        assert!(held.pool.shutdown(pending()).await.unwrap().is_empty());
        assert_eq!(handle.finished().await.unwrap().end, Some(End::Drained));
        drop(submissions);
    });
    run(async {
        let (held, _submissions) = in_every_state().await;
        assert_eq!(held.pool.shutdown(ready(())).await.unwrap(), [1, 2]);
        held.gate.open();
        assert_eq!(held.pool.stop_handle().finished().await.unwrap().end, Some(End::Stopped));
    });
}
