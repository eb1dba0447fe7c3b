use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;

use actix_fan::{FanOutExt, ItemError, Job, Stats, work_fn};
use futures::StreamExt;
use proptest::prelude::*;

use crate::support::{assert_balanced, assert_settled, run};

#[derive(Clone, Copy, Debug)]
struct Case {
    items: u64,
    workers: usize,
    window: Option<usize>,
    batch: Option<usize>,
    ordered: bool,
    /// One in this number of items panics, fails, or yields nothing.
    panics: u64,
    fails: u64,
    yields_nothing: u64,
    stop_after: Option<(usize, bool)>,
}

fn cases() -> impl Strategy<Value = Case> {
    let shape = (0u64..400, 1usize..5, prop::option::of(1usize..50), prop::option::of(1usize..20), any::<bool>());
    let ends = (2u64..60, 2u64..60, 2u64..10, prop::option::of((0usize..100, any::<bool>())));
    (shape, ends).prop_map(|((items, workers, window, batch, ordered), (panics, fails, yields_nothing, stop_after))| {
        Case {
            items,
            workers,
            window,
            batch: batch.map(|batch| batch.min(window.unwrap_or(batch))),
            ordered,
            panics,
            fails,
            yields_nothing,
            stop_after,
        }
    })
}

/// Runs a case; returns its results, its final numbers and how many items began.
fn outcome(case: Case) -> (Vec<Result<u64, ItemError>>, Stats, u64) {
    let begun = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&begun);
    run(async move {
        let mut builder = (0..case.items).fan_out().workers(case.workers);
        if let Some(window) = case.window {
            builder = builder.window(window);
        }
        if let Some(batch) = case.batch {
            builder = builder.batch(batch);
        }
        if case.ordered {
            builder = builder.ordered();
        }
        let mut results = builder
            .with(move || {
                let count = Arc::clone(&count);
                actix_fan::work_fn(move |n: u64, job: &mut actix_fan::Job<'_, u64>| {
                    count.fetch_add(1, SeqCst);
                    assert_eq!(job.index(), n);
                    if !n.is_multiple_of(case.yields_nothing) {
                        job.emit(n);
                    }
                    if n % case.panics == 1 {
                        std::panic::resume_unwind(Box::new("on purpose"));
                    }
                    if n % case.fails == 1 { Err("on purpose".into()) } else { Ok(()) }
                })
            })
            .unwrap();
        let stop = results.stop_handle();
        let mut got = Vec::new();
        loop {
            assert_balanced(&results.stats());
            if let Some((after, drain)) = case.stop_after
                && got.len() == after
            {
                if drain { stop.drain() } else { stop.stop() }
            }
            match results.next().await {
                Some(result) => got.push(result),
                None => break,
            }
        }
        let stats = results.finished().await.unwrap();
        (got, stats, begun.load(SeqCst))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn every_item_taken_ends_exactly_once(case in cases()) {
        let (got, stats, begun) = outcome(case);
        assert_settled(&stats);
        prop_assert_eq!(begun, stats.completed + stats.failed);
        prop_assert_eq!(stats.emitted, got.iter().flatten().count() as u64);
        prop_assert_eq!(stats.failed, got.iter().filter(|result| result.is_err()).count() as u64);

        let mut indices: Vec<u64> =
            got.iter().map(|result| result.as_ref().map_or_else(ItemError::index, |n| *n)).collect();
        if case.ordered {
            prop_assert!(indices.is_sorted());
        }
        indices.sort_unstable();
        let fails = |n: u64| n % case.panics == 1 || n % case.fails == 1;
        let expected = |n: &u64| fails(*n) || !n.is_multiple_of(case.yields_nothing);
        match case.stop_after {
            None => {
                prop_assert_eq!((stats.taken, stats.skipped), (case.items, 0));
                prop_assert_eq!(indices, (0..case.items).filter(expected).collect::<Vec<_>>());
            }
            Some((_, true)) => {
                prop_assert_eq!(stats.skipped, 0);
                prop_assert_eq!(indices, (0..stats.taken).filter(expected).collect::<Vec<_>>());
            }
            Some((_, false)) => {
                prop_assert!(indices.windows(2).all(|pair| pair[0] < pair[1]), "an item ended twice");
                prop_assert!(indices.iter().all(expected));
            }
        }
        for error in got.iter().filter_map(|result| result.as_ref().err()) {
            prop_assert_eq!(error.panic_message().is_some(), error.index() % case.panics == 1);
        }
    }
}

#[test]
fn every_snapshot_adds_up() {
    run(async {
        let mut results = (0..200_000u64).fan_out().workers(2).filter_map(|n| (n % 3 == 0).then_some(n)).unwrap();
        let handle = results.stop_handle();
        let watcher = thread::spawn(move || {
            let mut last = 0;
            while last < 200_000 {
                let stats = handle.stats();
                assert_balanced(&stats);
                assert!(stats.taken >= last);
                last = stats.completed;
            }
        });
        while results.next().await.is_some() {}
        let stats = results.finished().await.unwrap();
        assert_settled(&stats);
        assert_eq!((stats.completed, stats.emitted), (200_000, 66_667));
        assert_eq!(stats.workers.iter().map(|worker| worker.items).sum::<u64>(), 200_000);
        assert!(stats.workers.iter().all(|worker| worker.busy <= stats.elapsed));
        watcher.join().unwrap();
    });
}

#[test]
fn results_left_in_a_dropped_stream_count_as_completed() {
    run(async {
        // Of one item, so that they leave together: a batch is smaller where the source's time slice is spent.
        let ten = || work_fn(|(), job: &mut Job<'_, u64>| Ok(job.emit_all(0..10)?));
        let mut results = [()].fan_out().workers(1).with(ten).unwrap();
        let handle = results.stop_handle();
        results.next().await;
        drop(results);
        handle.workers_stopped().await;
        crate::support::settle().await;
        let stats = handle.stats();
        assert_settled(&stats);
        assert_eq!(stats.emitted, 1);
        assert_eq!(stats.completed, 1);
    });
}

#[test]
fn waiting_is_not_counted_as_busy_time() {
    run(async {
        let mut results =
            futures::stream::iter([1]).chain(futures::stream::pending()).fan_out().workers(1).map(|n| n).unwrap();
        results.next().await.unwrap().unwrap();
        // It may still be busy with handing the result over; after the end it can't be.
        let stop = results.stop_handle();
        stop.stop();
        stop.workers_stopped().await;
        let busy = |stats: Stats| stats.workers[0].busy;
        let before = busy(stop.stats());
        thread::yield_now();
        assert_eq!(busy(stop.stats()), before);
        assert!(before <= stop.stats().elapsed);
    });
}
