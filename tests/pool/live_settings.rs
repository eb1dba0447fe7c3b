//! The window and the number of threads of a running pool are changed.

use actix_fan::{SettingError, pool};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, SinkExt, StreamExt};

use super::gated_pool::GatedPool;
use crate::support::{assert_balanced, assert_settled, run, settle};

#[test]
fn a_raised_window_admits_as_many_as_wait_before_it_returns() {
    run(async {
        let held = GatedPool::new(1, 2);
        let answers: FuturesUnordered<_> = (0..6).map(|n| held.pool.submit(n)).collect();
        let counts = || {
            let stats = held.pool.stats();
            assert_balanced(&stats);
            (stats.in_flight, stats.waiting, stats.limit)
        };
        assert_eq!(counts(), (2, 4, Some(2)));
        held.pool.set_window(5).unwrap();
        assert_eq!((counts(), held.pool.window()), ((5, 1, Some(5)), 5));
        assert!(held.pool.try_submit(9).is_err_and(|refused| refused.is_full()));

        // None of them gets the permit of another one that ends, until fewer are in flight.
        held.pool.set_window(2).unwrap();
        assert_eq!(counts(), (5, 1, Some(2)));
        let mut answers = answers;
        for in_flight in [4, 3, 2] {
            held.gate.let_through(1);
            answers.next().await.unwrap().unwrap();
            assert_eq!(counts(), (in_flight, 1, Some(2)));
        }
        held.gate.let_through(1);
        answers.next().await.unwrap().unwrap();
        assert_eq!(counts(), (2, 0, Some(2)), "the one that ended and the one that waited");
        held.gate.open();
        assert_eq!(answers.count().await, 2);
        assert_eq!(held.begun(), (0..6).collect::<Vec<_>>());
        held.pool.drain();
        assert_settled(&held.pool.finished().await.unwrap());
    });
}

#[test]
fn a_raised_window_wakes_the_sink_of_a_channel() {
    run(async {
        let held = GatedPool::new(1, 1);
        let (mut sink, results) = held.pool.channel();
        sink.feed(0).await.unwrap();
        assert!(sink.feed(1).now_or_never().is_some(), "a sink takes one more, which waits");
        let feeding = actix::spawn(async move { sink.feed(2).await.is_ok() });
        settle().await;
        assert!(!feeding.is_finished());
        held.pool.stop_handle().set_window(2).unwrap();
        assert!(feeding.await.unwrap());
        held.gate.open();
        held.pool.set_window(3).unwrap();
        assert_eq!(results.map(Result::unwrap).collect::<Vec<_>>().await, [0, 10, 20]);
    });
}

#[test]
fn threads_that_are_too_many_leave_after_their_item_and_come_back_at_once() {
    run(async {
        let held = GatedPool::new(4, 100);
        let mut answers: FuturesUnordered<_> = (0..40).map(|n| held.pool.submit(n)).collect();
        held.gate.arrived(4).await;
        held.pool.set_concurrency(1).unwrap();
        assert_eq!(held.pool.stats().concurrency, Some(1));
        held.gate.let_through(3);
        for _ in 0..3 {
            answers.next().await.unwrap().unwrap();
        }
        settle().await;
        assert_eq!(held.gate.arrivals(), 4, "one runs, which is enough");
        for arrivals in 5..20 {
            held.gate.let_through(1);
            answers.next().await.unwrap().unwrap();
            held.gate.arrived(arrivals).await;
            settle().await;
            assert_eq!(held.gate.arrivals(), arrivals);
        }
        // No item ends meanwhile.
        held.pool.set_concurrency(4).unwrap();
        held.gate.arrived(22).await;
        held.gate.open();
        assert_eq!(answers.count().await, 22);
        held.pool.drain();
        assert_settled(&held.pool.finished().await.unwrap());
    });
}

#[test]
fn what_the_builder_refuses_is_refused() {
    run(async {
        let pool = pool().workers(2).window(3).map(|n: u64| n).unwrap();
        assert_eq!(pool.set_window(0), Err(SettingError::Window));
        assert_eq!(pool.set_concurrency(0), Err(SettingError::Concurrency));
        let stats = pool.stats();
        assert_eq!((stats.limit, stats.concurrency), (Some(3), Some(2)));
        pool.set_concurrency(9).unwrap();
        assert_eq!(pool.stats().concurrency, Some(2), "as many as there are");
    });
}
