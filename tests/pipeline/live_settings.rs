//! The window and the number of threads of a running pipeline are changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;

use actix_fan::{FanIn, FanOutExt, SettingError, Workers, fan_in};
use futures::StreamExt;
use tokio::task::yield_now;

use crate::support::{Count, Gate, assert_balanced, assert_settled, run, settle};

/// Waits until so many items have finished and were not taken.
async fn finished(results: &FanIn<u64>, items: usize) {
    while results.stats().finished < items {
        yield_now().await;
    }
}

#[test]
fn a_window_that_is_lowered_and_raised_loses_nothing_and_keeps_the_order() {
    for ordered in [false, true] {
        run(async move {
            let (gate, drawn) = (Gate::new(), Count::new());
            let (pass, draw) = (gate.clone(), drawn.clone());
            let source = (0..200u64).inspect(move |_| _ = draw.add());
            let builder = source.fan_out().workers(2).window(4).batch(1);
            let builder = if ordered { builder.ordered() } else { builder };
            let mut results = builder.map(move |n| (pass.pass(), n).1).unwrap();
            let mut got = Vec::new();

            gate.let_through(4);
            finished(&results, 4).await;
            assert_eq!((drawn.get(), results.stats().limit), (4, Some(4)));

            results.set_window(1).unwrap();
            let stats = results.stats();
            assert_eq!((stats.limit, stats.in_flight), (Some(1), 4), "they are in flight as before");
            for _ in 0..3 {
                got.push(results.next().await.unwrap().unwrap());
            }
            settle().await;
            assert_eq!((drawn.get(), results.stats().in_flight), (4, 1), "none is taken in while one is in flight");
            got.push(results.next().await.unwrap().unwrap());
            drawn.reached(5).await;
            gate.let_through(1);
            finished(&results, 1).await;
            settle().await;
            assert_eq!((drawn.get(), results.stats().in_flight), (5, 1));

            // Nothing else happens that would wake the generator.
            results.set_window(64).unwrap();
            gate.open();
            drawn.reached(68).await;
            finished(&results, 64).await;
            settle().await;
            let stats = results.stats();
            assert_balanced(&stats);
            assert_eq!((drawn.get(), stats.in_flight, stats.limit), (68, 64, Some(64)));

            while let Some(result) = results.next().await {
                got.push(result.unwrap());
            }
            if !ordered {
                got.sort_unstable();
            }
            assert_eq!(got, (0..200).collect::<Vec<_>>());
            assert_settled(&results.finished().await.unwrap());
        });
    }
}

#[test]
fn settings_that_change_all_the_time_lose_nothing_and_keep_the_order() {
    for ordered in [false, true] {
        run(async move {
            let builder = (0..50_000u64).fan_out().workers(4);
            let builder = if ordered { builder.ordered() } else { builder };
            let mut results = builder.map(|n| n).unwrap();
            let (handle, ended) = (results.stop_handle(), Arc::new(AtomicBool::new(false)));
            let changes = {
                let ended = Arc::clone(&ended);
                move || {
                    for step in 0.. {
                        if ended.load(SeqCst) {
                            return;
                        }
                        handle.set_window([1, 3000, 2, 64][step % 4]).unwrap();
                        handle.set_concurrency([4, 1, 3][step % 3]).unwrap();
                        assert_balanced(&handle.stats());
                        thread::yield_now();
                    }
                }
            };
            let changes = thread::spawn(changes);
            let mut got: Vec<u64> = results.by_ref().map(Result::unwrap).collect().await;
            ended.store(true, SeqCst);
            changes.join().unwrap();
            if !ordered {
                got.sort_unstable();
            }
            assert_eq!(got, (0..50_000).collect::<Vec<_>>());
            assert_settled(&results.finished().await.unwrap());
        });
    }
}

#[test]
fn a_raised_window_has_lazy_iterators_go_on_that_waited_for_room() {
    run(async {
        let produced = Count::new();
        let produce = produced.clone();
        let iterator = move |_| {
            let produce = produce.clone();
            (0u64..).inspect(move |_| _ = produce.add())
        };
        let results = (0..4).fan_out().workers(2).window(4).flat_map(iterator).unwrap();
        produced.reached(16).await;
        assert!(produced.get() < 1000, "{} results of a window of 4, some chunks ahead", produced.get());
        // No result is taken.
        results.set_window(100_000).unwrap();
        produced.reached(50_000).await;
        drop(results);
    });
}

