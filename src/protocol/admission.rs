//! The admission queue in front of a pool: requests that wait for a permit, and requests with a permit that wait for a
//! worker.

use super::{Fifo, Protocol};

/// Two FIFOs with common positions. A request gets a permit when it joins, if there is one and no other request waits
/// for it; otherwise it waits. A released permit goes to the request that has waited longest. So requests begin in the
/// order in which they joined.
///
/// `W` is a waiting request, and `Q` is what it becomes when it gets its permit.
#[derive(Debug)]
pub(crate) struct AdmissionQueue<W, Q> {
    next: u64,
    waiting: Fifo<W>,
    queued: Fifo<Q>,
}

/// The position of a request in the queue, by which it can be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position(u64);

/// A request that was removed from the queue.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Left<W, Q> {
    /// Without a permit.
    Waiting(W),
    /// With a permit, which the caller must release.
    Queued(Q),
}

impl<W, Q> AdmissionQueue<W, Q> {
    pub(crate) fn new() -> Self {
        Self { next: 0, waiting: Fifo::new(), queued: Fifo::new() }
    }

    /// Adds a request. If there is a permit, `admit` makes a queued request of it and of its index. Returns the
    /// position, and true if the request has a permit.
    pub(crate) fn join(
        &mut self,
        request: W,
        protocol: &mut Protocol,
        admit: impl FnOnce(u64, W) -> Q,
    ) -> (Position, bool) {
        match self.try_join(request, protocol, admit) {
            Ok(position) => (position, true),
            Err(request) => {
                let position = self.next_position();
                self.waiting.push(position, request);
                (Position(position), false)
            }
        }
    }

    /// Adds a request if there is a permit for it; returns it otherwise.
    pub(crate) fn try_join(
        &mut self,
        request: W,
        protocol: &mut Protocol,
        admit: impl FnOnce(u64, W) -> Q,
    ) -> Result<Position, W> {
        if self.waiting.len() > 0 {
            return Err(request);
        }
        let Some(index) = protocol.admit() else { return Err(request) };
        let position = self.next_position();
        self.queued.push(position, admit(index, request));
        Ok(Position(position))
    }

    /// Gives all free permits to waiting requests, the longest wait first; returns how many requests got one.
    pub(crate) fn admit(&mut self, protocol: &mut Protocol, mut admit: impl FnMut(u64, W) -> Q) -> usize {
        let mut admitted = 0;
        while self.waiting.len() > 0
            && let Some(index) = protocol.admit()
            && let Some((position, waiting)) = self.waiting.pop()
        {
            self.queued.push(position, admit(index, waiting));
            admitted += 1;
        }
        admitted
    }

    /// Removes the request that is next to begin.
    pub(crate) fn pop(&mut self) -> Option<Q> {
        self.queued.pop().map(|(_, queued)| queued)
    }

    /// Removes a request, unless it has begun or has been removed.
    pub(crate) fn leave(&mut self, Position(position): Position) -> Option<Left<W, Q>> {
        match self.queued.remove(position) {
            Some(queued) => Some(Left::Queued(queued)),
            None => self.waiting.remove(position).map(Left::Waiting),
        }
    }

    pub(crate) fn is_waiting(&self, Position(position): Position) -> bool {
        self.waiting.contains(position)
    }

    /// Removes all waiting requests, in order.
    pub(crate) fn take_waiting(&mut self) -> impl Iterator<Item = W> + use<W, Q> {
        self.waiting.take()
    }

    /// Removes all requests that have a permit, in order.
    pub(crate) fn take_queued(&mut self) -> impl Iterator<Item = Q> + use<W, Q> {
        self.queued.take()
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn queued(&self) -> usize {
        self.queued.len()
    }

    fn next_position(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::protocol::{BatchSize, Ends, Phase};

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Join,
        TryJoin,
        /// A worker takes the next request.
        Begin,
        /// One of the running requests ends.
        End(usize),
        /// One of all requests so far leaves, if it can.
        Leave(usize),
        /// The window is changed.
        SetWindow(usize),
        Drain,
        Stop,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            8 => Just(Step::Join),
            3 => Just(Step::TryJoin),
            8 => Just(Step::Begin),
            8 => any::<usize>().prop_map(Step::End),
            4 => any::<usize>().prop_map(Step::Leave),
            2 => (1usize..20).prop_map(Step::SetWindow),
            1 => Just(Step::Drain),
            1 => Just(Step::Stop),
        ];
        prop::collection::vec(step, 0..300)
    }

    #[test]
    fn a_free_permit_goes_to_the_waiting_request_and_not_to_a_new_one() {
        let mut protocol = Protocol::new(1, 2, BatchSize::Fixed(1), 8);
        let mut queue = AdmissionQueue::new();
        let join = |queue: &mut AdmissionQueue<char, char>, protocol: &mut Protocol, who| {
            queue.join(who, protocol, |_, who| who).1
        };
        let queued = "abcd".chars().map(|who| join(&mut queue, &mut protocol, who)).collect::<Vec<_>>();
        assert_eq!(queued, [true, true, false, false]);

        assert_eq!(queue.pop(), Some('a'));
        for _ in 0..2 {
            protocol.complete(None);
            protocol.release(Ends { completed: 1, ..Ends::default() });
        }
        assert_eq!(
            queue.try_join('e', &mut protocol, |_, who| who),
            Err('e'),
            "other requests wait for the free permits"
        );
        assert_eq!(queue.admit(&mut protocol, |_, who| who), 2);
        assert_eq!((queue.waiting(), queue.take_queued().collect::<String>()), (0, "bcd".to_owned()));
        assert_eq!((queue.queued(), queue.pop()), (0, None));
    }

