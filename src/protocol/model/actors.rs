//! What the actors do, step by step.

use std::mem;

use super::state::{Batch, Consumer, Generator, Mail, Outcomes, Portion, Running, Seen, State, Then, Worker};
use super::{Flaw, Pipeline};
use crate::protocol::batch_life::Rest;
use crate::protocol::{BatchEnd, Delivered, Ends, ItemEnd, Phase};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Register,
    Look,
    Pull,
    HandOut,
    Wake,
    /// The generator has read that the run goes on, and reads the demand.
    Demand,
    /// The generator reads the flag before it asks the source for the next item.
    MayPull,
    /// A worker takes a batch.
    Take(usize),
    /// The worker claims its next portion, and reads the flag before the first item.
    Claim(usize),
    /// The worker reads the flag before the next item of its portion.
    MayBegin(usize),
    Begin(usize),
    /// The item that runs ends. After the last one, the portion is merged.
    End(usize, ItemEnd),
    /// The item that runs has a result that leaves before it goes on.
    Suspend(usize),
    /// The worker has found that its results were not taken, and gives back what is to be parked.
    Park(usize),
    /// It parks that, unless the results were taken meanwhile.
    Parked(usize),
    /// Results were taken: a batch that may go on is queued.
    Resume,
    /// It was stopped: what is parked is queued, to be skipped.
    Unpark,
    /// Items of the portion can't begin any more.
    Merge(usize),
    /// The worker gives back the items that have not begun.
    Cut(usize),
    /// An idle worker takes half of what this one has not claimed.
    Share(usize),
    /// The items of this worker that have ended leave early.
    Deliver(usize),
    /// What has left early is sent, by whichever thread it was.
    SendEarly,
    Send(usize),
    Collect,
    Consume,
    // Steps of the application.
    Stop,
    Drain,
    Leave,
    Vanish,
}

impl Action {
    /// Returns true for a step that the application or the System takes, or never takes.
    pub(super) fn is_from_outside(self) -> bool {
        matches!(self, Self::Stop | Self::Drain | Self::Leave | Self::Vanish)
    }
}

impl Pipeline {
    pub(super) fn possible(&self, state: &State, actions: &mut Vec<Action>) {
        match state.generator {
            Generator::Called => actions.push(Action::Register),
            Generator::Looking => actions.push(Action::Look),
            Generator::Demanding => actions.push(Action::Demand),
            Generator::Pulling { may: false, .. } => actions.push(Action::MayPull),
            Generator::Pulling { may: true, .. } => actions.push(Action::Pull),
            Generator::Pulled { .. } => actions.push(Action::HandOut),
            Generator::Waiting | Generator::Gone => {}
        }
        if state.wakes > 0 {
            actions.push(Action::Wake);
        }
        for (id, worker) in state.workers.iter().enumerate() {
            match worker {
                Worker::Idle if state.queue.is_empty() => {}
                Worker::Idle => actions.push(Action::Take(id)),
                Worker::At(running) => self.possible_with(state, id, running, actions),
            }
        }
        if state.early.is_some() {
            actions.push(Action::SendEarly);
        }
        if state.resumes > 0 {
            actions.push(Action::Resume);
        }
        if state.unparks {
            actions.push(Action::Unpark);
        }
        if !state.mailbox.is_empty() && !state.aggregator_is_gone {
            actions.push(Action::Collect);
        }
        if state.consumer == Consumer::Reading {
            if !state.chunks.is_empty() || state.aggregator_is_gone {
                actions.push(Action::Consume);
            }
            if !self.stops_only {
                actions.push(Action::Leave);
            }
        }
        if state.flag != Seen::Stopped && !state.aggregator_is_gone {
            actions.push(Action::Stop);
        }
        if state.flag == Seen::Running && !self.stops_only {
            actions.push(Action::Drain);
        }
        if self.vanishes && !state.queue.is_empty() {
            actions.push(Action::Vanish);
        }
    }

