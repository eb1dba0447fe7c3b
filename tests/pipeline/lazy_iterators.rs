//! The iterators of `flat_map`: they are pulled as far as their results are taken, and suspended otherwise.

use std::collections::BTreeMap;
use std::iter;

use actix_fan::{End, FanOutExt, Job, Workers, work_fn};
use futures::{FutureExt, StreamExt};

use crate::support::{Count, DropCounter, Gate, assert_settled, quiet_panic, run};

/// More results than leave at a time, and more than may wait for the consumer in the windows of these tests.
const MANY: u64 = 5_000;

/// Results that may be pulled while the consumer takes none, for one item and a window of [`WINDOW`].
const AHEAD: u64 = 64;
const WINDOW: usize = 16;

#[test]
fn an_endless_iterator_is_pulled_no_further_than_its_results_are_taken() {
    for ordered in [false, true] {
        run(async move {
            let (counter, pulled) = (DropCounter::new(), Count::new());
            let (tracker, count) = (counter.clone(), pulled.clone());
            let builder = [0].fan_out().workers(1).window(WINDOW);
            let builder = if ordered { builder.ordered() } else { builder };
            let results = builder.flat_map(move |_| {
                let (tracker, count, rest) = (tracker.clone(), count.clone(), tracker.track());
                (0u64..).map(move |n| {
                    let _iterator = &rest;
                    count.add();
                    (n, tracker.track())
                })
            });
            let mut results = results.unwrap();
            let stop = results.stop_handle();
            for wanted in 0..MANY {
                assert_eq!(results.next().await.unwrap().unwrap().0, wanted);
                assert!(pulled.get() <= wanted + 1 + AHEAD, "{} are pulled, {wanted} taken", pulled.get());
            }
            drop(results);
            let stats = stop.finished().await.unwrap();
            assert_settled(&stats);
            assert_eq!((stats.completed, stats.failed, stats.skipped, stats.end), (0, 0, 1, Some(End::Stopped)));
            assert_eq!(counter.alive(), 0, "its results and the iterator are dropped");
        });
    }
}

#[test]
fn a_suspended_iterator_keeps_no_thread() {
    for ordered in [false, true] {
        run(async move {
            let workers = Workers::builder().threads(1).build().unwrap();
            let begun = Count::new();
            let begins = begun.clone();
            let builder = (0..4u64).fan_out().on(&workers).window(WINDOW).batch(1);
            let builder = if ordered { builder.ordered() } else { builder };
            let lazy = move |_| {
                begins.add();
                0u64..
            };
            let mut results = builder.flat_map(lazy).unwrap();
            // Nothing is taken, and another pipeline has the thread.
            begun.reached(1).await;
            assert_eq!((0..100u64).fan_out().on(&workers).map(|n| n).unwrap().count().await, 100);
            assert!(results.next().await.unwrap().is_ok());
            results.stop();
            let stats = results.finished().await.unwrap();
            assert_settled(&stats);
            assert_eq!(stats.skipped, stats.taken);
        });
    }
}

#[test]
fn the_results_of_an_item_stay_in_order_and_those_of_an_ordered_pipeline_all_do() {
    for (workers, ordered, batch) in [(1, true, 1), (3, true, 7), (2, false, 1), (3, false, 7)] {
        run(async move {
            let builder = (0..60u64).fan_out().workers(workers).window(WINDOW).batch(batch);
            let builder = if ordered { builder.ordered() } else { builder };
            let results = builder.flat_map(|n| (0..(n % 5) * (n % 7) * 40).map(move |k| (n, k))).unwrap();
            let got: Vec<(u64, u64)> = results.map(Result::unwrap).collect().await;
            let expected: Vec<_> = (0..60).flat_map(|n| (0..(n % 5) * (n % 7) * 40).map(move |k| (n, k))).collect();
            if ordered {
                assert!(got == expected, "{workers} workers");
            } else {
                assert_eq!(got.len(), expected.len());
                let mut next = BTreeMap::<u64, u64>::new();
                for (n, k) in got {
                    let next = next.entry(n).or_default();
                    assert_eq!(k, *next, "of item {n}");
                    *next += 1;
                }
            }
        });
    }
}

#[test]
fn an_ordered_pipeline_yields_its_first_item_while_later_ones_have_all_the_results_they_may() {
    run(async {
        let mut results = (0..8u64).fan_out().workers(2).window(WINDOW).ordered().flat_map(|n| {
            let last = if n < 4 { MANY } else { u64::MAX };
            (0..last).map(move |k| (n, k))
        });
        for n in 0..4 {
            for k in 0..MANY {
                assert_eq!(results.as_mut().unwrap().next().await.unwrap().unwrap(), (n, k));
            }
        }
        assert_eq!(results.unwrap().next().await.unwrap().unwrap(), (4, 0));
    });
}

