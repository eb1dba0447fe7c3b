use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier};

use actix_fan::{FanOutExt, Job, PipelineError, work_fn};
use futures::StreamExt;

use crate::support::{
    Count, DropCounter, FAILING, Gate, ITEMS, PanicsWithBombs, assert_balanced, assert_settled, quiet_panic, run,
};

#[test]
fn a_panicking_item_is_reported_and_the_others_complete() {
    run(async {
        let mut results = (10..20u64)
            .fan_out()
            .workers(1)
            .batch(5)
            .ordered()
            .map(|n| if n == 12 { quiet_panic("no twelve") } else { n })
            .unwrap();
        let (mut good, mut bad) = (Vec::new(), Vec::new());
        while let Some(result) = results.next().await {
            match result {
                Ok(n) => good.push(n),
                Err(error) => bad.push(error),
            }
        }
        assert_eq!(good, [10, 11, 13, 14, 15, 16, 17, 18, 19]);
        assert_eq!(bad.len(), 1);
        assert_eq!((bad[0].index(), bad[0].panic_message()), (2, Some("no twelve")));
        assert_eq!(bad[0].to_string(), "item 2 panicked: no twelve");
        let stats = results.finished().await.unwrap();
        assert_eq!((stats.completed, stats.failed), (9, 1));
        assert_eq!(stats.workers[0].rebuilt, 1);
    });
}

#[test]
fn the_pool_keeps_its_size_after_panics() {
    const WORKERS: usize = 4;
    run(async {
        let all = Arc::new(Barrier::new(WORKERS));
        let panics = 0..50usize;
        let meetings = 50..50 + WORKERS;
        let mut results = panics
            .chain(meetings)
            .fan_out()
            .workers(WORKERS)
            .batch(1)
            .map(move |n| {
                if n < 50 {
                    quiet_panic("again");
                }
                // Every worker must be there, or this waits forever.
                all.wait();
            })
            .unwrap();
        let mut met = 0;
        while let Some(result) = results.next().await {
            met += usize::from(result.is_ok());
        }
        assert_eq!(met, WORKERS);
        assert_eq!(results.finished().await.unwrap().failed, 50);
    });
}

#[test]
fn every_panicking_item_is_one_failure() {
    run(async {
        let mut results = (0..500u64).fan_out().workers(2).map(|_| -> u64 { quiet_panic("each") }).unwrap();
        assert_eq!(results.by_ref().filter(|result| std::future::ready(result.is_err())).count().await, 500);
        let stats = results.finished().await.unwrap();
        assert_eq!((stats.failed, stats.completed), (500, 0));
    });
}

#[test]
fn the_factory_rebuilds_the_work_after_a_panic() {
    run(async {
        let built = Count::new();
        let count = built.clone();
        let results = (0..6u64)
            .fan_out()
            .workers(1)
            .batch(6)
            .ordered()
            .with(move || {
                let generation = count.add();
                let mut runs = 0;
                work_fn(move |n: u64, job: &mut Job<'_, (u64, u64)>| {
                    runs += 1;
                    if n == 3 {
                        quiet_panic("state is lost");
                    }
                    job.emit((generation, runs));
                    Ok(())
                })
            })
            .unwrap();
        let got: Vec<_> = results.filter_map(|result| std::future::ready(result.ok())).collect().await;
        assert_eq!(got, [(0, 1), (0, 2), (0, 3), (1, 1), (1, 2)]);
        assert_eq!(built.get(), 2);
    });
}

#[test]
fn results_of_a_failed_item_are_dropped() {
    run(async {
        let mut results = (0..3u64)
            .fan_out()
            .workers(1)
            .batch(3)
            .with(|| {
                work_fn(|n: u64, job: &mut Job<'_, u64>| {
                    job.emit(n * 10);
                    job.emit(n * 10 + 1);
                    match n {
                        0 => Err("half done".into()),
                        1 => quiet_panic("half done"),
                        _ => Ok(()),
                    }
                })
            })
            .unwrap();
        assert_eq!(results.next().await.unwrap().unwrap_err().to_string(), "item 0 failed");
        assert_eq!(results.next().await.unwrap().unwrap_err().to_string(), "item 1 panicked: half done");
        assert_eq!(results.next().await.unwrap().unwrap(), 20);
        assert_eq!(results.next().await.unwrap().unwrap(), 21);
        assert!(results.next().await.is_none());
    });
}

#[test]
fn a_factory_that_keeps_panicking_ends_the_pipeline() {
    run(async {
        let mut results = (0u64..)
            .fan_out()
            .workers(2)
            .with(|| {
                if AtomicBool::new(true).load(SeqCst) {
                    quiet_panic("no licence");
                }
                work_fn(|n: u64, job: &mut Job<'_, u64>| {
                    job.emit(n);
                    Ok(())
                })
            })
            .unwrap();
        let last = results.next().await.unwrap().unwrap_err();
        let expected = PipelineError::WorkerFactory { attempts: 5, message: "no licence".into() };
        assert_eq!(last.pipeline_error(), Some(&expected));
        assert!(results.next().await.is_none());
        assert_eq!(results.finished().await.unwrap_err(), expected);
        assert_settled(&results.stats());
    });
}

#[test]
fn a_factory_that_panics_now_and_then_is_retried() {
    run(async {
        let tries = AtomicUsize::new(0);
        let mut results = (0..100u64)
            .fan_out()
            .workers(1)
            .with(move || {
                if tries.fetch_add(1, SeqCst) % 5 != 4 {
                    quiet_panic("not now");
                }
                work_fn(|n: u64, job: &mut Job<'_, u64>| {
                    if n.is_multiple_of(10) {
                        quiet_panic("rebuild me");
                    }
                    job.emit(n);
                    Ok(())
                })
            })
            .unwrap();
        while results.next().await.is_some() {}
        let stats = results.finished().await.unwrap();
        assert_eq!((stats.completed, stats.failed), (90, 10));
    });
}

