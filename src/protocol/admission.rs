//! The line in front of a pool: who waits for credit, who has it and waits for a worker.

use super::{Lane, Protocol};

/// Two lanes of one line. Whoever comes joins the queue if there is credit and nobody waits for it, and waits otherwise;
/// credit that is set free goes to whoever has waited longest. So items begin in the order in which they came.
///
/// `W` is what waits, and `Q` what it becomes when it gets credit.
#[derive(Debug)]
pub(crate) struct Line<W, Q> {
    next: u64,
    waiting: Lane<W>,
    queued: Lane<Q>,
}

/// Where somebody stands, until it is their turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(u64);

/// Who left the line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Left<W, Q> {
    /// Without credit.
    Waiting(W),
    /// With credit, which is to be given back.
    Queued(Q),
}

impl<W, Q> Line<W, Q> {
    pub(crate) fn new() -> Self {
        Self { next: 0, waiting: Lane::new(), queued: Lane::new() }
    }

    /// Queues the newcomer, whom `admit` gives the credit and the index that it was taken in with; or has it wait.
    pub(crate) fn join(
        &mut self,
        newcomer: W,
        protocol: &mut Protocol,
        admit: impl FnOnce(u64, W) -> Q,
    ) -> (Place, bool) {
        match self.try_join(newcomer, protocol, admit) {
            Ok(place) => (place, true),
            Err(newcomer) => {
                let place = self.place();
                self.waiting.push(place, newcomer);
                (Place(place), false)
            }
        }
    }

    /// Queues the newcomer, unless it would have to wait.
    pub(crate) fn try_join(
        &mut self,
        newcomer: W,
        protocol: &mut Protocol,
        admit: impl FnOnce(u64, W) -> Q,
    ) -> Result<Place, W> {
        if self.waiting.len() > 0 {
            return Err(newcomer);
        }
        let Some(index) = protocol.admit() else { return Err(newcomer) };
        let place = self.place();
        self.queued.push(place, admit(index, newcomer));
        Ok(Place(place))
    }

    /// Queues those who waited longest, as many as there is credit for. How many.
    pub(crate) fn admit(&mut self, protocol: &mut Protocol, mut admit: impl FnMut(u64, W) -> Q) -> usize {
        let mut admitted = 0;
        while self.waiting.len() > 0
            && let Some(index) = protocol.admit()
            && let Some((place, waiting)) = self.waiting.pop()
        {
            self.queued.push(place, admit(index, waiting));
            admitted += 1;
        }
        admitted
    }

    /// The next to begin.
    pub(crate) fn pop(&mut self) -> Option<Q> {
        self.queued.pop().map(|(_, queued)| queued)
    }

    /// Takes somebody out, unless their turn has come.
    pub(crate) fn leave(&mut self, Place(place): Place) -> Option<Left<W, Q>> {
        match self.queued.remove(place) {
            Some(queued) => Some(Left::Queued(queued)),
            None => self.waiting.remove(place).map(Left::Waiting),
        }
    }

    pub(crate) fn is_waiting(&self, Place(place): Place) -> bool {
        self.waiting.contains(place)
    }

    /// Takes everybody out who waits, in order.
    pub(crate) fn take_waiting(&mut self) -> impl Iterator<Item = W> + use<W, Q> {
        self.waiting.take()
    }

    /// Takes everybody out who is queued, in order.
    pub(crate) fn take_queued(&mut self) -> impl Iterator<Item = Q> + use<W, Q> {
        self.queued.take()
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn queued(&self) -> usize {
        self.queued.len()
    }

    fn place(&mut self) -> u64 {
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
        /// A worker takes the next.
        Begin,
        /// One of those that run ends.
        End(usize),
        /// One of those that ever came leaves, if it can.
        Leave(usize),
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
            1 => Just(Step::Drain),
            1 => Just(Step::Stop),
        ];
        prop::collection::vec(step, 0..300)
    }

    #[test]
    fn credit_goes_to_who_waits_and_not_to_who_comes() {
        let mut protocol = Protocol::new(1, 2, BatchSize::Fixed(1), 8);
        let mut line = Line::new();
        let join = |line: &mut Line<char, char>, protocol: &mut Protocol, who| line.join(who, protocol, |_, who| who).1;
        let queued = "abcd".chars().map(|who| join(&mut line, &mut protocol, who)).collect::<Vec<_>>();
        assert_eq!(queued, [true, true, false, false]);

        assert_eq!(line.pop(), Some('a'));
        for _ in 0..2 {
            protocol.complete(None);
            protocol.release(Ends { completed: 1, ..Ends::default() });
        }
        assert_eq!(
            line.try_join('e', &mut protocol, |_, who| who),
            Err('e'),
            "others wait for the credit that is free"
        );
        assert_eq!(line.admit(&mut protocol, |_, who| who), 2);
        assert_eq!((line.waiting(), line.take_queued().collect::<String>()), (0, "bcd".to_owned()));
        assert_eq!((line.queued(), line.pop()), (0, None));
    }