#[test]
fn a_panic_comes_behind_the_results_that_have_left() {
    for ordered in [false, true] {
        run(async move {
            let builder = (0..3u64).fan_out().workers(2).batch(1);
            let builder = if ordered { builder.ordered() } else { builder };
            let iterator = |n| {
                (0..=MANY).map(move |k| match k {
                    MANY if n == 1 => quiet_panic("no more"),
                    _ => (n, k),
                })
            };
            let mut results = builder.flat_map(iterator).unwrap();
            let mut got = BTreeMap::<u64, u64>::new();
            while let Some(result) = results.next().await {
                match result {
                    Ok((n, _)) => *got.entry(n).or_default() += 1,
                    Err(error) => {
                        assert_eq!(error.index(), 1, "{error}");
                        assert!(got[&1] > 0 && got[&1] <= MANY, "some had left");
                        assert!(!ordered || !got.contains_key(&2));
                    }
                }
            }
            assert_eq!((got[&0], got[&2]), (MANY + 1, MANY + 1));
            let stats = results.finished().await.unwrap();
            assert_settled(&stats);
            assert_eq!((stats.completed, stats.failed, stats.skipped), (2, 1, 0));
        });
    }
}

#[test]
fn a_suspended_iterator_ends_with_its_pipeline() {
    for drop_it in [false, true] {
        run(async move {
            let (counter, begun) = (DropCounter::new(), Count::new());
            let (tracker, begins) = (counter.clone(), begun.clone());
            let mut results = (0..4)
                .fan_out()
                .workers(1)
                .window(WINDOW)
                .batch(1)
                .flat_map(move |_| {
                    begins.add();
                    let rest = tracker.track();
                    (0u64..).inspect(move |_| _ = &rest)
                })
                .unwrap();
            begun.reached(1).await;
            let stop = results.stop_handle();
            assert!(results.next().await.unwrap().is_ok());
            if drop_it {
                drop(results);
            } else {
                stop.stop();
                // What has left is there, and no failure.
                assert!(results.all(async |result| result.is_ok()).await);
            }
            let stats = stop.finished().await.unwrap();
            assert_settled(&stats);
            assert_eq!((stats.skipped, counter.alive()), (stats.taken, 0));
        });
    }
}

#[test]
fn a_drain_waits_for_suspended_iterators() {
    run(async {
        let begun = Count::new();
        let begins = begun.clone();
        let lazy = move |_| {
            begins.add();
            0..MANY
        };
        let results = iter::repeat(()).fan_out().workers(2).window(4).batch(1).flat_map(lazy).unwrap();
        begun.reached(1).await;
        let stop = results.stop_handle();
        stop.drain();
        let results = results.count().await as u64;
        let stats = stop.finished().await.unwrap();
        assert_settled(&stats);
        assert_eq!((stats.skipped, results), (0, stats.completed * MANY));
    });
}

#[test]
fn a_flush_sends_what_an_item_has_while_it_runs() {
    for ordered in [false, true] {
        run(async move {
            let gate = Gate::new();
            let pass = gate.clone();
            let builder = (0..3u64).fan_out().workers(1).batch(3);
            let builder = if ordered { builder.ordered() } else { builder };
            let mut results = builder
                .with(move || {
                    let gate = pass.clone();
                    work_fn(move |n: u64, job: &mut Job<'_, (u64, u64)>| {
                        job.emit((n, 0));
                        if n == 1 {
                            job.flush();
                            job.flush();
                            gate.pass();
                            job.emit((n, 1));
                            job.flush();
                            return Err("failed".into());
                        }
                        Ok(())
                    })
                })
                .unwrap();
            for wanted in [(0, 0), (1, 0)] {
                assert_eq!(results.next().await.unwrap().unwrap(), wanted);
            }
            gate.arrived(1).await;
            assert!(results.next().now_or_never().is_none(), "the item runs");
            gate.open();
            assert_eq!(results.next().await.unwrap().unwrap(), (1, 1));
            assert_eq!(results.next().await.unwrap().unwrap_err().index(), 1);
            assert_eq!(results.next().await.unwrap().unwrap(), (2, 0));
            let stats = results.finished().await.unwrap();
            assert_eq!((stats.completed, stats.failed), (2, 1));
        });
    }
}

#[test]
fn a_flush_waits_for_nothing_and_sends_nothing_while_the_consumer_is_behind() {
    run(async {
        let done = Count::new();
        let ends = done.clone();
        let mut results = [()]
            .fan_out()
            .workers(1)
            .window(WINDOW)
            .with(move || {
                let ends = ends.clone();
                work_fn(move |(), job: &mut Job<'_, u64>| {
                    for n in 0..MANY {
                        job.emit(n);
                        job.flush();
                    }
                    ends.add();
                    Ok(())
                })
            })
            .unwrap();
        done.reached(1).await;
        let mut chunks = Vec::new();
        while let Some(chunk) = results.next_chunk().await {
            chunks.push(chunk.len() as u64);
        }
        assert_eq!((chunks.len(), chunks[..WINDOW].iter().sum(), chunks[WINDOW]), (17, 16, MANY - 16));
    });
}
