//! How a run ends where nothing fails it.

use super::{Phase, Protocol};

/// Ordered: of two runs of which a third is made, the later one here decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ending {
    /// The source ended by itself.
    Complete,
    /// A drain cut the source off.
    Drained,
    /// A stop came, or the consumer left, before everything was delivered.
    Stopped,
}

/// Where results go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outlet {
    /// To a consumer that has not seen the end.
    Stream,
    /// To a consumer that saw the end.
    StreamEnded,
    /// Each to the caller that submitted its item, as in a pool: there is no stream whose end could be seen.
    Answers,
}

impl Protocol {
    /// Each item is answered by itself: no consumer will say that it saw the end.
    pub(crate) fn answers_each(&mut self) {
        self.outlet = Outlet::Answers;
    }

    /// Moves on to `phase`; there is no way back. Returns true if it was a move.
    pub(crate) fn advance(&mut self, phase: Phase) -> bool {
        let ending = match phase {
            Phase::Running => return false,
            Phase::Draining => Ending::Drained,
            // What was delivered already no stop can take back.
            Phase::Stopped if self.is_delivered() => self.ending,
            Phase::Stopped => Ending::Stopped,
        };
        self.advance_to(phase, ending)
    }

    /// The source has no more. Returns true if it was not cut off before.
    pub(crate) fn source_ended(&mut self, ending: Ending) -> bool {
        self.advance_to(Phase::Draining, ending)
    }

    /// The consumer left. If it has not seen the end that is a stop, even where by chance nothing was lost: otherwise it
    /// would depend on the threads' pace how a stream ended of which exactly all results were taken.
    pub(crate) fn abandoned(&mut self) -> bool {
        self.outlet != Outlet::StreamEnded && self.advance_to(Phase::Stopped, Ending::Stopped)
    }

    /// The consumer saw the end.
    pub(crate) fn end_seen(&mut self) {
        self.outlet = Outlet::StreamEnded;
    }

    /// How the run ended. `None`: items run, or results that no stop has made worthless wait for the consumer.
    pub(crate) fn end(&self) -> Option<Ending> {
        let over = match (self.phase, self.outlet) {
            (Phase::Running, _) => false,
            (_, Outlet::StreamEnded) => true,
            (Phase::Stopped, _) | (_, Outlet::Answers) => self.outstanding == 0,
            (Phase::Draining, Outlet::Stream) => false,
        };
        over.then_some(self.ending)
    }

    /// How the run ended, if its consumer saw that it did.
    pub(crate) fn seen(&self) -> Option<Ending> {
        (self.outlet == Outlet::StreamEnded).then_some(self.ending)
    }

    /// Nothing more comes, no work runs, and the consumer has every result.
    fn is_delivered(&self) -> bool {
        let over = self.phase != Phase::Running && self.outstanding == 0;
        self.outlet == Outlet::StreamEnded || over && (self.ledger.in_flight == 0 || self.outlet == Outlet::Answers)
    }

    fn advance_to(&mut self, phase: Phase, ending: Ending) -> bool {
        let onward = phase > self.phase;
        if onward {
            (self.phase, self.ending) = (phase, ending);
        }
        onward
    }
}
