//! Items, results and works whose `Drop` panics: the panic is contained, wherever they are dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use actix_fan::{FanIn, FanOutExt, Job, StartError, Stats, blocking_ahead, fan_in, work_fn};
use futures::{StreamExt, stream};

use crate::support::{
    Bomb, Count, DropCounter, Gate, TrackedBomb, assert_settled, in_own_process, quiet_panic, run, settle,
};

/// The numbers of a pipeline whose stream is dropped here, once everything is over.
async fn dropped<T: Send + 'static>(results: FanIn<T>) -> Stats {
    let stop = results.stop_handle();
    drop(results);
    stop.workers_stopped().await;
    settle().await;
    assert_settled(&stop.stats());
    stop.stats()
}

#[test]
fn an_item_that_panics_when_the_work_drops_it_fails_alone() {
    for batch in [1, 4] {
        run(async move {
            let items = (0..10u64).map(|n| (n, (n % 3 == 1).then(|| Bomb)));
            let mut results = items
                .fan_out()
                .workers(1)
                .batch(batch)
                .ordered()
                .map(|(n, bomb)| {
                    drop(bomb);
                    n
                })
                .unwrap();
            for n in 0..10 {
                match results.next().await.unwrap() {
                    Ok(same) => assert_eq!((same, n % 3 == 1), (n, false)),
                    Err(error) => assert_eq!((error.index(), error.panic_message()), (n, Some("dropped"))),
                }
            }
            let stats = results.finished().await.unwrap();
            assert_eq!((stats.completed, stats.failed, stats.workers[0].rebuilt), (7, 3, 3));
        });
    }
}

#[test]
fn skipped_items_are_dropped_one_by_one() {
    for (workers, batch) in [(1, 1), (1, 8), (3, 2)] {
        run(async move {
            let (counter, gate) = (DropCounter::new(), Gate::new());
            let (source, pass) = (counter.clone(), gate.clone());
            let items = std::iter::repeat_with(move || TrackedBomb::new(&source));
            let mut results = items
                .fan_out()
                .workers(workers)
                .window(24)
                .batch(batch)
                .map(move |item| {
                    pass.pass();
                    // The work's own item is not what is tested here.
                    item.defuse();
                })
                .unwrap();
            gate.arrived(workers).await;
            settle().await;
            results.stop();
            gate.open();
            assert_eq!(results.by_ref().count().await, workers);
            let stats = results.finished().await.unwrap();
            assert_settled(&stats);
            assert_eq!((stats.completed, stats.failed), (workers as u64, 0));
            assert_eq!((stats.taken, counter.alive()), (counter.created() as u64, 0));
        });
    }
}

#[test]
fn items_that_wait_in_a_blocking_source_are_dropped_one_by_one() {
    // Two panics at a time would end the process.
    in_own_process(|| {
        for in_a_pipeline in [false, true] {
            run(async move {
                let (counter, made) = (DropCounter::new(), Count::new());
                let (source, count) = (counter.clone(), made.clone());
                let items = std::iter::repeat_with(move || {
                    count.add();
                    TrackedBomb::new(&source)
                });
                let mut items = blocking_ahead(8, items).unwrap();
                if in_a_pipeline {
                    let mut results = items.fan_out().workers(1).window(1).map(std::mem::forget).unwrap();
                    made.reached(10).await;
                    results.stop();
                    assert_settled(&results.finished().await.unwrap());
                } else {
                    std::mem::forget(items.next().await);
                    made.reached(10).await;
                    drop(items);
                }
                // The thread drops the item that it holds when it sees that the source is gone; one was forgotten.
                counter.are_left(1).await;
            });
        }
    });
}

