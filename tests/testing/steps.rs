//! A simulation driven step by step.

use std::time::Duration;

use actix_fan::testing::{Consumer, Faults, Gate, Step, When, assert_accounted, assert_all_ended, simulate};
use actix_fan::{Job, PipelineError, StartError, Stop, work_fn};
use futures::stream;

fn same() -> impl actix_fan::Work<u64, Output = u64> {
    work_fn(|n: u64, job: &mut Job<'_, u64>| {
        job.emit(n);
        Ok(())
    })
}

#[test]
fn a_pipeline_can_be_looked_at_between_any_two_steps() {
    let mut simulated = simulate(0..10u64).workers(2).window(4).batch(1).ordered().start(same).unwrap();
    assert_eq!(simulated.stats().taken, 0);
    while simulated.step() != Some(Step::Feed) {
        assert_eq!(simulated.stats().taken, 0, "only the generator can begin");
    }
    assert!(simulated.stats().taken > 0);
    while simulated.results().len() < 5 {
        simulated.step().unwrap();
        assert_accounted(&simulated.stats());
    }
    simulated.drain();
    let taken = simulated.stats().taken;
    let outcome = simulated.finish();
    assert_all_ended(&outcome.stats);
    assert_eq!(outcome.stats.completed, taken);
    assert_eq!(outcome.results.len() as u64, taken);
}

#[test]
fn a_stream_that_is_dropped_between_two_steps_stops_the_rest() {
    let mut simulated = simulate(0u64..).workers(2).window(4).batch(1).start(same).unwrap();
    while simulated.results().len() < 5 {
        simulated.step().unwrap();
    }
    simulated.drop_stream();
    let begun = simulated.stats().workers.iter().map(|worker| worker.items).sum::<u64>();
    let outcome = simulated.finish();
    assert_all_ended(&outcome.stats);
    assert!(outcome.begun.len() as u64 <= begun + 2, "those that ran");
    assert_eq!(outcome.results.len(), 5);
}

#[test]
#[should_panic(expected = "no part can take a step")]
fn a_hanging_pipeline_is_reported() {
    let _ = simulate(stream::pending::<u64>()).run(same);
}

#[test]
fn a_source_that_never_yields_is_stopped_when_idle() {
    let outcome = simulate(stream::pending::<u64>()).stop(When::Idle, Stop::Drain).run(same).unwrap();
    assert_eq!((outcome.stats.taken, outcome.results.len()), (0, 0));
}

#[test]
fn a_simulation_has_its_own_clock() {
    let hour = Duration::from_secs(3600);
    let alone = simulate(0..100u64).workers(1).cost(move |_| hour).run(same).unwrap();
    assert_eq!((alone.elapsed, alone.stats.elapsed), (100 * hour, 100 * hour));
    let four = simulate(0..100u64).workers(4).cost(move |_| hour).run(same).unwrap();
    assert!((25 * hour..100 * hour).contains(&four.elapsed), "{:?}", four.elapsed);
    for outcome in [alone, four] {
        assert_eq!(outcome.stats.mean_service, Some(hour));
        assert_eq!(outcome.stats.workers.iter().map(|worker| worker.busy).sum::<Duration>(), 100 * hour);
    }
}

#[test]
fn batches_are_sized_by_the_simulations_clock() {
    let short = simulate(0..100_000u64).cost(|_| Duration::from_micros(1)).run(same).unwrap();
    assert!(short.stats.batch_size > 500, "{}", short.stats.batch_size);
    let long = simulate(0..1_000u64).cost(|_| Duration::from_millis(5)).run(same).unwrap();
    assert_eq!(long.stats.batch_size, 1);
}

#[test]
fn a_stop_while_an_item_runs_can_be_seen_by_it() {
    let give_up = || {
        work_fn(|n: u64, job: &mut Job<'_, u64>| {
            if job.is_stopped() {
                return Err(actix_fan::Stopped.into());
            }
            job.emit(n);
            Ok(())
        })
    };
    for stop in [Stop::Now, Stop::Drain] {
        let by_plan = simulate(0u64..).workers(1).stop(When::Begun(20), stop).run(give_up).unwrap();
        let by_fault = simulate(0u64..).workers(1).faults(Faults::new().stop_at(20, stop)).run(give_up).unwrap();
        for outcome in [by_plan, by_fault] {
            let came = outcome.results.iter().any(|result| *result.as_ref().unwrap() == 20);
            assert_eq!(came, stop == Stop::Drain, "a drain waits for what is in flight");
            assert!(stop == Stop::Drain || *outcome.begun.last().unwrap() == 20);
        }
    }
}

#[test]
fn a_stopped_system_is_an_error_and_every_item_is_accounted_for() {
    let outcome = simulate(0u64..).system_stops(When::Taken(10)).run(same).unwrap();
    assert_all_ended(&outcome.stats);
    assert_eq!(outcome.error, Some(PipelineError::SystemStopped));
    let last = outcome.results.last().unwrap().as_ref().unwrap_err();
    assert_eq!(last.pipeline_error(), Some(&PipelineError::SystemStopped));
}

#[test]
fn a_slow_consumer_runs_after_all_other_parts() {
    let outcome = simulate(0..100u64).window(7).batch(1).consumer(Consumer::Slow).run(same).unwrap();
    assert_eq!((outcome.most_in_flight, outcome.results.len()), (7, 100));
}

