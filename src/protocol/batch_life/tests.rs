//! Random sequences of the steps of a batch that is divided among workers.

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// The next item came as a failure from the source. Not while a portion is claimed.
    Pass,
    /// The worker claims this share of what is left.
    Claim(Index),
    /// The next item of the portion begins if it may, and ends so; without a portion, the next one of the batch.
    Item(ItemEnd),
    /// The next item begins if it may, and goes on in another turn.
    Suspend,
    Merge,
    /// Another worker takes this share of what is not claimed.
    Share(Index),
    /// The items that have ended leave.
    Deliver,
    GiveBack,
    End,
    /// From now on everything is cancelled.
    Stop,
}

fn steps() -> impl Strategy<Value = Vec<(Index, Step)>> {
    let step = prop_oneof![
        2 => Just(Step::Pass),
        6 => any::<Index>().prop_map(Step::Claim),
        12 => Just(Step::Item(ItemEnd::Done)),
        4 => Just(Step::Item(ItemEnd::Failed)),
        1 => Just(Step::Item(ItemEnd::Skipped(SkipReason::Stopped))),
        2 => Just(Step::Suspend),
        6 => Just(Step::Merge),
        4 => any::<Index>().prop_map(Step::Share),
        4 => Just(Step::Deliver),
        1 => Just(Step::GiveBack),
        2 => Just(Step::End),
    ];
    // Rare, since after it nothing begins and nothing is given back.
    let step = prop_oneof![80 => step, 1 => Just(Step::Stop)];
    prop::collection::vec((any::<Index>(), step), 0..150)
}

/// What became of one item, written down when it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClusterEvent {
    Ended(ItemEnd),
    Passed,
    NotBegun,
}

/// A worker and its part of the batch.
struct Worker {
    life: BatchLife,
    portion: Option<BatchLife>,
    /// Items of this part whose work began, or went on.
    ran: usize,
}

impl Worker {
    fn take(first: u64, items: usize) -> Self {
        Self { life: BatchLife::begin(first, items), portion: None, ran: 0 }
    }

    /// The part that has not left, as its first index and the one behind its last.
    fn range(&self) -> (u64, u64) {
        (self.life.first(), self.life.first() + self.life.items() as u64)
    }

    fn unclaimed(&self) -> usize {
        self.life.left() - self.life.claimed()
    }
}

/// A batch, whose parts are at workers that do not know of each other, and what became of its items.
struct World {
    first: u64,
    events: Vec<ClusterEvent>,
    /// True for items that have left with their outcome.
    left: Vec<bool>,
    workers: Vec<Worker>,
    is_stopped: bool,
}

impl World {
    fn new(first: u64, items: usize) -> Self {
        let workers = vec![Worker::take(first, items)];
        Self {
            first,
            events: vec![ClusterEvent::NotBegun; items],
            left: vec![false; items],
            workers,
            is_stopped: false,
        }
    }

