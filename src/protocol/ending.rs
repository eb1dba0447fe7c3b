//! How a run ends that doesn't fail.

use super::{Phase, Protocol};

/// Ordered from best to worst: a run that consumes the results of others ends as the worst of them did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ending {
    /// The source ended by itself.
    Complete,
    /// A drain ended the run before the source did.
    Drained,
    /// A stop came, or the consumer left, before every result was delivered.
    Stopped,
}

/// How results are delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// By one stream, whose consumer has not seen the end.
    Stream,
    /// By one stream, whose consumer has seen the end.
    StreamEnded,
    /// Each to the caller that submitted its item, as in a pool: no consumer sees an end of all results.
    PerItem,
}

impl Protocol {
    /// Has each result delivered by itself, to the caller that submitted its item.
    pub(crate) fn deliver_per_item(&mut self) {
        self.delivery = Delivery::PerItem;
    }

    /// Moves on to `phase`. Returns false, and changes nothing, unless it is a later one.
    pub(crate) fn advance(&mut self, phase: Phase) -> bool {
        let ending = match phase {
            Phase::Running => return false,
            Phase::Draining => Ending::Drained,
            // The stop came too late to skip an item or to withhold a result.
            Phase::Stopped if self.is_delivered() => self.ending,
            Phase::Stopped => Ending::Stopped,
        };
        self.advance_to(phase, ending)
    }

    /// Drains because the source has no more items. Returns false if the run was draining or stopped already.
    pub(crate) fn source_ended(&mut self, ending: Ending) -> bool {
        self.advance_to(Phase::Draining, ending)
    }

    /// Stops, unless the consumer that left has seen the end. Returns true if that changed the phase.
    pub(crate) fn consumer_left(&mut self) -> bool {
        // Also where it has every result and only missed the end. Whether the end was sent before the consumer left
        // depends on how fast the threads are, and the same program should not end sometimes complete and sometimes
        // stopped.
        self.delivery != Delivery::StreamEnded && self.advance_to(Phase::Stopped, Ending::Stopped)
    }

    /// Records that the consumer saw the end of the stream.
    pub(crate) fn end_seen(&mut self) {
        self.delivery = Delivery::StreamEnded;
    }

    /// How the run ended. `None` while items run, or while results wait for the consumer that a stop could still
    /// withhold.
    pub(crate) fn end(&self) -> Option<Ending> {
        let ended = match (self.phase, self.delivery) {
            (Phase::Running, _) => false,
            (_, Delivery::StreamEnded) => true,
            (Phase::Stopped, _) | (_, Delivery::PerItem) => self.outstanding == 0,
            (Phase::Draining, Delivery::Stream) => false,
        };
        ended.then_some(self.ending)
    }

    /// How the run ended, if its consumer saw the end of the stream.
    pub(crate) fn ending_seen(&self) -> Option<Ending> {
        (self.delivery == Delivery::StreamEnded).then_some(self.ending)
    }

    /// Returns true if no item is taken in, none runs, and the consumer has every result.
    fn is_delivered(&self) -> bool {
        match self.delivery {
            Delivery::StreamEnded => true,
            Delivery::Stream => self.is_finished() && self.ledger.in_flight == 0,
            // Results that wait in a pool's streams are still delivered after a stop.
            Delivery::PerItem => self.is_finished(),
        }
    }

    fn advance_to(&mut self, phase: Phase, ending: Ending) -> bool {
        let is_later = phase > self.phase;
        if is_later {
            (self.phase, self.ending) = (phase, ending);
        }
        is_later
    }
}
