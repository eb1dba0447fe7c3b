//! The promises, checked in every state that can be reached.

use stateright::{Model, Property};

use super::actors::Action;
use super::state::{Consumer, Generator, Seen, State, has_result};
use super::{Explore, Flaw, Pipeline};

const ACCOUNTED: &str = "every item is accounted for";
const BOUNDED: &str = "no more items are in flight than the window allows";
const PROMPT: &str = "after a stop each worker begins at most one item, and the source is asked at most once";
const ONCE: &str = "no item begins twice";
const ORDERED: &str = "results come once, and in order";
const COMPLETE: &str = "what was taken is delivered, unless it was stopped";
const UNREAD: &str = "after a stop, what waits for the consumer to take results ends without it";
const UNSTUCK: &str = "a run without a possible step has ended, or waits for its source";

impl Model for Pipeline {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::new(self)]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        self.possible(state, actions);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        self.act(&mut next, action);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(ACCOUNTED, |model: &Self, state: &State| model.is_accounted_for(state)),
            Property::always(BOUNDED, |model: &Self, state: &State| state.on_their_way() <= model.window),
            Property::always(PROMPT, |_: &Self, state: &State| {
                state.asked_late <= 1 && state.begun_late.iter().all(|items| *items <= 1)
            }),
            Property::always(ONCE, |_: &Self, state: &State| !state.begun_twice),
            Property::always(ORDERED, |model: &Self, state: &State| model.is_in_order(state)),
            Property::always(COMPLETE, |model: &Self, state: &State| model.is_complete(state)),
            Property::always(UNREAD, |model: &Self, state: &State| model.ends_unread(state)),
            Property::always(UNSTUCK, |model: &Self, state: &State| model.is_unstuck(state)),
            Property::sometimes("all is delivered", |model: &Self, state: &State| {
                state.consumer == Consumer::Ended && state.protocol.0.ledger().taken == model.items
            }),
            Property::sometimes("a stop cuts it short", |_: &Self, state: &State| {
                state.consumer == Consumer::Ended && state.protocol.0.ledger().skipped > 0
            }),
        ]
    }
}

impl Explore for Pipeline {}

impl Pipeline {
    fn is_accounted_for(&self, state: &State) -> bool {
        let ledger = state.protocol.0.ledger();
        ledger.taken == ledger.accounted()
            && (ledger.in_flight == state.on_their_way() || self.flaw == Some(Flaw::CreditBeforeTaken))
    }

    fn is_in_order(&self, state: &State) -> bool {
        let mut sorted = state.delivered.clone();
        sorted.sort_unstable();
        let once = sorted.windows(2).all(|pair| pair[0] < pair[1]);
        once && (!self.ordered || sorted == state.delivered)
    }

    fn is_complete(&self, state: &State) -> bool {
        let ledger = state.protocol.0.ledger();
        let last = (0..ledger.taken).filter(|index| has_result(*index)).map(|index| 2 * index + 1);
        let mut due = last.chain((0..ledger.taken).filter(|_| self.lazy).map(|index| 2 * index));
        let is_over = state.consumer == Consumer::Ended && !state.is_stopped();
        !is_over || (ledger.skipped == 0 && due.all(|result| state.delivered.contains(&result)))
    }

    /// Returns true unless it was stopped, only the consumer can take a step, and a batch is parked.
    fn ends_unread(&self, state: &State) -> bool {
        if !state.is_stopped() || state.parked.is_empty() {
            return true;
        }
        let mut actions = Vec::new();
        self.possible(state, &mut actions);
        !actions.iter().all(|action| action.is_from_outside() || *action == Action::Consume)
    }

    /// Returns true if a step of the run is possible, or the run has ended or waits for its source.
    fn is_unstuck(&self, state: &State) -> bool {
        let mut actions = Vec::new();
        self.possible(state, &mut actions);
        if !actions.iter().all(|action| action.is_from_outside()) {
            return true;
        }
        let nothing_left = state.protocol.0.ledger().in_flight == 0 && state.on_their_way() == 0;
        let has_ended =
            state.generator == Generator::Gone && state.aggregator_is_gone && state.consumer != Consumer::Reading;
        let waits_for_source = self.hangs && state.source == Some(0) && state.flag == Seen::Running;
        nothing_left && (has_ended || waits_for_source)
    }
}

/// Sizes small enough to be explored in about a second each; together they allow everything that may happen.
fn sizes() -> Vec<Pipeline> {
    let plain = Pipeline {
        workers: 2,
        window: 3,
        batch: 1,
        items: 4,
        hangs: false,
        ordered: false,
        panics: false,
        portion: 1,
        cuts: false,
        shares: false,
        delivers: false,
        lazy: false,
        stops_only: false,
        vanishes: false,
        flaw: None,
    };
    let divided = Pipeline { batch: 3, items: 3, stops_only: true, ..plain.clone() };
    vec![
        Pipeline { ordered: true, ..plain.clone() },
        Pipeline { window: 1, items: 3, panics: true, ..plain.clone() },
        Pipeline { window: 3, batch: 2, items: 3, panics: true, ..plain.clone() },
        Pipeline { window: 3, batch: 3, items: 3, ordered: true, cuts: true, ..plain.clone() },
        Pipeline { portion: 2, shares: true, ..divided.clone() },
        Pipeline { ordered: true, shares: true, delivers: true, ..divided.clone() },
        Pipeline { workers: 1, portion: 2, ordered: true, delivers: true, panics: true, ..divided },
        Pipeline { workers: 1, window: 2, batch: 2, items: 2, lazy: true, ..plain.clone() },
        Pipeline { window: 2, items: 2, lazy: true, ordered: true, stops_only: true, ..plain.clone() },
        Pipeline { hangs: true, items: 3, ordered: true, ..plain.clone() },
        Pipeline { vanishes: true, window: 2, items: 3, ordered: true, ..plain.clone() },
        Pipeline { workers: 1, window: 2, items: 4, panics: true, hangs: true, ..plain },
    ]
}

