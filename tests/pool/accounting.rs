use std::thread;
use std::time::Duration;

use actix_fan::{Stats, pool};
use futures::future::join_all;
use futures::{SinkExt, StreamExt};
use proptest::prelude::*;

use super::gated_pool::GatedPool;
use crate::support::{assert_balanced, assert_settled, run};

/// Taken, completed, failed, skipped, in flight, queued, waiting.
fn numbers(stats: &Stats) -> [u64; 7] {
    assert_balanced(stats);
    let [in_flight, queued, waiting] = [stats.in_flight, stats.queued, stats.waiting].map(|n| n as u64);
    [stats.taken, stats.completed, stats.failed, stats.skipped, in_flight, queued, waiting]
}

#[test]
fn the_stats_follow_every_step_of_an_item() {
    run(async {
        let held = GatedPool::new(1, 2);
        let now = || numbers(&held.pool.stats());
        assert_eq!(now(), [0; 7]);
        let first = held.pool.submit(0);
        held.gate.arrived(1).await;
        assert_eq!(now(), [1, 0, 0, 0, 1, 0, 0], "it runs");
        let second = held.pool.submit(1);
        assert_eq!(now(), [2, 0, 0, 0, 2, 1, 0], "it is queued");
        let third = held.pool.submit(2);
        assert_eq!(now(), [2, 0, 0, 0, 2, 1, 1], "it waits, and was not taken");
        held.gate.let_through(1);
        first.await.unwrap();
        held.gate.arrived(2).await;
        assert_eq!(now(), [3, 1, 0, 0, 2, 1, 0], "its permit went to the third");
        drop(third);
        assert_eq!(now(), [3, 1, 0, 1, 1, 0, 0]);
        held.gate.open();
        second.await.unwrap();
        assert_eq!(now(), [3, 2, 0, 1, 0, 0, 0]);
        held.pool.drain();
        let stats = held.pool.finished().await.unwrap();
        assert_eq!(numbers(&stats), [3, 2, 0, 1, 0, 0, 0]);
        assert_eq!((stats.emitted, stats.workers[0].items), (2, 2));
    });
}

#[test]
fn every_snapshot_adds_up() {
    run(async {
        let pool = pool()
            .workers(2)
            .window(20)
            .try_map(|n: u64| if n.is_multiple_of(5) { Err("fifth") } else { Ok(n) })
            .unwrap();
        let handle = pool.stop_handle();
        let watcher = thread::spawn(move || {
            let mut last = 0;
            while last < 20_000 {
                let stats = handle.stats();
                assert_balanced(&stats);
                assert!(stats.queued <= stats.in_flight && stats.in_flight <= 20, "{stats:?}");
                assert!(stats.taken >= last);
                last = stats.completed + stats.failed;
            }
        });
        let submitters = (0..20u64).map(|k| {
            let pool = pool.clone();
            async move {
                for n in 0..1000 {
                    let failed = pool.submit(1000 * k + n).await.is_err();
                    assert_eq!(failed, (1000 * k + n).is_multiple_of(5));
                }
            }
        });
        join_all(submitters).await;
        watcher.join().unwrap();
        pool.drain();
        let stats = pool.finished().await.unwrap();
        assert_settled(&stats);
        assert_eq!((stats.completed, stats.failed), (16_000, 4000));
    });
}

