//! Pipelines over nodes, with the faults of networks, servers and processes drawn from seeds.

use std::ops::Range;
use std::time::Duration;

use actix_fan::testing::{
    ClusterEvent, ClusterOutcome, ClusterSimulation, Network, assert_all_ended, for_each_seed, simulate_cluster,
};
use actix_fan::{BoxError, End, Job, PipelineError, Work};

/// How many seeds each test has.
const SEEDS: u64 = if cfg!(debug_assertions) { 1_250 } else { 5_000 };

/// What a node does with a number: none, one or several results, an error or a panic.
struct Various;

impl Work<u64> for Various {
    type Output = u64;

    fn run(&mut self, n: u64, job: &mut Job<'_, u64>) -> Result<(), BoxError> {
        if n % 17 == 5 {
            return Err(format!("no result for {n}").into());
        }
        if n % 31 == 7 {
            std::panic::resume_unwind(Box::new("it panicked"));
        }
        (0..n % 3).for_each(|k| job.emit(n * 10 + k));
        Ok(())
    }
}

/// The results of the items as texts, in order.
fn expected(items: u64) -> Vec<String> {
    let of_item = |n: u64| match n {
        _ if n % 17 == 5 => vec![format!("item {n} failed: no result for {n}")],
        _ if n % 31 == 7 => vec![format!("item {n} panicked: it panicked")],
        _ => (0..n % 3).map(|k| (n * 10 + k).to_string()).collect(),
    };
    (0..items).flat_map(of_item).collect()
}

fn texts(outcome: &ClusterOutcome<u64>) -> Vec<String> {
    let text = |result: &Result<u64, actix_fan::ItemError>| match result {
        Ok(value) => value.to_string(),
        Err(error) => match std::error::Error::source(error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        },
    };
    outcome.results.iter().map(text).collect()
}

const ITEMS: u64 = 80;

/// A small draw, for what a test varies with its seed.
fn draw(seed: u64, salt: u64, end: u64) -> u64 {
    let z = (seed + salt * 0x9E37_79B9).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (z ^ (z >> 31)).wrapping_mul(0x94D0_49BB_1331_11EB) % end
}

fn bad(seed: u64) -> Network {
    Network::good()
        .errors(draw(seed, 1, 200) as usize)
        .losses(draw(seed, 2, 150) as usize)
        .doubles(draw(seed, 3, 300) as usize)
        .delay(Duration::from_millis(1 + draw(seed, 4, 40)))
}

/// Runs it, in order or not, and checks that the results are exact.
fn assert_exact(seed: u64, change: impl Fn(Simulation) -> Simulation) -> ClusterOutcome<u64> {
    let is_ordered = seed.is_multiple_of(2);
    let mut simulation: Simulation = simulate_cluster(numbers);
    simulation = simulation.seed(seed).batch(1 + draw(seed, 5, 12) as usize).nodes(1 + draw(seed, 6, 4) as usize);
    if is_ordered {
        simulation = simulation.ordered();
    }
    let outcome = change(simulation).run(|| Various).unwrap();
    assert_eq!(outcome.error, None);
    assert_all_ended(&outcome.stats);
    assert_eq!(outcome.stats.end, Some(End::Complete));
    let (mut texts, mut expected) = (texts(&outcome), expected(ITEMS));
    if !is_ordered {
        texts.sort();
        expected.sort();
    }
    assert_eq!(texts, expected);
    outcome
}

type Simulation = ClusterSimulation<Range<u64>>;

fn numbers() -> Range<u64> {
    0..ITEMS
}

#[test]
fn over_a_good_network_each_item_runs_once() {
    for_each_seed(0..SEEDS, |seed| {
        let outcome = assert_exact(seed, |simulation| simulation);
        assert!(outcome.runs.values().all(|runs| *runs == 1), "{:?}", outcome.runs);
        assert_eq!((outcome.lost, outcome.redelivered), (0, 0));
        assert_eq!(outcome.left, 0, "jobs are left in the backend");
        let nodes = &outcome.stats.nodes;
        assert!(nodes.iter().all(|node| node.slots == 2 && (1..=2).contains(&node.in_flight) && !node.draining));
    });
}

