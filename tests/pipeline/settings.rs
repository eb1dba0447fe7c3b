use std::collections::BTreeSet;
use std::error::Error;

use actix::System;
use actix_fan::{FanOutExt, MAX_WORKERS, StartError};
use futures::StreamExt;

use crate::support::run;

fn refused(error: Result<actix_fan::FanIn<u8>, StartError>) -> String {
    error.unwrap_err().to_string()
}

#[test]
fn an_invalid_setting_is_an_error_that_names_it() {
    run(async {
        let source = || (0..3u8).fan_out();
        assert_eq!(refused(source().workers(0).map(|n| n)), "workers is 0: it must be at least 1 and at most 4096");
        assert!(refused(source().workers(MAX_WORKERS + 1).map(|n| n)).starts_with("workers is 4097"));
        assert_eq!(refused(source().window(0).map(|n| n)), "window is 0: at least 1 item must be allowed in flight");
        assert_eq!(
            refused(source().window(8).batch(9).map(|n| n)),
            "batch is 9: it must be at least 1 and at most the window, which is 8"
        );
        assert!(refused(source().batch(0).map(|n| n)).starts_with("batch is 0"));
        assert_eq!(refused(source().thread_name("a\0b").map(|n| n)), "thread_name \"a\\0b\" holds a NUL byte");
        assert!(
            refused(source().stack_size(0).map(|n| n))
                .starts_with("stack_size is 0 bytes: a worker's stack has at least 65536")
        );
        assert!(refused(source().stack_size(65_535).map(|n| n)).starts_with("stack_size is 65535 bytes"));
        assert!(
            refused(source().stack_size(usize::MAX).map(|n| n)).starts_with("stack_size is 18446744073709551615 bytes")
        );
        // What is no nonsense, but more than any machine has, the operating system refuses.
        let too_much = source().workers(3).stack_size(usize::MAX / 4).map(|n| n);
        assert_eq!(refused(too_much), "could not start worker thread 0 of 3");
    });
}

#[test]
fn a_batch_leaves_the_other_workers_their_share_of_the_window() {
    for (workers, window, batch) in [(2, 100, 100), (2, 100, 51), (4, 7, 7), (3, 2, 2)] {
        run(async move {
            let met = std::sync::Arc::new(std::sync::Barrier::new(workers.min(window)));
            let share = (window / workers).max(1);
            let results = (0..window).fan_out().workers(workers).window(window).batch(batch);
            // The first items of the shares meet, so none of them travels with another.
            let results =
                results.map(move |n| n % share == 0 && n / share < workers && !met.wait().is_leader()).unwrap();
            assert_eq!(results.count().await, window);
        });
    }
}

#[test]
fn without_a_running_system_the_start_is_an_error() {
    let start = || (0..3u8).fan_out().workers(1).map(|n| n);
    assert!(matches!(start().unwrap_err(), StartError::NoSystem));
    let system = System::new();
    assert!(matches!(start().unwrap_err(), StartError::NoSystem), "registered, but its loop doesn't run");
    // A worker's thread belongs to a System, but has no arbiter of its own.
    let mut inner = system.block_on(async { [()].fan_out().workers(1).map(move |()| start().unwrap_err()).unwrap() });
    let error = system.block_on(inner.next()).unwrap().unwrap();
    assert!(matches!(error, StartError::NoSystem));
}

#[test]
fn a_stopped_system_starts_nothing() {
    System::new().block_on(async {
        System::current().stop();
        crate::support::settle().await;
        let error = (0..3u8).fan_out().workers(1).map(|n| n).unwrap_err();
        assert!(matches!(error, StartError::SystemStopped), "{error}");
        assert!(error.source().is_none());
    });
}

#[test]
fn worker_threads_have_the_configured_name_and_number() {
    run(async {
        let barrier = std::sync::Arc::new(std::sync::Barrier::new(3));
        let names = (0..3)
            .fan_out()
            .workers(3)
            .batch(1)
            .thread_name("sieve")
            .map(move |_| {
                barrier.wait();
                std::thread::current().name().unwrap().to_owned()
            })
            .unwrap();
        let names: BTreeSet<String> = names.map(Result::unwrap).collect().await;
        assert_eq!(names, BTreeSet::from(["sieve-0", "sieve-1", "sieve-2"].map(String::from)));
    });
}

#[test]
fn the_default_is_one_worker_per_core() {
    run(async {
        let results = (0..3u8).fan_out().map(|n| n).unwrap();
        assert_eq!(results.stats().workers.len(), std::thread::available_parallelism().unwrap().get());
    });
}

#[test]
fn an_arbiter_thread_with_another_runtime_is_an_error() {
    let system = System::new();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let started = runtime.block_on(async { (0..3u8).fan_out().workers(1).map(|n| n).map(drop) });
    assert!(started.is_err());
    drop(system);
}
