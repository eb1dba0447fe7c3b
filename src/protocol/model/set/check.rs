//! What holds of a set of threads, checked in every state that can be reached.

use stateright::{Model, Property};

use super::state::{Does, Generator, Run, State, Thread};
use super::steps::{Step, unclaimed};
use super::{Flaw, SharedSet, Size};
use crate::protocol::model::Explore;

const ACCOUNTED: &str = "every item of every run is accounted for";
const ONCE: &str = "no item begins twice";
const AT_HOME: &str = "a work is dropped on the thread that built it";
const RETIRED: &str = "no thread serves a run that has retired, or has a work of it";
const SHARED: &str = "no thread sleeps while items wait for one that another thread runs";
const UNSTUCK: &str = "where no step is possible, all runs and threads have ended";

impl Model for SharedSet {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![State::new(self)]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        self.possible(state, steps);
    }

    fn next_state(&self, state: &State, step: Step) -> Option<State> {
        let mut next = state.clone();
        self.take(&mut next, step);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(ACCOUNTED, |_: &Self, state: &State| {
                state.runs.iter().enumerate().all(|(at, run)| {
                    let ledger = run.protocol.0.ledger();
                    ledger.taken == ledger.accounted() && ledger.in_flight == state.on_their_way(at)
                })
            }),
            Property::always(ONCE, |_: &Self, state: &State| state.runs.iter().all(|run| !run.begun_twice)),
            Property::always(AT_HOME, |_: &Self, state: &State| state.runs.iter().all(|run| !run.dropped_elsewhere)),
            Property::always(RETIRED, |_: &Self, state: &State| {
                let has_work = |at: usize| !state.runs[at].works.is_empty() || state.is_served(at);
                state.runs.iter().enumerate().all(|(at, run)| !run.has_retired || !has_work(at))
            }),
            Property::always(SHARED, |_: &Self, state: &State| is_shared(state)),
            Property::always(UNSTUCK, |model: &Self, state: &State| model.is_unstuck(state)),
            Property::sometimes("all items of all runs are done", |model: &Self, state: &State| {
                let done =
                    |(size, run): (&Size, &Run)| run.has_ended() && run.protocol.0.ledger().completed == size.items;
                model.runs.iter().zip(&state.runs).all(done)
            }),
            Property::sometimes("two threads run items of one batch", |_: &Self, state: &State| {
                let in_item = |run| state.threads.iter().filter(|thread| is_in_item_of(thread, run)).count();
                (0..state.runs.len()).any(|run| in_item(run) > 1)
            }),
        ]
    }
}

fn is_in_item_of(thread: &Thread, run: usize) -> bool {
    thread.does == Does::InItem && thread.batch.as_ref().is_some_and(|batch| batch.run == run)
}

/// Of two threads: when one is in an item, it has read whether the other one is idle.
fn is_shared(state: &State) -> bool {
    let has_unclaimed = state.threads.iter().any(|thread| {
        let batch = thread.batch.as_ref().filter(|batch| thread.does == Does::InItem && unclaimed(&batch.life) > 0);
        batch.is_some_and(|batch| !state.runs[batch.run].is_stopped)
    });
    !has_unclaimed || !state.threads.iter().any(|thread| thread.does == Does::Sleeps && !thread.woken)
}

impl Explore for SharedSet {}

impl SharedSet {
    fn is_unstuck(&self, state: &State) -> bool {
        let mut steps = Vec::new();
        self.possible(state, &mut steps);
        // A stop comes from outside, or never.
        if !steps.iter().all(|step| matches!(step, Step::Stop(_))) {
            return true;
        }
        let has_ended =
            |run: &Run| run.has_ended() && run.generator == Generator::Gone && run.protocol.0.ledger().in_flight == 0;
        state.runs.iter().all(has_ended) && state.threads.iter().all(|thread| thread.does == Does::Ended)
    }
}

fn sizes() -> Vec<SharedSet> {
    let run = Size { items: 2, batch: 2, keeps: true, prepares: false, stops: false, joins_late: false };
    let single = Size { items: 1, batch: 1, ..run };
    let set = SharedSet { threads: 2, runs: Vec::new(), yields: false, stays_open: false, flaw: None };
    vec![
        SharedSet { runs: vec![Size { items: 3, batch: 3, ..run }], stays_open: true, ..set.clone() },
        SharedSet { runs: vec![Size { prepares: true, stops: true, ..run }], ..set.clone() },
        SharedSet { runs: vec![run, Size { keeps: false, ..single }], yields: true, ..set.clone() },
        SharedSet { runs: vec![Size { stops: true, ..run }, Size { keeps: false, ..single }], ..set.clone() },
        SharedSet { runs: vec![single, Size { joins_late: true, ..run }], ..set },
    ]
}

#[test]
#[ignore = "long: `cargo test --tests -- --ignored` runs it"]
fn no_order_of_the_threads_breaks_a_promise() {
    sizes().into_iter().for_each(Explore::explore);
}

/// The promise that one of the models breaks once it has the flaw.
#[track_caller]
fn assert_breaks(flaw: Flaw, promise: &'static str) {
    let flawed = |model| SharedSet { flaw: Some(flaw), ..model };
    let is_caught = sizes().into_iter().map(flawed).any(|model| model.breaks(promise));
    assert!(is_caught, "{flaw:?} goes unnoticed");
}

#[test]
#[ignore = "long: `cargo test --tests -- --ignored` runs it"]
fn works_that_another_thread_drops_are_caught() {
    assert_breaks(Flaw::WorksDroppedByOneThread, AT_HOME);
}

#[test]
#[ignore = "long: `cargo test --tests -- --ignored` runs it"]
fn a_run_that_retires_while_a_thread_has_its_work_is_caught() {
    assert_breaks(Flaw::RetiredByTheFirstThread, RETIRED);
}

#[test]
#[ignore = "long: `cargo test --tests -- --ignored` runs it"]
fn a_work_that_is_kept_after_its_run_left_is_caught() {
    assert_breaks(Flaw::KeptAfterItLeft, RETIRED);
}

#[test]
#[ignore = "long: `cargo test --tests -- --ignored` runs it"]
fn a_thread_that_counts_itself_as_idle_after_its_look_is_caught() {
    assert_breaks(Flaw::IdleCountedLate, SHARED);
}

#[test]
#[ignore = "long: `cargo test --tests -- --ignored` runs it"]
fn a_set_that_is_told_of_a_batch_before_it_is_queued_is_caught() {
    assert_breaks(Flaw::ToldBeforeQueued, UNSTUCK);
}
