//! What the actors do, step by step.

use super::state::{Batch, Consumer, Generator, Mail, Outcomes, Seen, State, Then, Worker};
use super::{Flaw, Pipeline};
use crate::protocol::batch_life::Rest;
use crate::protocol::{BatchLife, Ends, ItemEnd, Phase};

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
    /// The worker reads the flag before its next item.
    MayBegin(usize),
    Begin(usize),
    /// The item that runs ends.
    End(usize, ItemEnd),
    /// The worker gives back the items that have not begun.
    Cut(usize),
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
                Worker::At { may: true, .. } => actions.push(Action::Begin(id)),
                Worker::At { life, .. } if life.is_in_item() => {
                    actions.push(Action::End(id, ItemEnd::Done));
                    if self.panics {
                        actions.push(Action::End(id, ItemEnd::Failed));
                    }
                }
                Worker::At { life, .. } => {
                    let asks = self.flaw != Some(Flaw::FlagReadAfterBegin) || life.begun() > 0;
                    if life.left() == 0 || life.may_begin(asks && state.is_stopped()).is_err() {
                        actions.push(Action::Send(id));
                    } else {
                        actions.push(Action::MayBegin(id));
                        if self.cuts && life.begun() > 0 {
                            actions.push(Action::Cut(id));
                        }
                    }
                }
            }
        }
        if !state.mailbox.is_empty() && !state.aggregator_is_gone {
            actions.push(Action::Collect);
        }
        if state.consumer == Consumer::Reading {
            if !state.chunks.is_empty() || state.aggregator_is_gone {
                actions.push(Action::Consume);
            }
            actions.push(Action::Leave);
        }
        if state.flag != Seen::Stopped && !state.aggregator_is_gone {
            actions.push(Action::Stop);
        }
        if state.flag == Seen::Running {
            actions.push(Action::Drain);
        }
        if self.vanishes && !state.queue.is_empty() {
            actions.push(Action::Vanish);
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
                if std::mem::take(&mut state.waker_registered) {
                    match state.generator {
                        Generator::Waiting => state.generator = Generator::Called,
                        Generator::Gone => {}
                        _ => state.called_again = true,
                    }
                }
            }
            Action::Take(id) => {
                let Batch { first, items } = state.queue.remove(0);
                state.workers[id] = Worker::At { life: BatchLife::begin(first, items), may: false, failed: 0 };
            }
            Action::MayBegin(id) => {
                if let Worker::At { may, .. } = &mut state.workers[id] {
                    *may = true;
                }
            }
            Action::Begin(id) => {
                let is_stopped = state.is_stopped();
                if let Worker::At { life, may, .. } = &mut state.workers[id] {
                    *may = false;
                    life.item_began();
                }
                state.begun_late[id] += u8::from(is_stopped);
            }
            Action::End(id, end) => self.end(state, id, end),
            Action::Cut(id) => self.cut(state, id),
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
                for chunk in std::mem::take(&mut state.chunks) {
                    self.release(state, &chunk);
                }
            }
            Action::Stop => self.advance(state, Phase::Stopped),
            Action::Drain => self.advance(state, Phase::Draining),
            Action::Vanish => {
                for Batch { items, .. } in std::mem::take(&mut state.queue) {
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
            state.queue.push(Batch { first, items });
        }
        state.generator = Generator::Looking;
        match then {
            Then::Look => {}
            Then::Wait => self.wait(state),
            Then::Drain => self.advance(state, Phase::Draining),
        }
    }

    fn end(&self, state: &mut State, id: usize, end: ItemEnd) {
        let Worker::At { life, failed, .. } = &mut state.workers[id] else { return };
        if end == ItemEnd::Failed {
            if self.flaw == Some(Flaw::CreditLostOnPanic) {
                state.workers[id] = Worker::Idle;
                return;
            }
            *failed |= 1 << (life.current_index() - life.first());
        }
        life.item_ended(end);
    }

    fn cut(&self, state: &mut State, id: usize) {
        let is_stopped = state.is_stopped();
        let Worker::At { life, .. } = &mut state.workers[id] else { return };
        let Some(Rest { first, items }) = life.give_back(is_stopped) else { return };
        state.queue.push(Batch { first, items });
        if self.flaw != Some(Flaw::PartNotCounted) {
            state.protocol.0.split();
        }
    }

    fn send(&self, state: &mut State, id: usize) {
        let Worker::At { life, failed, .. } = std::mem::replace(&mut state.workers[id], Worker::Idle) else {
            return;
        };
        let outcomes = Outcomes { first: life.first(), end: life.end(), failed, released: false };
        if state.aggregator_is_gone {
            self.finish(state);
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
                let lost = std::mem::take(&mut state.mailbox).into_iter().filter_map(|mail| match mail {
                    Mail::Outcomes(outcomes) => Some(outcomes),
                    Mail::Finish => None,
                });
                for outcomes in lost {
                    self.finish(state);
                    self.release(state, &outcomes);
                }
                for outcomes in std::mem::take(&mut state.held) {
                    self.release(state, &outcomes);
                }
                return;
            }
        };
        self.finish(state);
        if self.flaw == Some(Flaw::CreditBeforeTaken) {
            self.release(state, &outcomes);
            outcomes.released = true;
        }
        if !self.ordered || self.flaw == Some(Flaw::OrderOfFinish) {
            return self.emit(state, outcomes);
        }
        let at = state.held.partition_point(|held| held.first < outcomes.first);
        state.held.insert(at, outcomes);
        while state.held.first().is_some_and(|held| held.first == state.next) {
            let due = state.held.remove(0);
            state.next += due.items() as u64;
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

    fn finish(&self, state: &mut State) {
        // With this flaw a part that wasn't counted completes as well.
        if self.flaw != Some(Flaw::PartNotCounted) || state.protocol.0.outstanding > 0 {
            state.protocol.0.complete(None);
        }
        self.wake(state);
    }

    fn release(&self, state: &mut State, outcomes: &Outcomes) {
        if !outcomes.released {
            state.protocol.0.release(outcomes.end.ends);
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