#[test]
fn unread_results_are_dropped_one_by_one() {
    for (ordered, batch, taken) in [(false, 1, 0), (false, 5, 2), (true, 1, 0), (true, 5, 2)] {
        run(async move {
            let (counter, done) = (DropCounter::new(), Count::new());
            let (tracker, count) = (counter.clone(), done.clone());
            let mut builder = (0..20u64).fan_out().workers(2).window(20).batch(batch);
            if ordered {
                builder = builder.ordered();
            }
            let mut results = builder
                .map(move |_| {
                    let result = TrackedBomb::new(&tracker);
                    count.add();
                    result
                })
                .unwrap();
            done.reached(20).await;
            for _ in 0..taken {
                results.next().await.unwrap().expect("no item fails").defuse();
            }
            let stats = dropped(results).await;
            assert_eq!((stats.completed, stats.emitted), (20, taken));
            assert_eq!((counter.created(), counter.alive()), (20, 0));
        });
    }
}

#[test]
fn results_held_back_for_order_are_dropped_one_by_one() {
    run(async {
        let (counter, done, gate) = (DropCounter::new(), Count::new(), Gate::new());
        let (tracker, count, pass) = (counter.clone(), done.clone(), gate.clone());
        let results = (0..8u64)
            .fan_out()
            .workers(2)
            .window(8)
            .batch(1)
            .ordered()
            .map(move |n| {
                if n == 0 {
                    pass.pass();
                }
                let result = TrackedBomb::new(&tracker);
                count.add();
                result
            })
            .unwrap();
        done.reached(7).await;
        results.aggregator().send(actix_fan::Snapshot).await.unwrap();
        let stop = results.stop_handle();
        drop(results);
        gate.open();
        stop.workers_stopped().await;
        settle().await;
        assert_settled(&stop.stats());
        assert_eq!((stop.stats().completed, counter.created(), counter.alive()), (8, 8, 0));
    });
}

#[test]
fn the_rest_of_a_chunk_is_dropped_one_by_one() {
    run(async {
        let counter = DropCounter::new();
        let tracker = counter.clone();
        // Of one item, so that they leave together: a batch is smaller where the source's time slice is spent.
        let six = move || {
            let tracker = tracker.clone();
            work_fn(move |(), job: &mut Job<'_, TrackedBomb>| {
                Ok(job.emit_all((0..6).map(|_| TrackedBomb::new(&tracker)))?)
            })
        };
        let mut results = [()].fan_out().workers(1).with(six).unwrap();
        let mut chunk = results.next_chunk().await.unwrap();
        chunk.next().unwrap().expect("no item fails").defuse();
        assert_eq!((chunk.len(), counter.alive()), (5, 5));
        drop(chunk);
        assert_eq!(counter.alive(), 0);
        let stats = results.finished().await.unwrap();
        assert_eq!((stats.completed, stats.emitted), (1, 6), "a chunk counts when it is taken");
    });
}

#[test]
fn values_captured_by_the_work_may_panic_on_drop() {
    run(async {
        let (counter, runs) = (DropCounter::new(), Arc::new(AtomicUsize::new(0)));
        let (captured, count) = (TrackedBomb::new(&counter), Arc::clone(&runs));
        let mut results = (0..9u64)
            .fan_out()
            .workers(3)
            .map(move |_| {
                let _ = &captured;
                count.fetch_add(1, SeqCst)
            })
            .unwrap();
        assert_settled(&results.finished().await.unwrap());
        assert_eq!((runs.load(SeqCst), counter.alive()), (9, 0));
    });
}

#[test]
fn a_panic_in_the_drop_of_an_item_a_result_or_a_work_is_contained() {
    run(async {
        let mut results = (0..10u64)
            .map(|n| (n, Bomb))
            .fan_out()
            .workers(2)
            .batch(2)
            .with(|| {
                let state = Bomb;
                work_fn(move |(n, bomb): (u64, Bomb), job: &mut Job<'_, Bomb>| {
                    let _ = &state;
                    std::mem::forget(bomb);
                    job.emit(Bomb);
                    if n % 2 == 0 { Err("its result is dropped".into()) } else { Ok(()) }
                })
            })
            .unwrap();
        let stop = results.stop_handle();
        // A good result is the consumer's to drop.
        std::mem::forget(results.next().await);
        std::mem::forget(results.next().await);
        drop(results);
        stop.workers_stopped().await;
        settle().await;
        assert_settled(&stop.stats());
    });
}

