//! Random sequences of steps of the protocol, without actors: batches complete and are taken in any order.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

const MICRO: Duration = Duration::from_micros(1);

#[derive(Clone, Copy, Debug)]
enum Step {
    /// The generator asks the source, which has at most this number of items.
    Pull(usize),
    /// One of the outstanding batches completes, after this number of nanoseconds per item.
    Complete(usize, u64),
    /// One of the outstanding batches is split.
    Split(usize),
    /// The consumer takes one of the completed batches.
    Take(usize),
    /// The window or the number of workers is changed.
    SetWindow(usize),
    SetWorkers(usize),
    Drain,
    Stop,
    SourceEnds,
    /// The consumer sees the end, if it can.
    SeeEnd,
    /// The consumer leaves.
    Leave,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (1usize..2000).prop_map(Step::Pull),
        6 => (any::<usize>(), 1u64..20_000_000).prop_map(|(which, nanos)| Step::Complete(which, nanos)),
        1 => any::<usize>().prop_map(Step::Split),
        6 => any::<usize>().prop_map(Step::Take),
        1 => prop_oneof![1usize..10, 1usize..5000].prop_map(Step::SetWindow),
        1 => (1usize..6).prop_map(Step::SetWorkers),
        1 => Just(Step::Drain),
        1 => Just(Step::Stop),
        1 => Just(Step::SourceEnds),
        2 => Just(Step::SeeEnd),
        1 => Just(Step::Leave),
    ];
    prop::collection::vec(step, 0..200)
}

#[test]
fn a_batch_smaller_than_planned_is_asked_for_only_while_a_worker_is_idle() {
    let mut protocol = Protocol::new(1, 10, BatchSize::Fixed(4), 8);
    protocol.hand_out(4);
    protocol.complete(Some((4, Duration::from_nanos(4))));
    assert_eq!(protocol.demand(), 4);
    protocol.hand_out(4);
    assert_eq!(protocol.demand(), 0, "two permits, and the worker has a batch");
    protocol.complete(Some((4, Duration::from_nanos(4))));
    assert_eq!(protocol.demand(), 2, "the worker would idle");
}

#[test]
fn a_batch_as_large_as_planned_is_asked_for_while_all_workers_are_busy() {
    let mut protocol = Protocol::new(1, 12, BatchSize::Fixed(4), 8);
    protocol.hand_out(4);
    protocol.complete(Some((4, Duration::from_nanos(4))));
    protocol.hand_out(4);
    assert_eq!(protocol.demand(), 4, "permits for one more batch");
}

#[test]
fn a_lowered_window_takes_nothing_in_until_enough_has_come_back() {
    let mut protocol = Protocol::new(1, 4, BatchSize::Fixed(1), 8);
    let ends = Ends { completed: 1, ..Ends::default() };
    for _ in 0..4 {
        assert_eq!(protocol.ask(true), 1);
        protocol.hand_out(1);
        protocol.complete(Some((1, MICRO)));
    }
    assert_eq!((protocol.set_window(2), protocol.ask(true)), (4, 0));
    for in_flight in [3, 2] {
        protocol.release(ends);
        assert_eq!((protocol.ledger().in_flight, protocol.ask(true)), (in_flight, 0));
    }
    protocol.release(ends);
    assert_eq!(protocol.ask(true), 1);
    assert_eq!((protocol.set_window(64), protocol.limit()), (2, Some(64)));
}

#[test]
fn what_the_source_was_asked_for_is_taken_in_though_the_window_was_lowered_meanwhile() {
    let mut protocol = Protocol::new(1, 8, BatchSize::Fixed(8), 8);
    assert_eq!(protocol.ask(true), 8);
    protocol.set_window(1);
    protocol.hand_out(8);
    assert_eq!((protocol.ledger().in_flight, protocol.ask(true)), (8, 0));
}

#[test]
fn a_batch_of_a_fixed_size_is_the_share_of_a_worker_at_each_window_and_number_of_workers() {
    let asked = BatchSize::Fixed(100);
    let mut protocol = Protocol::new(2, 100, asked.within(100, 2), 8).with_batches_of(asked);
    assert_eq!((protocol.batch_size(), protocol.fixed_batch()), (50, Some(100)));
    protocol.set_workers(4);
    assert_eq!(protocol.batch_size(), 25);
    protocol.set_window(1000);
    assert_eq!(protocol.batch_size(), 100, "as was asked for, and no more");
}

#[test]
fn the_phase_only_moves_on() {
    let phases = [Phase::Running, Phase::Draining, Phase::Stopped];
    for (from, to) in phases.iter().flat_map(|from| phases.iter().map(move |to| (*from, *to))) {
        let mut protocol = Protocol::new(1, 1, BatchSize::Fixed(1), 8);
        protocol.advance(from);
        assert_eq!(protocol.advance(to), to > from, "from {from:?} to {to:?}");
        assert_eq!(protocol.phase, from.max(to));
    }
}

#[test]
fn the_wait_and_the_batch_size_follow_the_measured_service_time() {
    let mut protocol = Protocol::new(2, 100, BatchSize::Adaptive, 8);
    assert_eq!((protocol.mean_service(), protocol.expected_wait(0, 0), protocol.batch_size()), (None, None, 1));
    for _ in 0..8 {
        protocol.hand_out(1);
        protocol.complete(Some((1, 10 * MICRO)));
        protocol.release(Ends { completed: 1, ..Ends::default() });
    }
    assert_eq!(protocol.mean_service(), Some(10 * MICRO));
    assert_eq!(protocol.batch_size(), 2, "as many as were measured, over two workers with two batches each");

    // Six items are outstanding, four of them queued; three others wait.
    (0..6).for_each(|_| _ = protocol.hand_out(1));
    assert_eq!(protocol.expected_wait(4, 3), Some(40 * MICRO), "the eighth item, for two workers");
    assert_eq!(protocol.expected_wait(4, 0), Some(25 * MICRO));
    // One item runs, so a worker is free.
    (0..5).for_each(|_| protocol.complete(None));
    assert_eq!(protocol.expected_wait(0, 0), Some(Duration::ZERO));
    assert_eq!(protocol.expected_wait(0, 1), Some(10 * MICRO));
}