    /// The steps of a worker with its batch, and those of other threads with it.
    fn possible_with(&self, state: &State, id: usize, running: &Running, actions: &mut Vec<Action>) {
        let Running { life, portion, .. } = running;
        match portion {
            Some(Portion { may: true, .. }) => actions.push(Action::Begin(id)),
            Some(Portion { life, .. }) if life.is_in_item() && self.lazy && !running.goes_on() => {
                actions.push(Action::Suspend(id));
            }
            Some(Portion { life, .. }) if life.is_in_item() => {
                actions.push(Action::End(id, ItemEnd::Done));
                if self.panics {
                    actions.push(Action::End(id, ItemEnd::Failed));
                }
            }
            Some(Portion { life, .. }) if life.may_begin(state.is_stopped()).is_err() => {
                actions.push(Action::Merge(id));
            }
            Some(_) => actions.push(Action::MayBegin(id)),
            None if running.parking.is_some() => actions.push(Action::Parked(id)),
            None if running.goes_on() && !state.is_taken(life.first()) && !state.is_stopped() => {
                actions.push(Action::Park(id));
            }
            None => {
                let asks = self.flaw != Some(Flaw::FlagReadAfterBegin) || life.begun() > 0;
                if life.left() == 0 || life.may_begin(asks && state.is_stopped()).is_err() {
                    actions.push(Action::Send(id));
                } else {
                    actions.push(Action::Claim(id));
                    if self.cuts && life.begun() > 0 {
                        actions.push(Action::Cut(id));
                    }
                }
            }
        }
        if self.shares && running.unclaimed() > 0 && !state.is_stopped() && state.workers.contains(&Worker::Idle) {
            actions.push(Action::Share(id));
        }
        // Before the worker claims a portion, or after: no other actor can tell.
        if self.delivers && life.begun() > 0 && portion.is_some() && state.early.is_none() {
            actions.push(Action::Deliver(id));
        }
    }

    pub(super) fn act(&self, state: &mut State, action: Action) {
        match action {
            Action::Register => {
                state.generator = Generator::Looking;
                state.called_again = false;
                if self.flaw != Some(Flaw::RegisteredAfterLook) {
                    state.waker_registered = true;
                }
            }
            Action::Look => self.look(state),
            Action::Demand => match state.protocol.0.demand() {
                0 => self.wait(state),
                demand => state.generator = Generator::Pulling { demand, pulled: 0, may: false },
            },
            Action::MayPull => self.may_pull(state),
            Action::Pull => self.pull(state),
            Action::HandOut => self.hand_out(state),
            Action::Wake => {
                state.wakes -= 1;
                if mem::take(&mut state.waker_registered) {
                    match state.generator {
                        Generator::Waiting => state.generator = Generator::Called,
                        Generator::Gone => {}
                        _ => state.called_again = true,
                    }
                }
            }
            Action::Take(id) => state.workers[id] = Worker::At(Running::of(state.queue.remove(0))),
            Action::Claim(id) => {
                if let Worker::At(Running { life, portion, .. }) = &mut state.workers[id] {
                    *portion = Some(Portion { life: life.claim(self.portion.min(life.left())), may: true });
                }
            }
            Action::MayBegin(id) => {
                if let Worker::At(Running { portion: Some(Portion { may, .. }), .. }) = &mut state.workers[id] {
                    *may = true;
                }
            }
            Action::Begin(id) => {
                let is_stopped = state.is_stopped();
                if let Worker::At(Running { portion: Some(Portion { life, may }), .. }) = &mut state.workers[id] {
                    *may = false;
                    let bit = 1 << life.item_began();
                    state.begun_twice |= state.begun & bit != 0;
                    state.begun |= bit;
                }
                state.begun_late[id] += u8::from(is_stopped);
            }
            Action::End(id, end) => self.end(state, id, end),
            Action::Suspend(id) => self.suspend(state, id),
            Action::Park(id) => self.park(state, id),
            Action::Parked(id) => self.parked(state, id),
            Action::Resume => self.resume(state),
            Action::Unpark => {
                state.unparks = false;
                let parked = mem::take(&mut state.parked);
                state.queue.extend(parked);
            }
            Action::Merge(id) => {
                if let Worker::At(running) = &mut state.workers[id] {
                    running.merge();
                }
            }
            Action::Cut(id) => self.cut(state, id),
            Action::Share(id) => self.share(state, id),
            Action::Deliver(id) => self.deliver(state, id),
            Action::SendEarly => {
                let early = state.early.take();
                early.into_iter().for_each(|outcomes| self.post(state, outcomes));
            }
            Action::Send(id) => self.send(state, id),
            Action::Collect => self.collect(state),
            Action::Consume if state.chunks.is_empty() => state.consumer = Consumer::Ended,
            Action::Consume => {
                let chunk = state.chunks.remove(0);
                state.delivered.extend(chunk.results());
                self.release(state, &chunk);
            }
            Action::Leave => {
                state.consumer = Consumer::Left;
                self.advance(state, Phase::Stopped);
                for chunk in mem::take(&mut state.chunks) {
                    self.release(state, &chunk);
                }
            }
            Action::Stop => self.advance(state, Phase::Stopped),
            Action::Drain => self.advance(state, Phase::Draining),
            Action::Vanish => {
                for Batch { items, .. } in mem::take(&mut state.queue) {
                    self.advance(state, Phase::Stopped);
                    state.protocol.0.complete(None);
                    state.protocol.0.release(Ends { skipped: items, ..Ends::default() });
                    self.wake(state);
                }
            }
        }
    }