    /// The worker number `at` takes a step, if it can.
    fn step(&mut self, at: usize, step: Step) {
        let is_stopped = self.is_stopped;
        let worker = &mut self.workers[at];
        let ((first, behind), left) = (worker.range(), worker.life.left());
        match (step, worker.portion) {
            (Step::Pass, None) if left > 0 => {
                let index = worker.life.next_index();
                worker.life.item_passed();
                self.has_ended(index, ClusterEvent::Passed);
            }
            (Step::Claim(share), None) if left > 0 => {
                let items = 1 + share.index(left);
                let portion = worker.life.claim(items);
                assert_eq!((portion.next_index(), portion.left()), (worker.life.next_index(), items));
                assert_eq!((worker.unclaimed(), worker.range()), (left - items, (first, behind)));
                worker.portion = Some(portion);
            }
            (Step::Item(end), _) => {
                let life = worker.portion.as_mut().unwrap_or(&mut worker.life);
                if life.left() > 0 && life.may_begin(is_stopped).is_ok() {
                    assert!(!is_stopped, "an item began after a stop");
                    let index = life.item_began();
                    assert!(life.is_in_item() && life.current_index() == index);
                    life.item_ended(end);
                    worker.ran += 1;
                    self.has_ended(index, ClusterEvent::Ended(end));
                }
            }
            (Step::Suspend, _) => {
                let life = worker.portion.as_mut().unwrap_or(&mut worker.life);
                if life.left() > 0 && life.may_begin(is_stopped).is_ok() {
                    let index = life.item_began();
                    life.item_suspended();
                    assert_eq!(life.next_index(), index, "it is the next one again");
                    worker.ran += 1;
                }
            }
            (Step::Merge, Some(portion)) => {
                worker.life.merge(portion);
                worker.portion = None;
                assert_eq!(worker.life.next_index(), portion.next_index(), "what did not begin is the next again");
                assert_eq!((worker.life.claimed(), worker.range()), (0, (first, behind)));
            }
            (Step::Share(share), _) if worker.unclaimed() > 0 => {
                let items = 1 + share.index(worker.unclaimed());
                let shared = worker.life.share(items);
                assert_eq!((worker.range(), shared + items as u64), ((first, shared), behind));
                assert_eq!(worker.life.left(), left - items);
                self.workers.push(Worker::take(shared, items));
            }
            (Step::Deliver, _) => match worker.life.deliver() {
                Some(Delivered { first: delivered, items, began, ends }) => {
                    assert_eq!((delivered, worker.range()), (first, (first + items as u64, behind)));
                    assert_eq!(worker.life.left(), left, "what has not begun stays");
                    self.has_left(first, items, ends, began);
                }
                None => assert_eq!(worker.life.next_index(), first, "nothing has ended"),
            },
            (Step::GiveBack, None) => match worker.life.give_back(is_stopped) {
                Some(Rest { first: rest, items }) => {
                    assert!(!is_stopped && items == left && items > 0);
                    assert_eq!((worker.range(), rest + items as u64), ((first, rest), behind));
                    assert_eq!((worker.life.left(), worker.life.give_back(false)), (0, None));
                    self.workers.push(Worker::take(rest, items));
                }
                None => assert!(is_stopped || left == 0),
            },
            (Step::End, None) => {
                let Worker { life, ran, .. } = self.workers.swap_remove(at);
                let BatchEnd { ends, ran: measured } = life.end();
                assert_eq!(measured, ran, "also those that were delivered before kept the worker busy");
                self.has_left(life.first(), life.items(), ends, life.begun());
            }
            (Step::Stop, _) => self.is_stopped = true,
            // The worker can't take it now.
            _ => {}
        }
    }

    fn has_ended(&mut self, index: u64, event: ClusterEvent) {
        let before = std::mem::replace(&mut self.events[(index - self.first) as usize], event);
        assert_eq!(before, ClusterEvent::NotBegun, "item {index} ran twice");
    }

    fn has_left(&mut self, first: u64, items: usize, ends: Ends, began: usize) {
        let from = (first - self.first) as usize;
        for left in &mut self.left[from..from + items] {
            assert!(!std::mem::replace(left, true), "an item left twice");
        }
        let events = &self.events[from..from + items];
        let count = |wanted: &[ClusterEvent]| events.iter().filter(|event| wanted.contains(event)).count();
        let skipped = ClusterEvent::Ended(ItemEnd::Skipped(SkipReason::Stopped));
        let completed = count(&[ClusterEvent::Ended(ItemEnd::Done)]);
        let failed = count(&[ClusterEvent::Ended(ItemEnd::Failed), ClusterEvent::Passed]);
        assert_eq!(
            ends,
            Ends { completed, failed, skipped: count(&[skipped, ClusterEvent::NotBegun]), ..Ends::default() }
        );
        assert_eq!(began, items - count(&[ClusterEvent::Passed, ClusterEvent::NotBegun]));
    }
}

#[test]
fn a_portion_runs_while_the_rest_is_shared_and_what_ended_is_delivered() {
    let mut life = BatchLife::begin(10, 8);
    life.item_passed();
    let mut portion = life.claim(3);
    assert_eq!((portion.item_began(), life.share(2)), (11, 16));
    let ends = Ends { failed: 1, ..Ends::default() };
    assert_eq!(life.deliver(), Some(Delivered { first: 10, items: 1, began: 0, ends }), "nothing of the portion");
    portion.item_ended(ItemEnd::Done);
    life.merge(portion);
    let ends = Ends { completed: 1, ..Ends::default() };
    assert_eq!(life.deliver(), Some(Delivered { first: 11, items: 1, began: 1, ends }));
    assert_eq!(life.deliver(), None);
    assert_eq!(life.give_back(true), None, "cancelled");
    assert_eq!(life.give_back(false), Some(Rest { first: 12, items: 4 }));
    assert_eq!(life.end(), BatchEnd { ends: Ends::default(), ran: 1 });
}

proptest! {
    #[test]
    fn every_item_ends_and_leaves_once_however_its_batch_is_divided(
        first in 0..u64::MAX / 2,
        items in 0usize..40,
        steps in steps(),
    ) {
        let mut world = World::new(first, items);
        for (which, step) in steps {
            if !world.workers.is_empty() {
                world.step(which.index(world.workers.len()), step);
            }
        }
        while !world.workers.is_empty() {
            world.step(0, Step::Merge);
            world.step(0, Step::End);
        }
        prop_assert_eq!(world.left, vec![true; items]);
    }
}