    /// A pool without threads. Requests are numbers; a queued request is its index and its number.
    struct World {
        protocol: Protocol,
        queue: AdmissionQueue<u64, (u64, u64)>,
        joined: Vec<(Position, u64)>,
        begun: Vec<u64>,
        running: Vec<u64>,
        left: BTreeSet<u64>,
        refused: BTreeSet<u64>,
        closed: bool,
    }

    impl World {
        fn step(&mut self, step: Step) {
            match step {
                Step::Join if self.is_running() => {
                    let who = self.joined.len() as u64;
                    let (position, queued) = self.queue.join(who, &mut self.protocol, |index, who| (index, who));
                    assert_eq!(queued, !self.queue.is_waiting(position));
                    self.joined.push((position, who));
                }
                Step::TryJoin => {
                    let who = self.joined.len() as u64;
                    let free = self.is_running() && self.protocol.ledger().in_flight < self.protocol.window();
                    match self.queue.try_join(who, &mut self.protocol, |index, who| (index, who)) {
                        Ok(position) => {
                            assert!(free);
                            self.joined.push((position, who));
                        }
                        Err(back) => assert_eq!((back, free), (who, false)),
                    }
                }
                Step::Begin => {
                    if let Some((_, who)) = self.queue.pop() {
                        self.begun.push(who);
                        self.running.push(who);
                    }
                }
                Step::End(which) if !self.running.is_empty() => {
                    self.running.swap_remove(which % self.running.len());
                    self.protocol.complete(Some((1, Duration::from_micros(1))));
                    self.release(Ends { completed: 1, ..Ends::default() });
                }
                Step::Leave(which) if !self.joined.is_empty() => {
                    let (position, who) = self.joined[which % self.joined.len()];
                    match self.queue.leave(position) {
                        Some(Left::Waiting(waiting)) => {
                            assert_eq!(waiting, who);
                            self.left.insert(who);
                        }
                        Some(Left::Queued((_, queued))) => {
                            assert_eq!(queued, who);
                            self.left.insert(who);
                            self.skip();
                        }
                        None => assert!(
                            [&self.left, &self.refused].iter().any(|set| set.contains(&who)) || self.has_begun(who)
                        ),
                    }
                }
                Step::SetWindow(window) => {
                    self.protocol.set_window(window);
                    self.queue.admit(&mut self.protocol, |index, who| (index, who));
                }
                Step::Drain => {
                    self.closed = true;
                    self.protocol.advance(Phase::Draining);
                    self.refused.extend(self.queue.take_waiting());
                }
                Step::Stop => {
                    self.closed = true;
                    self.protocol.advance(Phase::Stopped);
                    self.refused.extend(self.queue.take_waiting());
                    for (_, who) in self.queue.take_queued() {
                        self.refused.insert(who);
                        self.skip();
                    }
                }
                Step::Join | Step::End(_) | Step::Leave(_) => {}
            }
        }

        fn skip(&mut self) {
            self.protocol.complete(None);
            self.release(Ends { skipped: 1, ..Ends::default() });
        }

        fn release(&mut self, ends: Ends) {
            self.protocol.release(ends);
            self.queue.admit(&mut self.protocol, |index, who| (index, who));
        }

        fn is_running(&self) -> bool {
            !self.closed
        }

        fn has_begun(&self, who: u64) -> bool {
            self.begun.contains(&who)
        }
    }

    proptest! {
        #[test]
        fn no_sequence_of_steps_breaks_the_window_the_order_or_the_accounting(
            workers in 1usize..4,
            window in 1usize..20,
            steps in steps(),
        ) {
            let mut world = World {
                protocol: Protocol::new(workers, window, BatchSize::Fixed(1), 8),
                queue: AdmissionQueue::new(),
                joined: Vec::new(),
                begun: Vec::new(),
                running: Vec::new(),
                left: BTreeSet::new(),
                refused: BTreeSet::new(),
                closed: false,
            };
            // How many requests may have a permit: after the window was lowered, those that have one.
            let mut most = window;
            for step in steps {
                world.step(step);
                let window = world.protocol.window();
                let ledger = world.protocol.ledger();
                prop_assert_eq!(ledger.in_flight, world.queue.queued() + world.running.len());
                most = window.max(most.min(ledger.in_flight));
                prop_assert!(ledger.in_flight <= most);
                prop_assert_eq!((ledger.taken, ledger.failed), (ledger.accounted(), 0));
                // No permit is free while a request waits for one.
                prop_assert!(world.queue.waiting() == 0 || ledger.in_flight >= window);
                // Each request is in exactly one place.
                let inside = world.queue.waiting() + world.queue.queued();
                let outside = world.begun.len() + world.left.len() + world.refused.len();
                prop_assert_eq!(inside + outside, world.joined.len());
            }
            prop_assert!(world.begun.is_sorted(), "requests began out of order: {:?}", world.begun);
            prop_assert!(world.begun.windows(2).all(|pair| pair[0] < pair[1]), "a request began twice");
        }
    }
}