    fn look(&self, state: &mut State) {
        if state.source.is_none() {
            let is_over = match self.flaw {
                Some(Flaw::LastBatchLost) => state.queue.is_empty(),
                _ => state.protocol.0.is_finished(),
            };
            if is_over {
                state.generator = Generator::Gone;
                state.mailbox.push(Mail::Finish);
            } else {
                self.wait(state);
            }
        } else if state.flag != Seen::Running {
            state.source = None;
        } else {
            state.generator = Generator::Demanding;
        }
    }

    fn wait(&self, state: &mut State) {
        if self.flaw == Some(Flaw::RegisteredAfterLook) {
            state.waker_registered = true;
        }
        state.generator = if state.called_again { Generator::Called } else { Generator::Waiting };
    }

    fn may_pull(&self, state: &mut State) {
        let Generator::Pulling { demand, pulled, .. } = state.generator else { return };
        let asks = self.flaw != Some(Flaw::SourceAskedAfterStop);
        state.generator = if pulled == demand || (asks && state.flag != Seen::Running) {
            Generator::Pulled { items: pulled, then: Then::Look }
        } else {
            Generator::Pulling { demand, pulled, may: true }
        };
    }

    fn pull(&self, state: &mut State) {
        let Generator::Pulling { demand, pulled, .. } = state.generator else { return };
        state.asked_late += u8::from(state.flag != Seen::Running);
        state.generator = match state.source {
            Some(left @ 1..) => {
                state.source = Some(left - 1);
                Generator::Pulling { demand, pulled: pulled + 1, may: false }
            }
            _ if self.hangs => Generator::Pulled { items: pulled, then: Then::Wait },
            _ => Generator::Pulled { items: pulled, then: Then::Drain },
        };
    }

    fn hand_out(&self, state: &mut State) {
        let Generator::Pulled { items, then } = state.generator else { return };
        if items > 0 {
            let first = state.protocol.0.hand_out(items);
            state.queue.push(Batch { first, items, part: 0 });
        }
        state.generator = Generator::Looking;
        match then {
            Then::Look => {}
            Then::Wait => self.wait(state),
            Then::Drain => self.advance(state, Phase::Draining),
        }
    }

    fn end(&self, state: &mut State, id: usize, end: ItemEnd) {
        let Worker::At(running) = &mut state.workers[id] else { return };
        let Running { life: batch, portion: Some(Portion { life, .. }), failed, .. } = running else { return };
        if end == ItemEnd::Failed {
            if self.flaw == Some(Flaw::CreditLostOnPanic) {
                state.workers[id] = Worker::Idle;
                return;
            }
            *failed |= 1 << (life.current_index() - batch.first());
        }
        life.item_ended(end);
        if life.left() == 0 {
            running.merge();
        }
    }

    fn cut(&self, state: &mut State, id: usize) {
        let is_stopped = state.is_stopped();
        let Worker::At(Running { life, .. }) = &mut state.workers[id] else { return };
        let Some(Rest { first, items }) = life.give_back(is_stopped) else { return };
        state.queue.push(Batch { first, items, part: 0 });
        if self.flaw != Some(Flaw::PartNotCounted) {
            state.protocol.0.split();
        }
    }

    fn share(&self, state: &mut State, id: usize) {
        let Worker::At(running) = &mut state.workers[id] else { return };
        let items = running.unclaimed().div_ceil(2);
        let before = running.life;
        let first = running.life.share(items);
        if self.flaw == Some(Flaw::SharedItemsStay) {
            running.life = before;
        }
        state.queue.insert(0, Batch { first, items, part: 0 });
        if self.flaw != Some(Flaw::SharedPartNotCounted) {
            state.protocol.0.split();
        }
    }

    fn deliver(&self, state: &mut State, id: usize) {
        let Worker::At(Running { life, failed, again, .. }) = &mut state.workers[id] else { return };
        let Some(Delivered { first, items, began, ends }) = life.deliver() else { return };
        let (early, rest) = (*failed & ((1 << items) - 1), *failed >> items);
        *failed = rest;
        let outcomes = Outcomes { first, part: 0, ends, ran: began, failed: early, again: Vec::new(), released: false };
        if self.flaw == Some(Flaw::EarlyResultsStay) {
            again.extend(outcomes.results());
        }
        state.early = Some(outcomes);
        if self.flaw != Some(Flaw::EarlyPartNotCounted) {
            state.protocol.0.split();
        }
    }