/// Items that wait at a gate, on a set of four threads; and how many of them run at a time.
struct Gated {
    results: FanIn<u64>,
    gate: Gate,
    most: Arc<AtomicUsize>,
}

impl Gated {
    fn start(workers: &Workers, concurrency: usize) -> Self {
        let (gate, most, running) = (Gate::new(), Arc::new(AtomicUsize::new(0)), AtomicUsize::new(0));
        let (pass, seen) = (gate.clone(), Arc::clone(&most));
        let work = move |n| {
            seen.fetch_max(1 + running.fetch_add(1, SeqCst), SeqCst);
            pass.pass();
            running.fetch_sub(1, SeqCst);
            n
        };
        let results = (0u64..).fan_out().on(workers).concurrency(concurrency).batch(1).map(work).unwrap();
        Self { results, gate, most }
    }
}

#[test]
fn threads_that_are_too_many_leave_when_their_items_end_and_come_back_at_once() {
    run(async {
        let workers = Workers::builder().threads(4).build().unwrap();
        let mut gated = Gated::start(&workers, 4);
        gated.gate.arrived(4).await;

        gated.results.set_concurrency(1).unwrap();
        assert_eq!(gated.results.stats().concurrency, Some(1));
        gated.gate.let_through(3);
        for _ in 0..3 {
            gated.results.next().await.unwrap().unwrap();
        }
        settle().await;
        assert_eq!(gated.gate.arrivals(), 4, "one runs, which is enough");
        gated.gate.let_through(1);
        gated.results.next().await.unwrap().unwrap();
        gated.gate.arrived(5).await;
        gated.most.store(0, SeqCst);
        for arrivals in 6..30 {
            gated.gate.let_through(1);
            gated.results.next().await.unwrap().unwrap();
            gated.gate.arrived(arrivals).await;
        }
        assert_eq!((gated.gate.arrivals(), gated.most.load(SeqCst)), (29, 1));

        // No item ends meanwhile.
        gated.results.set_concurrency(3).unwrap();
        gated.gate.arrived(31).await;
        settle().await;
        assert_eq!((gated.gate.arrivals(), gated.most.load(SeqCst)), (31, 3));
        gated.results.stop();
        gated.gate.open();
        assert_settled(&gated.results.finished().await.unwrap());
    });
}

#[test]
fn more_threads_than_the_set_has_are_as_many_as_it_has() {
    run(async {
        let workers = Workers::builder().threads(3).build().unwrap();
        let mut gated = Gated::start(&workers, 1);
        gated.gate.arrived(1).await;
        gated.results.set_concurrency(usize::MAX).unwrap();
        assert_eq!(gated.results.stats().concurrency, Some(3));
        gated.gate.arrived(3).await;
        gated.results.stop();
        gated.gate.open();
        gated.results.finished().await.unwrap();
        // It has ended: no error, and of no consequence.
        gated.results.set_concurrency(2).unwrap();
        gated.results.set_window(1).unwrap();
    });
}

#[test]
fn what_the_builder_refuses_is_refused_with_the_same_words() {
    run(async {
        let results = (0..3u8).fan_out().workers(2).window(8).batch(8).map(|n| n).unwrap();
        let window = results.set_window(0).unwrap_err();
        assert_eq!(
            (window, window.to_string().as_str()),
            (SettingError::Window, "window is 0: at least 1 item must be allowed in flight")
        );
        let batch = results.set_window(7).unwrap_err();
        assert_eq!(batch, SettingError::Batch { batch: 8, window: 7 });
        assert_eq!(batch.to_string(), "batch is 8: it must be at least 1 and at most the window, which is 7");
        let concurrency = results.set_concurrency(0).unwrap_err();
        assert_eq!(concurrency.to_string(), "concurrency is 0: at least 1 thread must be allowed to work");
        let stats = results.stats();
        assert_eq!((stats.limit, stats.concurrency), (Some(8), Some(2)), "nothing has changed");

        let merged = fan_in([results]);
        let handle = merged.stop_handle();
        assert_eq!(handle.set_window(1), Err(SettingError::Merged));
        assert_eq!(handle.set_concurrency(1), Err(SettingError::Merged));
        assert_eq!(handle.stats().concurrency, None);
    });
}