    /// A pool without threads: whoever comes is a number, and the queue holds it with its index.
    struct World {
        protocol: Protocol,
        line: Line<u64, (u64, u64)>,
        come: Vec<(Place, u64)>,
        begun: Vec<u64>,
        running: Vec<u64>,
        gone: BTreeSet<u64>,
        refused: BTreeSet<u64>,
        closed: bool,
    }

    impl World {
        fn step(&mut self, step: Step) {
            match step {
                Step::Join if self.is_running() => {
                    let who = self.come.len() as u64;
                    let (place, queued) = self.line.join(who, &mut self.protocol, |index, who| (index, who));
                    assert_eq!(queued, !self.line.is_waiting(place));
                    self.come.push((place, who));
                }
                Step::TryJoin => {
                    let who = self.come.len() as u64;
                    let free = self.is_running() && self.protocol.ledger().in_flight < self.protocol.window();
                    match self.line.try_join(who, &mut self.protocol, |index, who| (index, who)) {
                        Ok(place) => {
                            assert!(free);
                            self.come.push((place, who));
                        }
                        Err(back) => assert_eq!((back, free), (who, false)),
                    }
                }
                Step::Begin => {
                    if let Some((_, who)) = self.line.pop() {
                        self.begun.push(who);
                        self.running.push(who);
                    }
                }
                Step::End(which) if !self.running.is_empty() => {
                    self.running.swap_remove(which % self.running.len());
                    self.protocol.complete(Some((1, Duration::from_micros(1))));
                    self.release(Ends { completed: 1, ..Ends::default() });
                }
                Step::Leave(which) if !self.come.is_empty() => {
                    let (place, who) = self.come[which % self.come.len()];
                    match self.line.leave(place) {
                        Some(Left::Waiting(waiting)) => {
                            assert_eq!(waiting, who);
                            self.gone.insert(who);
                        }
                        Some(Left::Queued((_, queued))) => {
                            assert_eq!(queued, who);
                            self.gone.insert(who);
                            self.skip();
                        }
                        None => assert!(
                            [&self.gone, &self.refused].iter().any(|out| out.contains(&who)) || self.has_begun(who)
                        ),
                    }
                }
                Step::Drain => {
                    self.closed = true;
                    self.protocol.advance(Phase::Draining);
                    self.refused.extend(self.line.take_waiting());
                }
                Step::Stop => {
                    self.closed = true;
                    self.protocol.advance(Phase::Stopped);
                    self.refused.extend(self.line.take_waiting());
                    for (_, who) in self.line.take_queued() {
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
            self.line.admit(&mut self.protocol, |index, who| (index, who));
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
        fn no_run_breaks_the_window_the_order_or_the_accounts(
            workers in 1usize..4,
            window in 1usize..20,
            steps in steps(),
        ) {
            let mut world = World {
                protocol: Protocol::new(workers, window, BatchSize::Fixed(1), 8),
                line: Line::new(),
                come: Vec::new(),
                begun: Vec::new(),
                running: Vec::new(),
                gone: BTreeSet::new(),
                refused: BTreeSet::new(),
                closed: false,
            };
            for step in steps {
                world.step(step);
                let ledger = world.protocol.ledger();
                prop_assert_eq!(ledger.in_flight, world.line.queued() + world.running.len());
                prop_assert!(ledger.in_flight <= window);
                prop_assert_eq!((ledger.taken, ledger.failed), (ledger.accounted(), 0));
                // Credit is not free while somebody waits for it.
                prop_assert!(world.line.waiting() == 0 || ledger.in_flight == window);
                // Nobody is lost, and nobody is in two places.
                let placed = world.line.waiting() + world.line.queued();
                let out = world.begun.len() + world.gone.len() + world.refused.len();
                prop_assert_eq!(placed + out, world.come.len());
            }
            prop_assert!(world.begun.is_sorted(), "first come, first begun: {:?}", world.begun);
            prop_assert!(world.begun.windows(2).all(|pair| pair[0] < pair[1]), "one began twice");
        }
    }
}