#[test]
fn an_invalid_setting_is_the_same_error_as_in_a_pipeline() {
    assert!(matches!(simulate(0..1u64).workers(0).run(same), Err(StartError::Workers(0))));
    assert!(matches!(simulate(0..1u64).window(0).run(same), Err(StartError::Window)));
    let batch = simulate(0..1u64).window(2).batch(3).run(same).unwrap_err();
    assert!(matches!(batch, StartError::Batch { batch: 3, window: 2 }), "{batch}");
}

#[test]
fn a_simulation_inside_a_task_gives_the_same_outcome() {
    let run = || simulate(0..2000u64).batch(1).seed(3).run(same).unwrap();
    let alone = run();
    let inside = actix::System::new().block_on(async { run() });
    assert_eq!(format!("{inside:?}"), format!("{alone:?}"));
}

#[test]
#[should_panic(expected = "no part can take a step")]
fn a_stalling_consumer_does_not_hide_a_hang() {
    let _ = simulate(stream::pending::<u64>()).consumer(Consumer::Stalls(5)).run(same);
}

#[test]
fn all_events_of_one_step_happen_and_missed_ones_are_reported() {
    let at = When::Step(30);
    let both = simulate(0u64..).stop(at, Stop::Drain).system_stops(at).run(same).unwrap();
    assert_eq!((both.error, both.never), (Some(PipelineError::SystemStopped), Vec::new()));

    let at_once = simulate(0u64..).stop(When::Taken(0), Stop::Drain).run(same).unwrap();
    assert_eq!((at_once.stats.taken, at_once.steps > 0), (0, true));

    let late = simulate(0..10u64).stop(When::Taken(5000), Stop::Now).run(same).unwrap();
    assert_eq!((late.results.len(), late.never), (10, vec![When::Taken(5000)]));
}

#[test]
fn a_worker_builds_its_work_before_there_are_items() {
    let broken = || (0..10).fold(Faults::new(), Faults::panic_at_build);
    let outcome = simulate(stream::pending::<u64>()).faults(broken()).run(same).unwrap();
    assert!(matches!(outcome.error, Some(PipelineError::WorkerFactory { .. })), "{:?}", outcome.error);
}

#[test]
#[should_panic(expected = "it has not ended")]
fn an_endless_simulation_is_reported_at_its_limit() {
    let _ = simulate(0u64..).limit(1000).run(same);
}

#[test]
#[should_panic(expected = "only thread")]
fn a_gate_is_refused() {
    let _ = simulate(0..1u64).faults(Faults::new().gated(&Gate::new())).run(same);
}

#[test]
fn closures_run_as_in_a_fan_out() {
    let halves = simulate(0..10u64).ordered().filter_map(|n| (n % 2 == 0).then_some(n / 2)).unwrap();
    assert_eq!(halves.results.into_iter().map(Result::unwrap).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    let twice = simulate(0..3u64).ordered().flat_map(|n| [n, n]).unwrap();
    assert_eq!(twice.results.into_iter().map(Result::unwrap).collect::<Vec<_>>(), [0, 0, 1, 1, 2, 2]);
    let parsed = simulate(["1", "x"]).ordered().try_map(str::parse::<u8>).unwrap();
    assert_eq!((parsed.stats.completed, parsed.stats.failed), (1, 1));
}

#[test]
fn results_that_wait_are_bounded_as_items_are() {
    for results in [15, 40, 200] {
        // The simulation checks it after each step.
        let simulation = simulate(0..100u64).workers(1).window(50).batch(1).consumer(Consumer::Slow);
        let outcome = simulation.flat_map(move |_| 0..results).unwrap();
        assert_eq!(outcome.results.len() as u64, 100 * results);
    }
    let endless = simulate(0..4u64).consumer(Consumer::Leaves(1000)).flat_map(|n| n..).unwrap();
    assert_eq!((endless.results.len() as u64, endless.stats.skipped), (1000, endless.stats.taken));
}

#[test]
fn faults_can_be_reused() {
    let faults = Faults::new().stop_at(5, Stop::Now);
    let start = || simulate(0..100u64).workers(1).batch(1).faults(faults.clone()).start(same).unwrap();
    let (first, second) = (start(), start());
    for simulated in [first, second] {
        assert_eq!(simulated.finish().begun.len(), 6);
    }
}

#[test]
fn a_worker_is_busy_since_its_batch_began_on_the_clock_of_the_simulation() {
    let hour = Duration::from_secs(3600);
    let mut simulated = simulate(0..3u64).workers(1).batch(3).cost(move |_| hour).start(same).unwrap();
    while simulated.stats().elapsed < 2 * hour {
        simulated.step().expect("the batch runs for three hours");
    }
    let stats = simulated.stats();
    assert_eq!((stats.workers[0].busy, stats.workers[0].batches), (2 * hour, 0), "one that has not ended counts");
    let worker = simulated.finish().stats.workers[0];
    assert_eq!((worker.busy, worker.items, worker.batches), (3 * hour, 3, 1));
}

#[test]
fn the_seed_decides_when_results_leave_early_and_batches_are_divided() {
    let (mut early, mut parts) = (0, Vec::new());
    for seed in 0..20 {
        let simulated = simulate(0..500u64).seed(seed).workers(2).ordered().cost(|_| Duration::from_micros(20));
        let mut simulated = simulated.start(same).unwrap();
        while let Some(step) = simulated.step() {
            early += u64::from(matches!(step, Step::Deliver(_)));
        }
        let outcome = simulated.finish();
        assert_all_ended(&outcome.stats);
        parts.push(outcome.stats.workers.iter().map(|worker| worker.batches).sum::<u64>());
    }
    parts.sort_unstable();
    parts.dedup();
    assert!(early > 0 && parts.len() > 1, "{early} times, into {parts:?} parts");
}
