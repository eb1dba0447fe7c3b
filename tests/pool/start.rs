use std::collections::BTreeSet;
use std::sync::{Arc, Barrier};
use std::thread;

use actix::System;
use actix_fan::{Pool, StartError, pool};
use futures::executor::block_on;
use futures::future::join_all;

use crate::support::{run, settle};

fn refused(error: Result<Pool<u8, u8>, StartError>) -> String {
    error.unwrap_err().to_string()
}

#[test]
fn an_invalid_setting_is_an_error_that_names_it() {
    run(async {
        assert_eq!(refused(pool().workers(0).map(|n| n)), "workers is 0: it must be at least 1 and at most 4096");
        assert!(refused(pool().workers(4097).map(|n| n)).starts_with("workers is 4097"));
        assert_eq!(refused(pool().window(0).map(|n| n)), "window is 0: at least 1 item must be allowed in flight");
        assert_eq!(refused(pool().thread_name("a\0b").map(|n| n)), "thread_name \"a\\0b\" holds a NUL byte");
        assert!(
            refused(pool().stack_size(0).map(|n| n))
                .starts_with("stack_size is 0 bytes: a worker's stack has at least 65536")
        );
        assert!(refused(pool().stack_size(65_535).map(|n| n)).starts_with("stack_size is 65535 bytes"));
        assert!(
            refused(pool().stack_size(usize::MAX).map(|n| n)).starts_with("stack_size is 18446744073709551615 bytes")
        );
        // What is no nonsense, but more than any machine has, the operating system refuses.
        let too_much = pool().workers(3).stack_size(usize::MAX / 4).map(|n| n);
        assert_eq!(refused(too_much), "could not start worker thread 0 of 3");
    });
}

#[test]
fn a_thread_without_a_system_can_start_a_pool() {
    let squares = pool().workers(2).map(|n: u64| n * n).unwrap();
    assert_eq!(squares.blocking_submit(3).unwrap(), 9);
    assert_eq!(block_on(squares.submit(4)).unwrap(), 16);
    squares.drain();
    assert_eq!(block_on(squares.finished()).unwrap().completed, 2);
}

#[test]
fn a_stopped_system_starts_nothing() {
    System::new().block_on(async {
        System::current().stop();
        settle().await;
        let error = pool().map(|n: u8| n).unwrap_err();
        assert!(matches!(error, StartError::SystemStopped), "{error}");
    });
}

#[test]
fn a_pool_can_be_started_before_the_system_runs_and_works_at_once() {
    let system = System::new();
    let squares = pool().workers(1).map(|n: u64| n * n).unwrap();
    assert_eq!(squares.blocking_submit(3).unwrap(), 9);
    assert_eq!(system.block_on(squares.submit(4)).unwrap(), 16);
}

#[test]
fn worker_threads_have_the_configured_name_and_number() {
    run(async {
        let all = Arc::new(Barrier::new(3));
        let meeting = Arc::clone(&all);
        let pool = pool()
            .workers(3)
            .thread_name("sieve")
            .map(move |()| {
                meeting.wait();
                thread::current().name().unwrap().to_owned()
            })
            .unwrap();
        let names: BTreeSet<String> = join_all((0..3).map(|_| pool.submit(()))).await.into_iter().flatten().collect();
        assert_eq!(names, BTreeSet::from(["sieve-0", "sieve-1", "sieve-2"].map(String::from)));
    });
}

#[test]
fn the_default_is_one_worker_per_core_and_a_window_that_bounds_memory() {
    run(async {
        let small = pool().map(|n: u64| n).unwrap();
        assert_eq!(small.stats().workers.len(), thread::available_parallelism().unwrap().get());
        assert!((1500..2500).contains(&small.window()), "{}", small.window());
        let large = pool().workers(2).map(|bytes: Box<[u8; 100_000]>| bytes[0]).unwrap();
        assert!(large.window() < small.window());
        let huge = pool().workers(2).map(|bytes: [u8; 100_000]| bytes[0]).unwrap();
        assert_eq!(huge.window(), 32);
    });
}
