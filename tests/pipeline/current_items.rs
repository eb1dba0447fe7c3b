//! What the numbers tell of the items that run, and of those that wait to be taken.

use std::time::Instant;

use actix_fan::testing::Gate;
use actix_fan::{FanOutExt, pool};
use futures::StreamExt;

use crate::support::run;

#[test]
fn a_worker_tells_which_item_it_runs_and_for_how_long() {
    run(async {
        let gate = Gate::new();
        let passes = gate.clone();
        let began = Instant::now();
        // In one batch of a fixed size, which no other worker takes a part of.
        let mut same = (0..4u64)
            .fan_out()
            .workers(1)
            .batch(4)
            .map(move |n| {
                passes.pass();
                n
            })
            .unwrap();
        for index in 0..4 {
            gate.arrived(index + 1).await;
            let current = same.stats().workers[0].current.expect("an item runs");
            assert_eq!(current.index, index as u64);
            assert!(current.running <= began.elapsed());
            let later = same.stats().workers[0].current.expect("it still runs");
            assert!(later.index == current.index && later.running >= current.running);
            gate.let_through(1);
        }
        assert_eq!(same.by_ref().count().await, 4);
        assert_eq!(same.finished().await.unwrap().workers[0].current, None);
    });
}

#[test]
fn the_items_of_a_pool_have_the_indices_of_their_permits() {
    run(async {
        let gate = Gate::new();
        let passes = gate.clone();
        let pool = pool().workers(1).map(move |()| passes.pass()).unwrap();
        for index in 0..3 {
            let submitted = pool.submit(());
            gate.arrived(index + 1).await;
            assert_eq!(pool.stats().workers[0].current.map(|current| current.index), Some(index as u64));
            gate.let_through(1);
            submitted.await.unwrap();
        }
    });
}

#[test]
fn items_have_finished_from_the_end_of_their_batch_until_their_results_are_taken() {
    run(async {
        let gate = Gate::new();
        let passes = gate.clone();
        let mut same = (0..6u64)
            .fan_out()
            .workers(1)
            .window(6)
            .batch(2)
            .map(move |n| {
                if n == 4 {
                    passes.pass();
                }
                n
            })
            .unwrap();
        assert_eq!(same.stats().limit, Some(6));
        gate.arrived(1).await;
        // The batches before it have ended, whether the aggregator has got them or not.
        let stats = same.stats();
        assert_eq!((stats.taken, stats.in_flight, stats.finished), (6, 6, 4), "{stats:?}");
        same.next().await.unwrap().unwrap();
        assert_eq!(same.stats().finished, 4, "the other one of its batch was not taken");
        same.next().await.unwrap().unwrap();
        assert_eq!((same.stats().in_flight, same.stats().finished), (4, 2));
        gate.open();
        assert_eq!(same.by_ref().count().await, 4);
        let stats = same.finished().await.unwrap();
        assert_eq!((stats.in_flight, stats.finished, stats.completed), (0, 0, 6));
    });
}

#[test]
fn a_merged_stream_has_no_limit() {
    run(async {
        let merged = actix_fan::fan_in([(0..3).fan_out().map(|n| n).unwrap()]);
        assert_eq!(merged.stats().limit, None);
    });
}
