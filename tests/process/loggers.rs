//! A logger that panics, as one that prints to a closed pipe does. There is one logger per process, so each test has a
//! process of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use actix::System;
use actix_fan::{FanOutExt, PipelineError, pool};
use futures::future::join_all;
use futures::{SinkExt, StreamExt};
use log::{LevelFilter, Log, Metadata, Record};

use crate::support::{assert_settled, in_own_process, panic_with_a_bomb, quiet_panic, run};

/// Panics at every record of this crate; others, as an event loop, have no part in what is tested.
struct Panicking;

static LOGGED: AtomicU64 = AtomicU64::new(0);

impl Log for Panicking {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        if record.target().starts_with("actix_fan") {
            LOGGED.fetch_add(1, SeqCst);
            panic_with_a_bomb();
        }
    }

    fn flush(&self) {}
}

/// Runs the test, in which something must be logged.
fn with_a_panicking_logger(test: impl Future<Output = ()>) {
    log::set_logger(&Panicking).unwrap();
    log::set_max_level(LevelFilter::Trace);
    run(test);
    assert!(LOGGED.load(SeqCst) > 0);
}

#[test]
fn a_pipeline_loses_no_item_to_a_panicking_logger() {
    in_own_process(|| {
        with_a_panicking_logger(async {
            let every_third_panics = |n: u64| if n.is_multiple_of(3) { quiet_panic("item") } else { n };
            let mut results = (0..90).fan_out().workers(2).batch(4).ordered().map(every_third_panics).unwrap();
            for n in 0..90u64 {
                match results.next().await.unwrap() {
                    Ok(same) => assert_eq!((same, n % 3 > 0), (n, true)),
                    Err(error) => assert_eq!((error.index(), n % 3), (n, 0)),
                }
            }
            let stats = results.finished().await.unwrap();
            assert_settled(&stats);
            assert_eq!((stats.completed, stats.failed), (60, 30));

            let mut dead = (0..).fan_out().workers(2).with(|| {
                quiet_panic("factory");
                #[allow(unreachable_code, reason = "it tells the type of the work")]
                actix_fan::work_fn(|_: u64, _: &mut actix_fan::Job<'_, u64>| Ok(()))
            });
            let dead = dead.as_mut().unwrap();
            assert!(matches!(dead.finished().await, Err(PipelineError::WorkerFactory { .. })));
        });
    });
}

#[test]
fn a_pool_loses_no_item_to_a_panicking_logger() {
    in_own_process(|| {
        with_a_panicking_logger(async {
            let every_third_panics = |n: u64| if n.is_multiple_of(3) { quiet_panic("item") } else { n };
            let pool = pool().workers(2).window(16).map(every_third_panics).unwrap();
            let answers = join_all((0..90).map(|n| pool.submit(n))).await;
            assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 60);
            let (mut sink, results) = pool.channel();
            sink.feed(1).await.unwrap();
            drop((sink, results));
            pool.drain();
            let stats = pool.finished().await.unwrap();
            assert_settled(&stats);
            assert_eq!((stats.workers.len(), stats.failed), (2, 30));
        });
    });
}

#[test]
fn dropping_a_pipeline_and_a_pool_during_unwinding_does_not_abort() {
    in_own_process(|| {
        with_a_panicking_logger(async {
            let results = (0u64..).fan_out().workers(1).map(|n| n).unwrap();
            let pool = pool().workers(1).map(|n: u64| n).unwrap();
            let (pipeline, queue) = (results.stop_handle(), pool.stop_handle());
            let submission = pool.submit(1);
            let unwound = catch_unwind(AssertUnwindSafe(|| {
                let _held = (results, submission, pool);
                quiet_panic("the owner's");
            }));
            assert!(unwound.is_err());
            pipeline.workers_stopped().await;
            queue.workers_stopped().await;
            assert!(pipeline.is_stopped());
            assert_settled(&queue.stats());
        });
    });
}

#[test]
fn a_panicking_logger_adds_no_error_to_a_stopped_system() {
    in_own_process(|| {
        with_a_panicking_logger(async {
            let (pipeline, queue) = std::thread::spawn(|| {
                let system = System::new();
                let handles = system.block_on(async {
                    let results = (0u64..).fan_out().workers(1).map(|n| n).unwrap();
                    let pool = pool().workers(1).map(|n: u64| n).unwrap();
                    let handles = (results.stop_handle(), pool.stop_handle());
                    std::mem::forget((results, pool));
                    handles
                });
                System::try_current().unwrap().stop();
                system.run().unwrap();
                handles
            })
            .join()
            .unwrap();
            pipeline.workers_stopped().await;
            queue.workers_stopped().await;
            assert!(pipeline.is_stopped() && queue.is_stopped());
        });
    });
}