#[test]
fn the_expected_wait_follows_the_service_time_and_the_queue() {
    run(async {
        let held = GatedPool::new(1, 10);
        assert_eq!((held.pool.expected_wait(), held.pool.stats().mean_service), (None, None));
        let first = held.pool.submit(0);
        held.gate.arrived(1).await;
        // Nothing is waited for: the time that the item takes is what is measured.
        thread::sleep(Duration::from_millis(2));
        held.gate.let_through(1);
        first.await.unwrap();
        let mean = held.pool.stats().mean_service.expect("one item was measured");
        assert!(mean >= Duration::from_millis(2), "{mean:?}");
        assert_eq!(held.pool.expected_wait(), Some(Duration::ZERO), "the worker is free");
        let submissions: Vec<_> = (1..5).map(|n| held.pool.submit(n)).collect();
        held.gate.arrived(2).await;
        let wait = held.pool.expected_wait().unwrap();
        assert!(
            wait.abs_diff(4 * mean) < Duration::from_micros(1),
            "{wait:?} for three ahead of {mean:?} and one that runs"
        );
        held.gate.open();
        join_all(submissions).await;
    });
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Submit,
    TrySubmit,
    /// Drops one of the submits.
    Drop(usize),
    /// Lets one item through.
    Finish,
    Drain,
    Stop,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => Just(Step::Submit),
        4 => Just(Step::TrySubmit),
        5 => any::<usize>().prop_map(Step::Drop),
        6 => Just(Step::Finish),
        1 => Just(Step::Drain),
        1 => Just(Step::Stop),
    ];
    prop::collection::vec(step, 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn random_runs_keep_the_window_and_the_accounting(workers in 1usize..4, window in 1usize..8, steps in steps()) {
        run(async move {
            let held = GatedPool::new(workers, window);
            let mut submissions = Vec::new();
            for (n, step) in (0..).zip(steps) {
                match step {
                    Step::Submit => submissions.push(held.pool.submit(n)),
                    Step::TrySubmit => submissions.extend(held.pool.try_submit(n)),
                    Step::Drop(which) if !submissions.is_empty() => {
                        drop(submissions.swap_remove(which % submissions.len()));
                    }
                    Step::Drop(_) => {}
                    Step::Finish => held.gate.let_through(1),
                    Step::Drain => held.pool.drain(),
                    Step::Stop => held.pool.stop(),
                }
                let stats = held.pool.stats();
                assert_balanced(&stats);
                assert!(stats.queued <= stats.in_flight && stats.in_flight <= window, "{stats:?}");
                assert!(stats.waiting == 0 || stats.in_flight == window, "a permit is free, a submit waits: {stats:?}");
            }
            held.gate.open();
            let results = join_all(submissions).await;
            held.pool.drain();
            let stats = held.pool.finished().await.unwrap();
            assert_settled(&stats);
            assert_eq!(stats.emitted, results.iter().flatten().count() as u64);
            assert_eq!(stats.completed, held.begun().len() as u64);
            let mut begun = held.begun();
            begun.sort_unstable();
            begun.dedup();
            assert_eq!(begun.len() as u64, stats.completed, "an item ran twice");
        });
    }
}

#[test]
fn skips_are_told_apart_by_their_reason() {
    run(async {
        let held = GatedPool::new(1, 4);
        let skips = || {
            let stats = held.pool.stats();
            assert_eq!(stats.skips.stopped + stats.skips.caller_gone, stats.skipped, "{stats:?}");
            (stats.skips.stopped, stats.skips.caller_gone)
        };
        let running = held.pool.submit(0);
        held.gate.arrived(1).await;
        let dropped = held.pool.submit(1);
        let stopped = held.pool.submit(2);
        drop(dropped);
        assert_eq!(skips(), (0, 1), "its caller has left");
        held.pool.stop();
        stopped.await.unwrap_err();
        assert_eq!(skips(), (1, 1));
        held.gate.open();
        running.await.unwrap();
        held.pool.finished().await.unwrap();
        assert_eq!(skips(), (1, 1));
    });
}

#[test]
fn a_result_in_a_stream_has_finished_until_it_is_taken() {
    run(async {
        let pool = pool().workers(1).window(4).map(|n: u64| n).unwrap();
        let (mut sink, mut stream) = pool.channel();
        sink.send(7).await.unwrap();
        pool.drain();
        // The work has ended; the result waits.
        pool.finished().await.unwrap();
        let counts = || (pool.stats().in_flight, pool.stats().finished);
        assert_eq!(counts(), (1, 1));
        assert_eq!(stream.next().await.unwrap().unwrap(), 7);
        assert_eq!(counts(), (0, 0));
    });
}
