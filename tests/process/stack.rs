//! The stacks of worker threads, and work that needs a larger one than the default.

use std::env;
use std::hint::black_box;
use std::process::Command;

use actix_fan::{FanOutExt, pool};
use futures::StreamExt;

use crate::support::{in_own_process_by, run};

const MEBIBYTE: usize = 1 << 20;

/// Runs the scenario where the default is what it is without the environment's word.
fn with_default_stacks<F: FnOnce()>(scenario: F) {
    let mut command = Command::new(env::current_exe().unwrap());
    command.env_remove("RUST_MIN_STACK");
    in_own_process_by(command, scenario);
}

/// Uses at least a KiB of the stack for each level.
fn sink(levels: usize) -> u64 {
    let frame = black_box([levels as u8; 1024]);
    if levels == 0 { 0 } else { sink(levels - 1) + u64::from(black_box(&frame)[levels % 1024] == levels as u8) }
}

#[test]
fn work_that_recurses_beyond_the_default_stack_runs_with_stack_size() {
    with_default_stacks(|| {
        run(async {
            let levels = 16 * MEBIBYTE / 1024;
            let deep = [levels; 4].fan_out().workers(2).stack_size(64 * MEBIBYTE).map(sink).unwrap();
            assert_eq!(deep.map(Result::unwrap).collect::<Vec<_>>().await, [levels as u64; 4]);
            let pool = pool().workers(1).stack_size(64 * MEBIBYTE).map(sink).unwrap();
            assert_eq!(pool.submit(levels).await.unwrap(), levels as u64);
            // A `Work` is built there as well.
            let built = [()].fan_out().workers(1).stack_size(64 * MEBIBYTE).with(move || {
                let sunk = sink(levels);
                actix_fan::work_fn(move |(), job: &mut actix_fan::Job<'_, u64>| {
                    job.emit(sunk);
                    Ok(())
                })
            });
            assert_eq!(built.unwrap().map(Result::unwrap).collect::<Vec<_>>().await, [levels as u64]);
        });
    });
}

#[test]
fn the_smallest_stack_has_room_for_small_work_and_its_panics() {
    with_default_stacks(|| {
        run(async {
            let results = (0..100u64).fan_out().workers(2).stack_size(64 * 1024).ordered().map(|n| {
                if n == 50 {
                    crate::support::quiet_panic("small");
                }
                n
            });
            let failed: Vec<_> = results.unwrap().filter_map(async |result| result.err()).collect().await;
            assert_eq!(failed.iter().map(|error| error.index()).collect::<Vec<_>>(), [50]);
        });
    });
}