#[test]
fn a_work_whose_drop_panics_is_still_rebuilt() {
    run(async {
        let mut results = (0..4u64)
            .fan_out()
            .workers(1)
            .batch(2)
            .ordered()
            .with(|| {
                let state = Bomb;
                work_fn(move |n: u64, job: &mut Job<'_, u64>| {
                    let _ = &state;
                    if n == 0 {
                        quiet_panic("rebuild me");
                    }
                    job.emit(n);
                    Ok(())
                })
            })
            .unwrap();
        assert_eq!(results.next().await.unwrap().unwrap_err().panic_message(), Some("rebuild me"));
        for n in 1..4 {
            assert_eq!(results.next().await.unwrap().unwrap(), n);
        }
        assert_settled(&results.finished().await.unwrap());
    });
}

#[test]
fn a_refused_start_contains_panics_in_the_drop_of_source_and_factory() {
    fn refused(workers: usize) -> StartError {
        let (source, factory) = (Bomb, Bomb);
        let numbers = (0..4u64).inspect(move |_| _ = &source);
        numbers.fan_out().workers(workers).map(move |n| (&factory, n).1).unwrap_err()
    }
    run(async { assert!(matches!(refused(0), StartError::Workers(0))) });
    assert!(matches!(refused(1), StartError::NoSystem));
}

#[test]
fn finished_contains_the_panics_of_results_that_it_drops() {
    run(async {
        let mut results = (0..10u64).fan_out().workers(1).batch(5).map(|_| Bomb).unwrap();
        let stats = results.finished().await.unwrap();
        assert_settled(&stats);
        assert_eq!(stats.completed, 10);
    });
}

#[test]
fn errors_whose_drop_panics_are_contained() {
    #[derive(Debug)]
    struct Bad;
    impl std::fmt::Display for Bad {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("bad")
        }
    }
    impl std::error::Error for Bad {}
    impl Drop for Bad {
        fn drop(&mut self) {
            quiet_panic("dropped");
        }
    }
    run(async {
        let mut results = [(), ()].fan_out().workers(1).batch(2).try_map(|()| Err::<(), _>(Bad)).unwrap();
        assert_eq!(results.finished().await.unwrap().failed, 2);
    });
}

#[test]
fn items_taken_by_a_merged_stream_are_dropped_one_by_one() {
    // Two panics at a time would end the process.
    in_own_process(|| {
        for stopped in [false, true] {
            run(async move {
                let counter = DropCounter::new();
                let tracker = counter.clone();
                let items = stream::iter((0..20).map(move |_| TrackedBomb::new(&tracker)));
                let mut merged = fan_in([items]);
                let handle = merged.stop_handle();
                // Several are taken at once, unless the time slice ends.
                let mut forgotten = 0;
                while counter.alive() <= forgotten + 1 {
                    std::mem::forget(merged.next().await.expect("several of twenty are taken at once"));
                    forgotten += 1;
                }
                if stopped {
                    handle.stop();
                    assert!(merged.next().await.is_none());
                    assert_settled(&merged.stats());
                }
                drop(merged);
                assert_eq!(counter.alive(), forgotten);
                assert_settled(&handle.stats());
            });
        }
    });
}

#[test]
fn merged_streams_are_dropped_one_by_one() {
    // Two panics at a time would end the process.
    in_own_process(|| {
        for stopped in [false, true] {
            run(async move {
                let counter = DropCounter::new();
                let streams = (0..3).map(|_| {
                    let held = TrackedBomb::new(&counter);
                    stream::pending::<()>().inspect(move |()| {
                        let _ = &held;
                    })
                });
                let mut merged = fan_in(streams.collect::<Vec<_>>());
                assert!(futures::poll!(merged.next()).is_pending());
                if stopped {
                    merged.stop();
                    assert!(merged.next().await.is_none());
                }
                drop(merged);
                assert_eq!(counter.alive(), 0);
            });
        }
    });
}
