//! What the numbers tell of the items that run, and of those that wait to be taken.

use std::time::Instant;

use actix_fan::{FanOutExt, Job, pool, work_fn};
use futures::StreamExt;

use crate::support::{Gate, run};

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
        let twice = move || {
            let passes = passes.clone();
            work_fn(move |n: u64, job: &mut Job<'_, u64>| {
                if n == 2 {
                    passes.pass();
                }
                Ok(job.emit_all([n, n])?)
            })
        };
        let mut results = (0..3u64).fan_out().workers(1).window(3).batch(1).with(twice).unwrap();
        assert_eq!(results.stats().limit, Some(3));
        gate.arrived(1).await;
        // The batches before it have ended, whether the aggregator has got them or not.
        let stats = results.stats();
        assert_eq!((stats.taken, stats.in_flight, stats.finished), (3, 3, 2), "{stats:?}");
        results.next().await.unwrap().unwrap();
        assert_eq!(results.stats().finished, 2, "the other one of its batch was not taken");
        results.next().await.unwrap().unwrap();
        assert_eq!((results.stats().in_flight, results.stats().finished), (2, 1));
        gate.open();
        assert_eq!(results.by_ref().count().await, 4);
        let stats = results.finished().await.unwrap();
        assert_eq!((stats.in_flight, stats.finished, stats.completed), (0, 0, 3));
    });
}

#[test]
fn a_merged_stream_has_no_limit() {
    run(async {
        let merged = actix_fan::fan_in([(0..3).fan_out().map(|n| n).unwrap()]);
        assert_eq!(merged.stats().limit, None);
    });
}
