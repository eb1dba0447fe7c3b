//! Items whose results leave while they go on: they are suspended, their batch is parked until the results are taken, and
//! it goes on.

use super::state::{Batch, Mail, Outcomes, Portion, Running, State, Worker};
use super::{Flaw, Pipeline};
use crate::protocol::batch_life::Rest;
use crate::protocol::{Delivered, Ends};

impl Running {
    /// Returns true if the next item, or the one that runs, has been suspended.
    pub(super) fn goes_on(&self) -> bool {
        self.part > 0 && self.life.begun() == 0
    }
}

impl State {
    /// Returns true if the consumer has taken all results of this item that have left.
    pub(super) fn is_taken(&self, first: u64) -> bool {
        let mailed = self.mailbox.iter().filter_map(|mail| match mail {
            Mail::Outcomes(outcomes) => Some(outcomes),
            Mail::Finish => None,
        });
        mailed.chain(&self.held).chain(&self.chunks).all(|outcomes| outcomes.first != first || outcomes.items() > 0)
    }
}

impl Pipeline {
    /// The item is the next one again. What has ended before it leaves, and then its result.
    pub(super) fn suspend(&self, state: &mut State, id: usize) {
        let Worker::At(running) = &mut state.workers[id] else { return };
        let Running { life, portion, failed, part, .. } = running;
        let Some(Portion { life: mut turn, .. }) = portion.take() else { return };
        turn.item_suspended();
        life.merge(turn);
        let mut leaving = Vec::new();
        if let Some(Delivered { first, items, began, ends }) = life.deliver() {
            let (early, rest) = (*failed & ((1 << items) - 1), *failed >> items);
            *failed = rest;
            let (part, again) = (std::mem::take(part), Vec::new());
            leaving.push(Outcomes { first, part, ends, ran: began, failed: early, again, released: false });
            state.protocol.0.split();
        }
        let (first, ends, again) = (life.first(), Ends::default(), Vec::new());
        leaving.push(Outcomes { first, part: *part, ends, ran: 0, failed: 0, again, released: false });
        *part += 1;
        // The item begins again, and not a second time.
        state.begun &= !(1 << first);
        leaving.into_iter().for_each(|outcomes| self.post(state, outcomes));
    }

    /// The rest of the batch is given back, from the suspended item on.
    pub(super) fn park(&self, state: &mut State, id: usize) {
        let is_stopped = state.is_stopped();
        let Worker::At(Running { life, part, parking, .. }) = &mut state.workers[id] else { return };
        let Some(Rest { first, items }) = life.give_back(is_stopped) else { return };
        *parking = Some(Batch { first, items, part: std::mem::take(part) });
        state.protocol.0.split();
    }

    /// Under the lock of the queue: results that are taken after the look find the batch parked, and so does a stop.
    pub(super) fn parked(&self, state: &mut State, id: usize) {
        let Worker::At(Running { parking, .. }) = &mut state.workers[id] else { return };
        let Some(batch) = parking.take() else { return };
        let looks = self.flaw != Some(Flaw::ParkedWithoutLook);
        if looks && (state.is_taken(batch.first) || state.is_stopped()) {
            state.queue.insert(0, batch);
        } else {
            state.parked.push(batch);
        }
    }

    pub(super) fn resume(&self, state: &mut State) {
        state.resumes -= 1;
        let may_go_on = |batch: &Batch| state.is_taken(batch.first);
        if let Some(at) = state.parked.iter().position(may_go_on) {
            let batch = state.parked.remove(at);
            state.queue.insert(0, batch);
        }
    }
}