/// The protocol, and the sizes of the batches in flight.
struct World {
    protocol: Protocol,
    workers: usize,
    window: usize,
    outstanding: Vec<usize>,
    completed: Vec<usize>,
}

impl World {
    fn step(&mut self, step: Step) {
        match step {
            Step::Pull(ready) => {
                let demand = self.protocol.demand();
                if demand > 0 {
                    let items = demand.min(ready);
                    self.protocol.hand_out(items);
                    self.outstanding.push(items);
                }
            }
            Step::Complete(which, nanos) if !self.outstanding.is_empty() => {
                let items = self.outstanding.swap_remove(which % self.outstanding.len());
                self.protocol.complete(Some((items, Duration::from_nanos(nanos * items as u64))));
                self.completed.push(items);
            }
            Step::Split(which) if !self.outstanding.is_empty() => {
                let which = which % self.outstanding.len();
                let items = self.outstanding[which];
                if items > 1 {
                    self.protocol.split();
                    self.outstanding[which] = items / 2;
                    self.outstanding.push(items - items / 2);
                }
            }
            Step::Take(which) if !self.completed.is_empty() => {
                let items = self.completed.swap_remove(which % self.completed.len());
                self.protocol.release(Ends { completed: items, ..Ends::default() });
            }
            Step::SetWindow(window) => {
                assert_eq!(self.protocol.set_window(window), self.window);
                self.window = window;
            }
            Step::SetWorkers(workers) => {
                assert_eq!(self.protocol.set_workers(workers), self.workers);
                self.workers = workers;
            }
            Step::Drain => _ = self.protocol.advance(Phase::Draining),
            Step::Stop => _ = self.protocol.advance(Phase::Stopped),
            Step::SourceEnds => _ = self.protocol.source_ended(Ending::Complete),
            Step::SeeEnd if self.protocol.is_finished() && self.completed.is_empty() => self.protocol.end_seen(),
            Step::Leave => _ = self.protocol.consumer_left(),
            Step::SeeEnd | Step::Complete(..) | Step::Split(_) | Step::Take(_) => {}
        }
    }

    fn in_flight(&self) -> usize {
        self.outstanding.iter().chain(&self.completed).sum()
    }
}

proptest! {
    #[test]
    fn no_sequence_of_steps_breaks_the_window_the_accounting_or_the_end(
        workers in 1usize..6,
        window in 1usize..5000,
        fixed in prop::option::of(1usize..100),
        steps in steps(),
    ) {
        let batch = fixed.map_or(BatchSize::Adaptive, |items| BatchSize::Fixed(items.min(window)));
        let protocol = Protocol::new(workers, window, batch.within(window, workers), 8).with_batches_of(batch);
        let mut world = World { protocol, workers, window, outstanding: Vec::new(), completed: Vec::new() };
        // How many items may be in flight: after the window was lowered, those that are.
        let mut most = window;
        let mut stopped = false;
        let (mut cut_off_by, mut ended) = (None, None);
        for step in steps {
            let ends = matches!(step, Step::Drain | Step::Stop | Step::SourceEnds | Step::Leave);
            cut_off_by = cut_off_by.or(ends.then_some(step));
            stopped |= ends;
            let before = world.protocol.ledger().taken;
            world.step(step);
            let ledger = world.protocol.ledger();
            prop_assert_eq!(ledger.in_flight, world.in_flight());
            most = world.window.max(most.min(ledger.in_flight));
            prop_assert!(ledger.in_flight <= most);
            prop_assert!(ledger.in_flight < world.window || world.protocol.demand() == 0);
            prop_assert!(world.protocol.batch_size() <= (world.window / world.workers).max(1));
            prop_assert_eq!((ledger.taken, ledger.failed, ledger.skipped), (ledger.accounted(), 0, 0));
            prop_assert!(!stopped || (world.protocol.demand() == 0 && ledger.taken == before));
            let end = world.protocol.end();
            prop_assert!(ended.is_none() || ended == end, "an end changed: {:?}, {:?}", ended, end);
            ended = end;
            match end {
                Some(Ending::Stopped) => prop_assert!(stopped && world.outstanding.is_empty()),
                Some(Ending::Complete) => {
                    prop_assert!(matches!(cut_off_by, Some(Step::SourceEnds)) && world.in_flight() == 0);
                }
                Some(Ending::Drained) => {
                    prop_assert!(matches!(cut_off_by, Some(Step::Drain)) && world.in_flight() == 0);
                }
                None => {}
            }
            prop_assert_eq!(world.protocol.is_finished(), stopped && world.outstanding.is_empty());
            // Progress: the generator, a worker or the consumer can take a step.
            prop_assert!(stopped || world.protocol.demand() > 0 || world.in_flight() > 0);
            // No worker idles for want of a batch while there is a permit.
            let idle = world.outstanding.len() < world.workers && ledger.in_flight < world.window;
            prop_assert!(stopped || !idle || world.protocol.demand() > 0);
        }
    }
}