#[test]
fn a_factory_that_panics_after_the_last_item_is_not_an_error() {
    run(async {
        let (gate, items, calls) = (Gate::new(), Gate::new(), AtomicUsize::new(0));
        let (pass, begin) = (gate.clone(), items.clone());
        let mut results = (0..10u64)
            .fan_out()
            .workers(2)
            .with(move || {
                if calls.fetch_add(1, SeqCst) > 0 {
                    pass.pass();
                    quiet_panic("late");
                }
                let begin = begin.clone();
                work_fn(move |n: u64, job: &mut Job<'_, u64>| {
                    begin.pass();
                    job.emit(n);
                    Ok(())
                })
            })
            .unwrap();
        // The other thread may start only now: without work left, it would not build any.
        gate.arrived(1).await;
        items.open();
        assert_eq!(results.by_ref().filter(|result| std::future::ready(result.is_ok())).count().await, 10);
        assert!(results.next().await.is_none(), "the stream ended without an error");
        gate.open();
        assert_eq!(results.finished().await.map(|stats| stats.completed), Ok(10));
    });
}

#[test]
fn a_panic_at_the_first_the_last_some_or_every_item_fails_those_and_no_other() {
    for panics in FAILING {
        for (workers, batch, window) in [(1, 1, 1), (1, 8, 16), (3, 1, 3), (3, 8, 40), (4, 40, 40)] {
            for ordered in [false, true] {
                run(async move {
                    let counter = DropCounter::new();
                    let (items, tracker) = (counter.clone(), counter.clone());
                    let source = (0..ITEMS).map(move |n| (n, items.track()));
                    let mut builder = source.fan_out().workers(workers).batch(batch).window(window);
                    if ordered {
                        builder = builder.ordered();
                    }
                    let mut results = builder
                        .map(move |(n, _tracked)| {
                            let result = tracker.track();
                            if panics(n) { quiet_panic("on purpose") } else { (n, result) }
                        })
                        .unwrap();
                    let (mut done, mut failed) = (Vec::new(), Vec::new());
                    while let Some(result) = results.next().await {
                        match result {
                            Ok((n, _)) => done.push(n),
                            Err(error) => failed.push(error.index()),
                        }
                        let stats = results.stats();
                        assert_balanced(&stats);
                        assert!(stats.in_flight <= window, "{stats:?}");
                    }
                    let stats = results.finished().await.unwrap();
                    assert_settled(&stats);
                    assert_eq!((stats.completed, stats.failed), (done.len() as u64, failed.len() as u64));
                    assert_eq!(stats.workers.iter().map(|worker| worker.rebuilt).sum::<u64>(), stats.failed);
                    for seen in [&mut done, &mut failed] {
                        assert!(!ordered || seen.is_sorted());
                        seen.sort_unstable();
                    }
                    assert_eq!(failed, (0..ITEMS).filter(|n| panics(*n)).collect::<Vec<_>>());
                    assert_eq!(done, (0..ITEMS).filter(|n| !panics(*n)).collect::<Vec<_>>());
                    assert_eq!((counter.created(), counter.alive()), (2 * ITEMS as usize, 0));
                });
            }
        }
    }
}

#[test]
fn a_panic_whose_value_panics_when_it_is_dropped_is_one_failure() {
    run(async {
        let (built, tries) = (Count::new(), Count::new());
        let (count, attempts) = (built.clone(), tries.clone());
        let mut results = (0..10u64)
            .fan_out()
            .workers(1)
            .batch(5)
            .ordered()
            .with(move || PanicsWithBombs::build(&attempts, &count))
            .unwrap();
        for n in 0..10 {
            match results.next().await.unwrap() {
                Ok(same) => assert_eq!((same, PanicsWithBombs::fails(n)), (n, false)),
                Err(error) => {
                    assert_eq!((error.index(), error.panic_message()), (n, Some("a panic whose value is not text")));
                }
            }
        }
        assert!(results.next().await.is_none());
        let stats = results.finished().await.unwrap();
        assert_settled(&stats);
        assert_eq!((stats.completed, stats.failed, built.get(), tries.get()), (7, 3, 3, 6));
    });
}

#[test]
fn a_work_that_cannot_be_rebuilt_ends_the_pipeline_after_its_results() {
    for batch in [1, 6] {
        run(async move {
            let calls = AtomicUsize::new(0);
            let mut results = (0u64..)
                .fan_out()
                .workers(1)
                .window(6)
                .batch(batch)
                .ordered()
                .with(move || {
                    if calls.fetch_add(1, SeqCst) > 0 {
                        quiet_panic("no more");
                    }
                    work_fn(|n: u64, job: &mut Job<'_, u64>| {
                        job.emit(n);
                        if n == 3 { quiet_panic("once") } else { Ok(()) }
                    })
                })
                .unwrap();
            for n in 0..3 {
                assert_eq!(results.next().await.unwrap().unwrap(), n);
            }
            assert_eq!(results.next().await.unwrap().unwrap_err().to_string(), "item 3 panicked: once");
            let expected = PipelineError::WorkerFactory { attempts: 5, message: "no more".into() };
            let last = results.next().await.unwrap().unwrap_err();
            assert_eq!(last.pipeline_error(), Some(&expected));
            assert!(results.next().await.is_none());
            assert_eq!(results.finished().await.unwrap_err(), expected);
            let stats = results.stats();
            assert_settled(&stats);
            assert_eq!((stats.completed, stats.failed), (3, 1));
        });
    }
}