#[test]
#[ignore = "long: `cargo test --tests -- --ignored` runs it"]
fn no_order_of_steps_breaks_a_promise() {
    sizes().into_iter().for_each(Explore::explore);
}

/// The promise that one of the models breaks once it has the flaw.
#[track_caller]
fn assert_breaks(flaw: Flaw, promise: &'static str) {
    let can_have_it = |model: &Pipeline| match flaw {
        Flaw::PartNotCounted => model.cuts,
        Flaw::SharedPartNotCounted | Flaw::SharedItemsStay => model.shares,
        Flaw::EarlyPartNotCounted | Flaw::EarlyResultsStay => model.delivers,
        Flaw::ParkedWithoutLook | Flaw::ParkedForgotten => model.lazy,
        Flaw::CreditLostOnPanic => model.panics,
        Flaw::OrderOfFinish => model.ordered,
        _ => true,
    };
    let flawed = |model| Pipeline { flaw: Some(flaw), ..model };
    let is_caught = sizes().into_iter().filter(can_have_it).map(flawed).any(|model| model.breaks(promise));
    assert!(is_caught, "{flaw:?} goes unnoticed");
}

#[test]
#[ignore = "long: `cargo test --tests -- --ignored` runs it"]
fn credit_lost_on_a_panic_is_caught() {
    assert_breaks(Flaw::CreditLostOnPanic, ACCOUNTED);
    assert_breaks(Flaw::CreditLostOnPanic, UNSTUCK);
}

#[test]
#[ignore = "long: `cargo test --tests -- --ignored` runs it"]
fn a_stop_that_wakes_nobody_is_caught() {
    assert_breaks(Flaw::StopWithoutWake, UNSTUCK);
}

#[test]
#[ignore = "long: `cargo test --tests -- --ignored` runs it"]
fn credit_that_wakes_nobody_is_caught() {
    assert_breaks(Flaw::CreditWithoutWake, UNSTUCK);
}

#[test]
#[ignore = "long: `cargo test --tests -- --ignored` runs it"]
fn a_flag_that_is_read_after_an_item_begins_is_caught() {
    assert_breaks(Flaw::FlagReadAfterBegin, PROMPT);
}

#[test]
#[ignore = "long: `cargo test --tests -- --ignored` runs it"]
fn a_last_batch_that_is_lost_at_a_drain_is_caught() {
    assert_breaks(Flaw::LastBatchLost, COMPLETE);
}

#[test]
#[ignore = "long: `cargo test --tests -- --ignored` runs it"]
fn a_waker_that_is_registered_after_the_look_is_caught() {
    assert_breaks(Flaw::RegisteredAfterLook, UNSTUCK);
}

#[test]
#[ignore = "long: `cargo test --tests -- --ignored` runs it"]
fn credit_that_returns_before_the_consumer_takes_is_caught() {
    assert_breaks(Flaw::CreditBeforeTaken, BOUNDED);
}

#[test]
#[ignore = "long: `cargo test --tests -- --ignored` runs it"]
fn results_in_order_of_their_finish_are_caught() {
    assert_breaks(Flaw::OrderOfFinish, ORDERED);
}

#[test]
#[ignore = "long: `cargo test --tests -- --ignored` runs it"]
fn a_source_that_is_asked_after_a_stop_is_caught() {
    assert_breaks(Flaw::SourceAskedAfterStop, PROMPT);
}

#[test]
#[ignore = "long: `cargo test --tests -- --ignored` runs it"]
fn a_part_that_is_not_counted_is_caught() {
    assert_breaks(Flaw::PartNotCounted, COMPLETE);
}

#[test]
#[ignore = "long: `cargo test --tests -- --ignored` runs it"]
fn a_part_that_another_worker_takes_uncounted_is_caught() {
    assert_breaks(Flaw::SharedPartNotCounted, COMPLETE);
}

#[test]
#[ignore = "long: `cargo test --tests -- --ignored` runs it"]
fn items_that_leave_early_uncounted_are_caught() {
    assert_breaks(Flaw::EarlyPartNotCounted, COMPLETE);
}

#[test]
#[ignore = "long: `cargo test --tests -- --ignored` runs it"]
fn items_that_stay_although_another_worker_took_them_are_caught() {
    assert_breaks(Flaw::SharedItemsStay, ONCE);
}

#[test]
#[ignore = "long: `cargo test --tests -- --ignored` runs it"]
fn results_that_stay_although_they_left_early_are_caught() {
    assert_breaks(Flaw::EarlyResultsStay, ORDERED);
}

#[test]
#[ignore = "long: `cargo test --tests -- --ignored` runs it"]
fn a_batch_that_is_parked_after_its_results_were_taken_is_caught() {
    assert_breaks(Flaw::ParkedWithoutLook, UNSTUCK);
}

#[test]
#[ignore = "long: `cargo test --tests -- --ignored` runs it"]
fn a_parked_batch_that_a_stop_forgets_is_caught() {
    assert_breaks(Flaw::ParkedForgotten, UNREAD);
}
