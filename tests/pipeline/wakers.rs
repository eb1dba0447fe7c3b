//! Consumers whose executor's waker panics: nothing but their own wake-up is lost.

use std::future::Future;
use std::pin::pin;
use std::task::Context;

use actix_fan::{FanOutExt, blocking_ahead, fan_in};
use futures::{StreamExt, stream};

use crate::support::{Count, Gate, panicking_waker, run, settle};

#[test]
fn a_consumer_whose_waker_panics_gets_every_result_once_it_polls_again() {
    for ordered in [false, true] {
        run(async move {
            let (gate, woken) = (Gate::new(), Count::new());
            let pass = gate.clone();
            let builder = (0..10u64).fan_out().workers(1).batch(2);
            let builder = if ordered { builder.ordered() } else { builder };
            let mut results = builder
                .map(move |n| {
                    pass.pass();
                    n
                })
                .unwrap();
            let waker = panicking_waker(&woken);
            assert!(results.poll_next_unpin(&mut Context::from_waker(&waker)).is_pending());
            gate.open();
            woken.reached(1).await;
            for n in 0..10 {
                assert_eq!(results.next().await.unwrap().unwrap(), n);
            }
            let stats = results.finished().await.unwrap();
            assert_eq!((stats.completed, stats.failed), (10, 0));
        });
    }
}

#[test]
fn other_waiters_are_woken_when_a_waker_panics() {
    run(async {
        let (gate, woken) = (Gate::new(), Count::new());
        let pass = gate.clone();
        let results = [()].fan_out().workers(1).map(move |()| pass.pass()).unwrap();
        gate.arrived(1).await;
        let stop = results.stop_handle();
        let waker = panicking_waker(&woken);
        let mut before = pin!(stop.workers_stopped());
        assert!(before.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        let neighbours = [0; 3].map(|_| {
            let stop = stop.clone();
            actix::spawn(async move { stop.workers_stopped().await })
        });
        settle().await;
        drop(results);
        gate.open();
        for neighbour in neighbours {
            neighbour.await.unwrap();
        }
        woken.reached(1).await;
        before.await;
        assert_eq!(stop.stats().completed, 1);
    });
}

#[test]
fn a_stop_contains_the_panic_of_the_consumers_waker() {
    run(async {
        let woken = Count::new();
        let mut merged = fan_in([stream::pending::<()>()]);
        let waker = panicking_waker(&woken);
        assert!(merged.poll_next_unpin(&mut Context::from_waker(&waker)).is_pending());
        let before = woken.get();
        merged.stop();
        assert_eq!((woken.get(), merged.next().await), (before + 1, None));
    });
}

#[test]
fn a_blocking_source_continues_when_a_waker_panics() {
    run(async {
        let (gate, woken) = (Gate::new(), Count::new());
        let pass = gate.clone();
        let mut items = blocking_ahead(1, (0..5).inspect(move |_| pass.pass())).unwrap();
        let waker = panicking_waker(&woken);
        assert!(items.poll_next_unpin(&mut Context::from_waker(&waker)).is_pending());
        gate.open();
        woken.reached(1).await;
        assert_eq!(items.collect::<Vec<_>>().await, [0, 1, 2, 3, 4]);
    });
}