#[test]
fn results_are_exact_whatever_the_network_loses_doubles_or_delays() {
    let mut lost = 0;
    for_each_seed(0..SEEDS * 2, |seed| lost += assert_exact(seed, |simulation| simulation.network(bad(seed))).lost);
    assert!(lost > 0, "nothing was lost in any of them");
}

#[test]
fn results_are_exact_whatever_becomes_of_nodes() {
    for_each_seed(0..SEEDS, |seed| {
        assert_exact(seed, |mut simulation| {
            for at in 0..3 {
                let event =
                    if draw(seed, 10 + at, 2) == 0 { ClusterEvent::NodeDies } else { ClusterEvent::NodeFreezes };
                simulation = simulation.event(Duration::from_millis(draw(seed, 20 + at, 400)), event);
            }
            simulation.network(bad(seed))
        });
    });
}

#[test]
fn results_are_exact_if_the_server_loses_its_files_or_is_cut_off_for_a_while() {
    for_each_seed(0..SEEDS, |seed| {
        assert_exact(seed, |simulation| {
            let lost = Duration::from_millis(draw(seed, 30, 300));
            let cut = Duration::from_millis(draw(seed, 31, 300));
            simulation.event(lost, ClusterEvent::FilesLost).event(cut, ClusterEvent::Cut).network(bad(seed))
        });
    });
}

#[test]
fn another_coordinator_resumes_a_run() {
    let mut spared = 0;
    for_each_seed(0..SEEDS, |seed| {
        let outcome = assert_exact(seed, |mut simulation| {
            for at in 0..1 + draw(seed, 40, 3) {
                let when = Duration::from_millis(draw(seed, 41 + at, 600));
                simulation = simulation.event(when, ClusterEvent::CoordinatorDies);
            }
            simulation
        });
        spared += outcome.runs.values().filter(|runs| **runs == 1).count();
    });
    assert!(spared > 0, "no item of a run was taken over");
}

#[test]
fn a_batch_that_ends_its_nodes_fails_and_the_others_do_not() {
    for_each_seed(0..SEEDS / 4, |seed| {
        let outcome = simulate_cluster(numbers).seed(seed).batch(4).poison(50).run(|| Various).unwrap();
        assert_all_ended(&outcome.stats);
        let expected = expected(ITEMS).len();
        let lost: Vec<u64> = outcome
            .results
            .iter()
            .filter_map(|result| result.as_ref().err())
            .filter(|error| error.work_error().is_some_and(|error| error.to_string().contains("was delivered 5 times")))
            .map(|error| error.index())
            .collect();
        assert_eq!(lost, [50], "of {expected}");
    });
}

#[test]
fn a_server_that_is_gone_ends_the_pipeline_with_what_is_missing() {
    for_each_seed(0..SEEDS / 4, |seed| {
        let when = Duration::from_millis(draw(seed, 50, 100));
        let simulation = simulate_cluster(numbers).seed(seed).event(when, ClusterEvent::CutForEver);
        let outcome = simulation.run(|| Various).unwrap();
        assert_all_ended(&outcome.stats);
        match outcome.error {
            // It had all outcomes.
            None => assert_eq!(outcome.stats.end, Some(End::Complete)),
            Some(PipelineError::Remote { message }) => {
                assert!(message.contains("nothing was heard") && message.contains("items "), "{message}");
            }
            Some(other) => panic!("{other}"),
        }
    });
}

#[test]
fn a_stop_or_a_drain_ends_the_pipeline_and_leaves_no_jobs() {
    for_each_seed(0..SEEDS, |seed| {
        let when = Duration::from_millis(draw(seed, 60, 150));
        let is_stop = draw(seed, 61, 2) == 0;
        let simulation = simulate_cluster(numbers).seed(seed).network(bad(seed)).ordered();
        let event = if is_stop { ClusterEvent::Stop } else { ClusterEvent::Drain };
        let outcome = simulation.event(when, event).run(|| Various).unwrap();
        assert_all_ended(&outcome.stats);
        assert_eq!(outcome.error, None);
        let (texts, expected) = (texts(&outcome), expected(ITEMS));
        assert!(expected.starts_with(&texts), "{texts:?}");
        if outcome.stats.end == Some(End::Drained) {
            assert_eq!(outcome.stats.skipped, 0);
        }
    });
}
