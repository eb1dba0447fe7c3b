use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier};

use actix_fan::{FanOutExt, Job, PipelineError, work_fn};
use futures::StreamExt;

use crate::support::{Count, Gate, assert_settled, run};

/// A panic that the panic hook doesn't print.
fn quiet_panic(message: &'static str) -> ! {
    std::panic::resume_unwind(Box::new(message))
}

#[test]
fn a_panicking_item_is_reported_and_its_neighbours_are_unharmed() {
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
fn a_panic_at_every_item_is_as_many_failures() {
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
fn what_a_failed_item_had_emitted_is_dropped() {
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
fn a_factory_that_fails_again_and_again_ends_the_pipeline() {
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
fn a_factory_that_fails_now_and_then_is_tried_again() {
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
fn a_panic_in_the_drop_of_an_item_a_result_or_a_work_is_contained() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                quiet_panic("dropped");
            }
        }
    }
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
        for _ in 0..2 {
            let _ = results.next().await.unwrap().map(std::mem::forget);
        }
        drop(results);
        stop.workers_gone().await;
        crate::support::settle().await;
        assert_settled(&stop.stats());
    });
}

#[test]
fn a_work_whose_drop_panics_is_rebuilt_all_the_same() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                quiet_panic("dropped");
            }
        }
    }
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
fn finished_contains_the_panics_of_results_that_it_drops() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            quiet_panic("dropped");
        }
    }
    run(async {
        let mut results = (0..10u64).fan_out().workers(1).batch(5).map(|_| Bomb).unwrap();
        let stats = results.finished().await.unwrap();
        assert_settled(&stats);
        assert_eq!(stats.completed, 10);
    });
}

#[test]
fn a_factory_that_fails_after_everything_completed_is_no_error() {
    run(async {
        let (gate, calls) = (Gate::new(), AtomicUsize::new(0));
        let pass = gate.clone();
        let mut results = (0..10u64)
            .fan_out()
            .workers(2)
            .with(move || {
                if calls.fetch_add(1, SeqCst) > 0 {
                    pass.pass();
                    std::panic::resume_unwind(Box::new("late"));
                }
                work_fn(|n: u64, job: &mut Job<'_, u64>| {
                    job.emit(n);
                    Ok(())
                })
            })
            .unwrap();
        gate.arrived(1).await;
        assert_eq!(results.by_ref().filter(|result| std::future::ready(result.is_ok())).count().await, 10);
        assert!(results.next().await.is_none(), "the stream ended without an error");
        gate.open();
        assert_eq!(results.finished().await.map(|stats| stats.completed), Ok(10));
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
            std::panic::resume_unwind(Box::new("dropped"));
        }
    }
    run(async {
        let mut results = [(), ()].fan_out().workers(1).batch(2).try_map(|()| Err::<(), _>(Bad)).unwrap();
        assert_eq!(results.finished().await.unwrap().failed, 2);
    });
}
