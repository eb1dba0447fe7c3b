//! `Faults` on real threads.

use std::error::Error;

use actix_fan::testing::{Faults, Gate, assert_all_ended};
use actix_fan::{FanOutExt, ItemError, Job, PipelineError, Stop, SubmitError, Work, pool, work_fn};
use futures::StreamExt;

use crate::run::run;

fn same() -> impl Work<u64, Output = u64> {
    work_fn(|n: u64, job: &mut Job<'_, u64>| {
        job.emit(n);
        Ok(())
    })
}

#[test]
fn chosen_items_fail_and_no_others() {
    run(async {
        let faults = Faults::new().panic_at(3).panic_every(10).fail_at(5);
        let results = (0..30u64).fan_out().workers(2).ordered().with(faults.over(same)).unwrap();
        let failed: Vec<_> = results.filter_map(async |result| result.err()).collect().await;
        assert_eq!(failed.iter().map(ItemError::index).collect::<Vec<_>>(), [0, 3, 5, 10, 20]);
        for error in &failed {
            let told = error.source().map_or(error.to_string(), ToString::to_string);
            assert!(told.contains(&format!("fault at item {}", error.index())), "{told}");
        }
    });
}

#[test]
fn a_fault_stops_a_pipeline_that_is_armed_after_its_start() {
    run(async {
        for stop in [Stop::Now, Stop::Drain] {
            let faults = Faults::new().stop_at(10, stop);
            let mut results = (0u64..).fan_out().workers(1).batch(1).with(faults.over(same)).unwrap();
            faults.arm(results.stop_handle());
            let stats = results.finished().await.unwrap();
            assert_all_ended(&stats);
            assert!(stats.completed >= 11, "{stats:?}");
        }
    });
}

#[test]
fn a_gate_holds_the_items_of_a_pool() {
    run(async {
        let gate = Gate::new();
        let squares = pool().workers(1).window(2).with(Faults::new().gated(&gate).over(same)).unwrap();
        let (first, second) = (squares.submit(1), squares.submit(2));
        gate.arrived(1).await;
        assert!(matches!(squares.try_submit(3), Err(SubmitError::Full(3))));
        gate.let_through(1);
        assert_eq!(first.await.unwrap(), 1);
        gate.arrived(2).await;
        assert_eq!(gate.arrivals(), 2);
        gate.open();
        assert_eq!(second.await.unwrap(), 2);
        squares.drain();
        assert_all_ended(&squares.finished().await.unwrap());
    });
}

#[test]
fn a_factory_that_panics_now_and_then_is_retried_and_one_that_keeps_panicking_is_an_error() {
    run(async {
        let now_and_then = Faults::new().panic_at_build(0).panic_at_build(2);
        let mut results = (0..10u64).fan_out().workers(2).with(now_and_then.over(same)).unwrap();
        assert_eq!(results.finished().await.unwrap().completed, 10);

        let always = (0..10).fold(Faults::new(), Faults::panic_at_build);
        let mut results = (0..10u64).fan_out().workers(1).with(always.over(same)).unwrap();
        let error = results.finished().await.unwrap_err();
        assert!(matches!(error, PipelineError::WorkerFactory { .. }), "{error}");
        assert_all_ended(&results.stats());
    });
}

#[test]
#[should_panic(expected = "nth must be at least 1")]
fn panic_every_0_is_refused() {
    let _ = Faults::new().panic_every(0);
}

#[test]
fn a_gate_may_be_opened_any_number_of_times() {
    let gate = Gate::new();
    (0..5).for_each(|_| gate.open());
    gate.pass();
    assert_eq!(gate.arrivals(), 1);
}
