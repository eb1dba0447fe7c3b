//! Submitters whose executor's waker panics: nothing but their own wake-up is lost.

use std::task::Context;

use actix_fan::{Pool, pool};
use futures::{FutureExt, Sink, SinkExt, StreamExt};

use crate::support::{Count, Gate, assert_settled, panicking_waker, run};

/// A pool of one worker that waits at the gate.
fn held(gate: &Gate, window: usize) -> Pool<u64, u64> {
    let pass = gate.clone();
    let builder = pool().workers(1).window(window);
    builder
        .map(move |n| {
            pass.pass();
            n
        })
        .unwrap()
}

#[test]
fn a_submit_whose_waker_panics_gets_its_result_once_it_is_polled_again() {
    run(async {
        let (gate, woken) = (Gate::new(), Count::new());
        let pool = held(&gate, 2);
        let waker = panicking_waker(&woken);
        let mut submission = pool.submit(1);
        assert!(submission.poll_unpin(&mut Context::from_waker(&waker)).is_pending());
        gate.open();
        woken.reached(1).await;
        assert_eq!((submission.await.unwrap(), pool.submit(2).await.unwrap()), (1, 2));
        pool.drain();
        let stats = pool.finished().await.unwrap();
        assert_settled(&stats);
        assert_eq!((stats.completed, stats.failed), (2, 0));
    });
}

#[test]
fn a_channel_continues_when_the_wakers_of_both_its_ends_panic() {
    run(async {
        let (gate, woken) = (Gate::new(), Count::new());
        let pool = held(&gate, 2);
        let (mut sink, mut results) = pool.channel();
        for n in 0..3 {
            sink.feed(n).await.unwrap();
        }
        let waker = panicking_waker(&woken);
        let mut cx = Context::from_waker(&waker);
        assert!(std::pin::Pin::new(&mut sink).poll_ready(&mut cx).is_pending());
        assert!(results.poll_next_unpin(&mut cx).is_pending());
        gate.let_through(1);
        woken.reached(1).await;
        // The permit of the first goes to the one that waits.
        assert_eq!(results.next().await.unwrap().unwrap(), 0);
        gate.open();
        sink.close().await.unwrap();
        drop(sink);
        assert_eq!(results.map(Result::unwrap).collect::<Vec<_>>().await, [1, 2]);
        assert!(woken.get() >= 2, "the sink was woken as well");
        pool.drain();
        assert_settled(&pool.finished().await.unwrap());
    });
}
