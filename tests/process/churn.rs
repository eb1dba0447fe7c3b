//! Thousands of pipelines and pools, started and ended in every way: no thread and no memory is left.

use std::time::Duration;

use actix::System;
use actix_fan::{FanOutExt, pool};
use futures::{SinkExt, StreamExt};

use crate::status::{no_more_threads_than, status};
use crate::support::{DropCounter, assert_settled, in_own_process, quiet_panic};

const ROUNDS: usize = 10_000;

/// Enough for what an allocator, a stack and a thread's arena keep for later.
const WARM_UP: usize = 1_000;

/// Less than a KiB a round.
const GROWTH_KIB: u64 = 6 * 1024;

/// Runs the rounds, and checks that the process is after them what it was before.
fn churn(mut round: impl AsyncFnMut(usize)) {
    // Each System has its own arbiter; whatever it holds is gone with it.
    let mut rounds = |from: usize, to: usize| {
        for chunk in (from..to).step_by(500) {
            System::new().block_on(async {
                for n in chunk..(chunk + 500).min(to) {
                    actix::clock::timeout(Duration::from_secs(10), round(n)).await.expect("a round hangs");
                }
            });
        }
    };
    // And the thread of the System on which workers are started, which comes with the first start and stays.
    let threads = status().0 + 1;
    rounds(0, WARM_UP);
    no_more_threads_than(threads);
    let (_, before) = status();
    rounds(WARM_UP, WARM_UP + ROUNDS);
    no_more_threads_than(threads);
    let (_, after) = status();
    assert!(after < before + GROWTH_KIB, "{before} KiB before, {after} KiB after {ROUNDS} rounds");
}

#[test]
#[ignore = "long: `cargo test --tests -- --ignored` runs it"]
fn pipelines_leave_no_thread_and_no_memory_behind() {
    in_own_process(|| {
        let counter = DropCounter::new();
        let all = counter.clone();
        churn(async move |round| {
            let tracker = all.clone();
            let panics = round % 7 == 3;
            let source = (0..20u64).map(move |n| (n, tracker.track()));
            let builder = source.fan_out().workers(1).window(8).batch(2);
            let builder = if round.is_multiple_of(2) { builder.ordered() } else { builder };
            let mut results = builder
                .map(move |(n, tracked)| {
                    if panics && n == 5 {
                        quiet_panic("now and then");
                    }
                    tracked
                })
                .unwrap();
            let stop = results.stop_handle();
            match round % 5 {
                // Dropped at once, dropped midway, stopped, drained, finished.
                0 => {}
                1 => drop((results.next().await, results.next().await)),
                2 => {
                    results.next().await;
                    stop.stop();
                    results.finished().await.unwrap();
                }
                3 => {
                    results.next().await;
                    stop.drain();
                    while results.next().await.is_some() {}
                }
                _ => assert_settled(&results.finished().await.unwrap()),
            }
            drop(results);
            stop.workers_stopped().await;
        });
        assert_eq!(counter.alive(), 0);
    });
}

#[test]
#[ignore = "long: `cargo test --tests -- --ignored` runs it"]
fn pools_leave_no_thread_and_no_memory_behind() {
    in_own_process(|| {
        let counter = DropCounter::new();
        let all = counter.clone();
        churn(async move |round| {
            let panics = round % 7 == 3;
            let pool = pool().workers(1).window(2).map(move |(n, tracked)| {
                if panics && n == 1 {
                    quiet_panic("now and then");
                }
                tracked
            });
            let pool = pool.unwrap();
            let stop = pool.stop_handle();
            let submit = |n: u64| pool.submit((n, all.track()));
            match round % 5 {
                // Never used, cancelled midway, stopped, fed by a sink whose stream is dropped, drained.
                0 => {}
                1 => drop((submit(0).await, submit(1), submit(2), submit(3))),
                2 => {
                    let submissions = [submit(0), submit(1), submit(2), submit(3)];
                    pool.stop();
                    drop(futures::future::join_all(submissions).await);
                }
                3 => {
                    let (mut sink, mut results) = pool.channel();
                    for n in 0..3 {
                        sink.feed((n, all.track())).await.unwrap();
                    }
                    drop(results.next().await);
                }
                _ => {
                    drop((submit(0).await, submit(1).await));
                    pool.drain();
                    assert_settled(&pool.finished().await.unwrap());
                }
            }
            drop(pool);
            stop.workers_stopped().await;
            assert_settled(&stop.stats());
        });
        assert_eq!(counter.alive(), 0);
    });
}