    fn send(&self, state: &mut State, id: usize) {
        let Worker::At(Running { life, failed, part, again, .. }) = mem::replace(&mut state.workers[id], Worker::Idle)
        else {
            return;
        };
        let (ran, BatchEnd { ends, .. }) = (life.begun(), life.end());
        let outcomes = Outcomes { first: life.first(), part, ends, ran, failed, again, released: false };
        if outcomes.items() > 0 {
            self.post(state, outcomes);
        } else {
            // All of its items have left before.
            self.finish(state);
        }
    }

    pub(super) fn post(&self, state: &mut State, outcomes: Outcomes) {
        if state.aggregator_is_gone {
            self.complete(state, &outcomes);
            self.release(state, &outcomes);
        } else {
            state.mailbox.push(Mail::Outcomes(outcomes));
        }
    }

    fn collect(&self, state: &mut State) {
        let mut outcomes = match state.mailbox.remove(0) {
            Mail::Outcomes(outcomes) => outcomes,
            Mail::Finish => {
                state.aggregator_is_gone = true;
                let lost = mem::take(&mut state.mailbox).into_iter().filter_map(|mail| match mail {
                    Mail::Outcomes(outcomes) => Some(outcomes),
                    Mail::Finish => None,
                });
                for outcomes in lost {
                    self.complete(state, &outcomes);
                    self.release(state, &outcomes);
                }
                for outcomes in mem::take(&mut state.held) {
                    self.release(state, &outcomes);
                }
                return;
            }
        };
        self.complete(state, &outcomes);
        if self.flaw == Some(Flaw::CreditBeforeTaken) {
            self.release(state, &outcomes);
            outcomes.released = true;
        }
        if !self.ordered || self.flaw == Some(Flaw::OrderOfFinish) {
            return self.emit(state, outcomes);
        }
        let at = state.held.partition_point(|held| (held.first, held.part) < (outcomes.first, outcomes.part));
        state.held.insert(at, outcomes);
        while state.held.first().is_some_and(|held| (held.first, held.part) == state.next) {
            let due = state.held.remove(0);
            state.next = match due.items() {
                0 => (due.first, due.part + 1),
                items => (due.first + items as u64, 0),
            };
            self.emit(state, due);
        }
    }

    fn emit(&self, state: &mut State, outcomes: Outcomes) {
        let has_results = outcomes.results().next().is_some();
        if has_results && state.consumer == Consumer::Reading {
            state.chunks.push(outcomes);
        } else {
            self.release(state, &outcomes);
        }
    }

    /// Completes the batch of these outcomes, unless it goes on.
    fn complete(&self, state: &mut State, outcomes: &Outcomes) {
        if outcomes.items() > 0 {
            self.finish(state);
        }
    }

    fn finish(&self, state: &mut State) {
        // With some flaws a part that wasn't counted completes as well.
        if self.flaw.is_none() || state.protocol.0.outstanding > 0 {
            state.protocol.0.complete(None);
        }
        self.wake(state);
    }

    fn release(&self, state: &mut State, outcomes: &Outcomes) {
        if self.lazy {
            // Two at most: of three, the last two have the effect of all.
            state.resumes = (state.resumes + 1).min(2);
        }
        if !outcomes.released {
            let in_flight = state.protocol.0.ledger().in_flight;
            // With some flaws an item ends twice.
            if self.flaw.is_none() || outcomes.items() <= in_flight {
                state.protocol.0.release(outcomes.ends);
            }
            if self.flaw != Some(Flaw::CreditWithoutWake) {
                self.wake(state);
            }
        }
    }

    fn advance(&self, state: &mut State, phase: Phase) {
        if state.protocol.0.advance(phase) {
            state.flag = match phase {
                Phase::Running => Seen::Running,
                Phase::Draining => Seen::Draining,
                Phase::Stopped => Seen::Stopped,
            };
            state.unparks = self.lazy && phase == Phase::Stopped && self.flaw != Some(Flaw::ParkedForgotten);
            if self.flaw != Some(Flaw::StopWithoutWake) {
                self.wake(state);
            }
        }
    }

    /// A call of the waker is on its way. Two at most: of three, the last two have the effect of all.
    fn wake(&self, state: &mut State) {
        state.wakes = (state.wakes + 1).min(2);
    }
}
