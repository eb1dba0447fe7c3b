//! Threads that the operating system refuses.

use std::env;
use std::process::Command;

use actix_fan::{FanOutExt, Job, PipelineError, RunError, StartError, SubmitError, Workers, blocking, pool, work_fn};
use futures::StreamExt;
use futures::executor::block_on;

use crate::status::{no_more_threads_than, status};
use crate::support::{DropCounter, assert_settled, in_own_process_by, run};

const WORKERS: usize = 8;

/// Runs the scenario where the memory that may be mapped has room for the stacks of a few threads only. That limit
/// holds for every user; the one on threads doesn't hold for root.
fn with_few_threads<F: FnOnce()>(scenario: F) {
    // Stacks of 1 GiB, which nothing touches: so where one more doesn't fit, whatever else is mapped still does.
    let mut command = Command::new("sh");
    command.args(["-c", r#"ulimit -v 4718592 && exec "$0" "$@""#]).arg(env::current_exe().unwrap());
    command.env("RUST_MIN_STACK", (1u64 << 30).to_string());
    in_own_process_by(command, scenario);
}

fn assert_refused(error: &StartError) {
    let StartError::Thread { worker, workers, source } = error else { panic!("{error}") };
    assert!((1..WORKERS).contains(worker), "some had started: {worker}");
    assert_eq!(
        (*workers, error.to_string()),
        (WORKERS, format!("could not start worker thread {worker} of {WORKERS}"))
    );
    assert!(source.raw_os_error().is_some(), "{source}");
}

#[test]
fn a_pipeline_whose_thread_is_refused_leaves_nothing_behind_and_a_later_one_starts() {
    with_few_threads(|| {
        run(async {
            // The thread of the System on which workers are started comes with the first start, and stays.
            let (counter, threads) = (DropCounter::new(), status().0 + 1);
            for _ in 0..5 {
                let (item, captured, tracker) = (counter.track(), counter.track(), counter.clone());
                let start = std::iter::repeat_n((), 10).chain(std::iter::once_with(move || drop(item)));
                let refused = start.fan_out().workers(WORKERS).with(move || {
                    let _ = &captured;
                    let of_a_worker = tracker.track();
                    work_fn(move |(), job: &mut Job<'_, ()>| {
                        let _ = &of_a_worker;
                        job.emit(());
                        Ok(())
                    })
                });
                assert_refused(&refused.map(drop).unwrap_err());
                no_more_threads_than(threads);
                assert_eq!(counter.alive(), 0);
            }
            let mut results = (0..10u64).fan_out().workers(1).ordered().map(|n| n).unwrap();
            assert_eq!(results.by_ref().map(Result::unwrap).collect::<Vec<_>>().await, (0..10).collect::<Vec<_>>());
            assert_settled(&results.finished().await.unwrap());
        });
    });
}

#[test]
fn a_pool_whose_thread_is_refused_leaves_nothing_behind_and_a_later_one_starts() {
    with_few_threads(|| {
        run(async {
            // The thread of the System on which workers are started comes with the first start, and stays.
            let (counter, threads) = (DropCounter::new(), status().0 + 1);
            for _ in 0..5 {
                let captured = counter.track();
                let refused = pool().workers(WORKERS).map(move |n: u64| {
                    let _ = &captured;
                    n
                });
                assert_refused(&refused.map(drop).unwrap_err());
                no_more_threads_than(threads);
                assert_eq!(counter.alive(), 0);
            }
            let pool = pool().workers(1).map(|n: u64| n + 1).unwrap();
            assert_eq!(pool.submit(1).await.unwrap(), 2);
            pool.drain();
            assert_settled(&pool.finished().await.unwrap());
        });
    });
}

#[test]
fn a_set_whose_thread_is_refused_answers_every_closure_with_that() {
    with_few_threads(|| {
        // That of actix, which panics where a thread is refused.
        std::panic::set_hook(Box::new(|_| ()));
        let counter = DropCounter::new();
        let workers = Workers::builder().threads(WORKERS).build().unwrap();
        let refused = |answer: Result<(), RunError>| {
            let error = answer.unwrap_err();
            let RunError::Lost(PipelineError::WorkerThread { worker, workers: WORKERS, .. }) = error else {
                panic!("{error}")
            };
            assert!((1..WORKERS).contains(&worker), "some had started: {worker}");
        };
        // As many as come before the refusal run; then there is none that does.
        let refusal = loop {
            let tracked = counter.track();
            match workers.blocking_run(move || drop(tracked)) {
                Ok(()) => continue,
                refusal => break refusal,
            }
        };
        refused(refusal);
        for _ in 0..5 {
            let (tracked, another) = (counter.track(), counter.track());
            refused(workers.blocking_run(move || drop(tracked)));
            refused(workers.try_run(move || drop(another)).map(drop));
        }
        assert_eq!((counter.alive(), workers.stats().runs), (0, 0));
        let lost = |error: PipelineError| matches!(error, PipelineError::WorkerThread { workers: WORKERS, .. });
        let pool = pool().on(&workers).map(|n: u64| n).unwrap();
        assert!(block_on(pool.finished()).is_err_and(lost));
        let mut results = (0..3u64).fan_out().detached().on(&workers).map(|n| n).unwrap();
        assert!(block_on(results.finished()).is_err_and(lost));
    });
}

#[test]
fn without_file_descriptors_for_the_system_of_this_crate_everything_is_an_error_and_nothing_waits() {
    let mut command = Command::new("sh");
    // One more than the standard three.
    command.args(["-c", r#"ulimit -n 4 && exec "$0" "$@""#]).arg(env::current_exe().unwrap());
    in_own_process_by(command, || {
        // That of actix, which panics where it can't make a runtime.
        std::panic::set_hook(Box::new(|_| ()));
        let error = Workers::global().unwrap().blocking_run(|| ()).unwrap_err();
        let RunError::Lost(PipelineError::WorkerThread { worker: 0, .. }) = error else { panic!("{error}") };
        let pool = pool().workers(2).map(|n: u64| n).unwrap();
        let error = pool.blocking_submit(7).unwrap_err();
        assert!(matches!(&error, SubmitError::Lost { error: PipelineError::WorkerThread { .. }, .. }), "{error}");
        let error = (0..3u64).fan_out().detached().map(|n| n).unwrap_err();
        assert!(matches!(error, StartError::SystemStopped), "{error}");
    });
}

#[test]
fn a_blocking_source_whose_thread_is_refused_is_an_error_and_drops_its_iterator() {
    with_few_threads(|| {
        run(async {
            let (counter, threads) = (DropCounter::new(), status().0);
            let source = || {
                let tracker = counter.clone();
                blocking(std::iter::repeat_with(move || tracker.track()))
            };
            let mut sources = Vec::new();
            let refused = loop {
                match source() {
                    Ok(source) => sources.push(source),
                    Err(error) => break error,
                }
                // Each keeps its thread, which waits for room.
                assert!(sources.len() < WORKERS);
            };
            assert!(refused.raw_os_error().is_some());
            let mut last = sources.pop().expect("some had started");
            assert!(last.next().await.is_some());
            drop((last, sources));
            no_more_threads_than(threads);
            assert_eq!(counter.alive(), 0);
        });
    });
}
