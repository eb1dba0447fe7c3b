//! What the threads and the generators of the runs do, step by step.

use std::mem;

use super::state::{Does, Errand, Generator, ITEM, Run, Running, State};
use super::{Flaw, SharedSet};
use crate::protocol::batch_life::Rest;
use crate::protocol::model::state::Batch;
use crate::protocol::{BatchEnd, BatchLife, Ends, ItemEnd, Phase};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A thread does what it is about to do.
    Thread(usize),
    /// A thread that has run an item gives the rest of its batch back, because another run should be served.
    Yield(usize),
    /// The run joins the set.
    Join(usize),
    /// The generator hands a batch out, and queues it. After the last one, its source ends.
    HandOut(usize),
    /// It tells the set that there is a batch.
    Tell(usize),
    /// With a flaw: it queues the batch that it has told of.
    Queue(usize),
    /// The generator ends: the run leaves the set.
    GeneratorEnds(usize),
    /// The application stops the run.
    Stop(usize),
    /// A run that was stopped leaves the set, without its generator.
    LeaveStopped(usize),
    /// The last handle of the set is gone.
    Close,
}

impl SharedSet {
    pub(super) fn possible(&self, state: &State, steps: &mut Vec<Step>) {
        for (id, thread) in state.threads.iter().enumerate() {
            match thread.does {
                Does::Ended => {}
                Does::Sleeps if !thread.woken => {}
                _ => steps.push(Step::Thread(id)),
            }
            let may_yield = self.yields && thread.does == Does::ReadsIdle;
            if let (true, Some(batch), Some(serve)) = (may_yield, &thread.batch, &state.fair.serves[id])
                && batch.ran > 0
                && batch.life.left() > 0
                && state.fair.queue.is_contended(serve, batch.ran * ITEM)
            {
                steps.push(Step::Yield(id));
            }
        }
        for (at, run) in state.runs.iter().enumerate() {
            match run.generator {
                Generator::Apart if self.runs[at].joins_late && !state.runs[at - 1].has_ended() => {}
                Generator::Apart => steps.push(Step::Join(at)),
                Generator::Runs if run.protocol.0.demand() > 0 => steps.push(Step::HandOut(at)),
                Generator::Runs if run.protocol.0.is_finished() => steps.push(Step::GeneratorEnds(at)),
                Generator::Tells => steps.push(Step::Tell(at)),
                Generator::Queues(_) => steps.push(Step::Queue(at)),
                Generator::Runs | Generator::Gone => {}
            }
            if run.leaves {
                steps.push(Step::LeaveStopped(at));
            }
            if self.runs[at].stops && !run.is_stopped && !matches!(run.generator, Generator::Apart | Generator::Gone) {
                steps.push(Step::Stop(at));
            }
        }
        if !state.closing && has_joined(state) {
            steps.push(Step::Close);
        }
    }

    pub(super) fn take(&self, state: &mut State, step: Step) {
        match step {
            Step::Thread(id) => self.thread(state, id),
            Step::Yield(id) => self.give_back(state, id),
            Step::Join(run) => self.join(state, run),
            Step::HandOut(run) => self.hand_out(state, run),
            Step::Tell(run) => {
                state.runs[run].generator = Generator::Runs;
                self.push(state, run, 1);
            }
            Step::Queue(run) => {
                if let Generator::Queues(batch) = mem::replace(&mut state.runs[run].generator, Generator::Runs) {
                    state.runs[run].batches.push(batch);
                }
            }
            Step::GeneratorEnds(run) => {
                state.runs[run].generator = Generator::Gone;
                self.leave(state, run);
            }
            Step::Stop(run) => {
                let run = &mut state.runs[run];
                run.protocol.0.advance(Phase::Stopped);
                (run.is_stopped, run.leaves) = (true, true);
            }
            Step::LeaveStopped(run) => {
                state.runs[run].leaves = false;
                self.leave(state, run);
            }
            Step::Close => {
                state.closing = true;
                wake_all(state);
            }
        }
    }

    pub(super) fn join(&self, state: &mut State, run: usize) {
        state.fair.keys[run] = Some(state.fair.queue.insert(run, usize::MAX));
        state.runs[run].generator = Generator::Runs;
        if self.runs[run].prepares {
            state.threads.iter_mut().for_each(|thread| thread.errands.push(Errand::Prepare(run)));
            wake_all(state);
        }
        if !self.stays_open && has_joined(state) {
            state.closing = true;
            wake_all(state);
        }
    }

    fn hand_out(&self, state: &mut State, run: usize) {
        let Run { protocol, left_in_source, batches, generator, .. } = &mut state.runs[run];
        let items = protocol.0.demand().min(*left_in_source as usize);
        *left_in_source -= items as u64;
        let batch = Batch { first: protocol.0.hand_out(items), items, part: 0 };
        if *left_in_source == 0 {
            protocol.0.advance(Phase::Draining);
        }
        if self.flaw == Some(Flaw::ToldBeforeQueued) {
            *generator = Generator::Queues(batch);
            self.push(state, run, 1);
        } else {
            *generator = Generator::Tells;
            batches.push(batch);
        }
    }

    fn thread(&self, state: &mut State, id: usize) {
        match mem::replace(&mut state.threads[id].does, Does::Ended) {
            Does::Next { found } => self.next(state, id, found),
            Does::Errand(errand) => {
                match errand {
                    Errand::Prepare(run) => self.prepare(state, id, run),
                    Errand::Leave(run) => self.leave_on(state, id, run),
                }
                state.threads[id].does = Does::Next { found: false };
            }
            Does::LooksToShare => {
                let shared = (1..state.threads.len()).find_map(|other| {
                    let other = (id + other) % state.threads.len();
                    share(state, other)
                });
                state.threads[id].does = shared.map_or(Does::Waits { looked: true }, |run| Does::TellsOfShared { run });
            }
            Does::TellsOfShared { run } => {
                self.push(state, run, 0);
                state.threads[id].does = Does::Waits { looked: false };
            }
            Does::Waits { looked } => self.wait(state, id, looked),
            Does::Sleeps => {
                state.threads[id].woken = false;
                state.idle -= usize::from(self.counts_late());
                self.wait(state, id, false);
            }
            Does::Takes { run } => self.take_batch(state, id, run),
            Does::Publishes => {
                if let Some(batch) = &mut state.threads[id].batch {
                    batch.is_published = true;
                }
                state.threads[id].does = Does::ReadsIdle;
            }
            Does::ReadsIdle => state.threads[id].does = Does::Claims { has_idle: state.idle > 0 },
            Does::Claims { has_idle } => self.claim(state, id, has_idle),
            Does::Offers => {
                offer(state);
                state.threads[id].does = Does::InItem;
            }
            Does::InItem => {
                let Some(Running { life, portion, ran, .. }) = &mut state.threads[id].batch else { return };
                if let Some(mut portion) = portion.take() {
                    portion.item_ended(ItemEnd::Done);
                    life.merge(portion);
                    *ran += 1;
                }
                state.threads[id].does = if life.left() > 0 { Does::ReadsIdle } else { Does::EndsBatch };
            }
            Does::TellsOfRest => {
                if let Some(run) = state.threads[id].batch.as_ref().map(|batch| batch.run) {
                    self.push(state, run, 0);
                }
                state.threads[id].does = Does::EndsBatch;
            }
            Does::EndsBatch => self.end_batch(state, id),
            Does::Ended => {}
        }
    }

    /// One hold of the set's lock: the thread ends its serve, and finds what it does next.
    fn next(&self, state: &mut State, id: usize, found: bool) {
        let ran = state.threads[id].batch.take().map_or(0, |batch| batch.ran);
        if let Some(serve) = state.fair.serves[id].take() {
            let left = state.fair.queue.serve_end(serve, ran * ITEM, found);
            self.retire(state, left);
        }
        if let Some(does) = self.find(state, id) {
            state.threads[id].does = does;
            return;
        }
        state.idle += usize::from(!self.counts_late());
        state.threads[id].does = Does::LooksToShare;
    }

    /// The same for a thread that has counted itself as idle.
    fn wait(&self, state: &mut State, id: usize, looked: bool) {
        if let Some(does) = self.find(state, id) {
            state.idle -= usize::from(!self.counts_late());
            state.threads[id].does = does;
        } else if looked {
            state.idle += usize::from(self.counts_late());
            state.sleeping.push(id);
            state.threads[id].does = Does::Sleeps;
        } else {
            state.threads[id].does = Does::LooksToShare;
        }
    }

    fn counts_late(&self) -> bool {
        self.flaw == Some(Flaw::IdleCountedLate)
    }

    fn find(&self, state: &mut State, id: usize) -> Option<Does> {
        let errands = &mut state.threads[id].errands;
        let errands = if errands.is_empty() { &mut state.anyones } else { errands };
        if !errands.is_empty() {
            return Some(Does::Errand(errands.remove(0)));
        }
        if let Some((serve, run)) = state.fair.queue.pick(ITEM) {
            let run = *run;
            state.fair.serves[id] = Some(serve);
            return Some(Does::Takes { run });
        }
        (state.closing && state.fair.queue.runs() == 0).then_some(Does::Ended)
    }

    /// The thread takes a batch of the run that it serves, and the work that it keeps or builds now.
    fn take_batch(&self, state: &mut State, id: usize, run: usize) {
        if state.runs[run].batches.is_empty() {
            state.threads[id].does = Does::Next { found: false };
            return;
        }
        let Batch { first, items, .. } = state.runs[run].batches.remove(0);
        if !state.runs[run].works.iter().any(|(_, holder)| *holder == id) {
            self.build(state, id, run);
        }
        let life = BatchLife::begin(first, items);
        state.threads[id].batch = Some(Running { run, life, portion: None, is_published: false, ran: 0 });
        state.threads[id].does = if items > 1 { Does::Publishes } else { Does::Claims { has_idle: false } };
    }

    fn claim(&self, state: &mut State, id: usize, has_idle: bool) {
        let Some(batch) = &mut state.threads[id].batch else { return };
        let run = &mut state.runs[batch.run];
        if batch.life.left() == 0 || batch.life.may_begin(run.is_stopped).is_err() {
            state.threads[id].does = Does::EndsBatch;
            return;
        }
        let mut portion = batch.life.claim(1);
        let bit = 1 << portion.item_began();
        run.begun_twice |= run.begun & bit != 0;
        run.begun |= bit;
        batch.portion = Some(portion);
        let offers = has_idle && batch.is_published && unclaimed(&batch.life) > 0;
        state.threads[id].does = if offers { Does::Offers } else { Does::InItem };
    }

    fn give_back(&self, state: &mut State, id: usize) {
        let Some(Running { run, life, ran, .. }) = &mut state.threads[id].batch else { return };
        if let Some(serve) = &mut state.fair.serves[id] {
            state.fair.queue.recharge(serve, *ran * ITEM);
        }
        let run = &mut state.runs[*run];
        let rest = life.give_back(run.is_stopped);
        state.threads[id].does = if rest.is_some() { Does::TellsOfRest } else { Does::EndsBatch };
        if let Some(Rest { first, items }) = rest {
            run.protocol.0.split();
            run.batches.insert(0, Batch { first, items, part: 0 });
        }
    }

    /// The batch ends, its results are delivered, and the thread keeps its work or drops it.
    fn end_batch(&self, state: &mut State, id: usize) {
        let Some(batch) = &mut state.threads[id].batch else { return };
        let BatchEnd { ends, .. } = batch.life.end();
        batch.life = BatchLife::begin(0, 0);
        let run = &mut state.runs[batch.run];
        run.protocol.0.release(ends);
        run.protocol.0.complete(None);
        if !self.runs[batch.run].keeps {
            run.works.retain(|(_, holder)| *holder != id);
        }
        state.threads[id].does = Does::Next { found: true };
    }

    fn prepare(&self, state: &mut State, id: usize, run: usize) {
        if !state.runs[run].has_retired && !state.runs[run].works.iter().any(|(_, holder)| *holder == id) {
            self.build(state, id, run);
        }
    }

    /// The thread builds its work, and tells the set if it will keep it.
    fn build(&self, state: &mut State, id: usize, run: usize) {
        let has_left = state.fair.queue.get_mut(state.fair.key(run)).is_none();
        if self.runs[run].keeps && !has_left {
            state.runs[run].seats.push(id);
        }
        if !has_left || self.flaw == Some(Flaw::KeptAfterItLeft) {
            state.runs[run].works.push((id, id));
        }
    }

    /// The thread drops what it keeps for the run. The last thread retires it.
    fn leave_on(&self, state: &mut State, id: usize, run: usize) {
        let run = &mut state.runs[run];
        if self.flaw == Some(Flaw::WorksDroppedByOneThread) {
            run.dropped_elsewhere |= run.works.iter().any(|(builder, _)| *builder != id);
            run.works.clear();
        }
        run.works.retain(|(_, holder)| *holder != id);
        run.leaving -= 1;
        run.has_retired |= run.leaving == 0 || self.flaw == Some(Flaw::RetiredByTheFirstThread);
    }

    /// The run queues no more.
    fn leave(&self, state: &mut State, run: usize) {
        let left = state.fair.queue.close(state.fair.key(run));
        self.retire(state, left);
    }

    /// Lets the threads leave a run that has left the queue.
    fn retire(&self, state: &mut State, left: Option<usize>) {
        let Some(run) = left else { return };
        let seats = mem::take(&mut state.runs[run].seats);
        if seats.is_empty() || self.flaw == Some(Flaw::WorksDroppedByOneThread) {
            state.runs[run].leaving = 1;
            state.anyones.push(Errand::Leave(run));
            wake_any(state);
        } else {
            state.runs[run].leaving = seats.len();
            for id in seats {
                state.threads[id].errands.push(Errand::Leave(run));
                wake(state, id);
            }
        }
        if state.closing && state.fair.queue.runs() == 0 {
            wake_all(state);
        }
    }

    /// Tells the set that the run has queued something.
    fn push(&self, state: &mut State, run: usize, threads: usize) {
        if state.fair.queue.push(state.fair.key(run)) {
            (0..threads).for_each(|_| wake_any(state));
            return;
        }
        // It has left meanwhile.
        let Run { batches, protocol, .. } = &mut state.runs[run];
        for Batch { items, .. } in mem::take(batches) {
            protocol.0.release(Ends { skipped: items, ..Ends::default() });
            protocol.0.complete(None);
        }
    }
}

/// Returns true if no run is to join any more.
fn has_joined(state: &State) -> bool {
    state.runs.iter().all(|run| run.generator != Generator::Apart)
}

/// Half of what another thread has not claimed is queued. Returns the run.
fn share(state: &mut State, other: usize) -> Option<usize> {
    let Running { run, life, is_published, .. } = state.threads[other].batch.as_mut()?;
    let items = unclaimed(life).div_ceil(2);
    let shared = &mut state.runs[*run];
    if !*is_published || items == 0 || shared.is_stopped || !state.fair.queue.has_room(state.fair.key(*run)) {
        return None;
    }
    let first = life.share(items);
    shared.protocol.0.split();
    shared.batches.insert(0, Batch { first, items, part: 0 });
    Some(*run)
}

/// Items that have not begun and that the thread has not claimed.
pub(super) fn unclaimed(life: &BatchLife) -> usize {
    life.left() - life.claimed()
}

fn offer(state: &mut State) {
    for thread in &mut state.threads {
        if let Does::Waits { looked } = &mut thread.does {
            *looked = false;
        }
    }
    wake_any(state);
}

/// Wakes the thread that went to sleep last.
fn wake_any(state: &mut State) {
    if let Some(id) = state.sleeping.pop() {
        state.threads[id].woken = true;
    }
}

fn wake_all(state: &mut State) {
    while !state.sleeping.is_empty() {
        wake_any(state);
    }
}

fn wake(state: &mut State, id: usize) {
    if let Some(at) = state.sleeping.iter().position(|sleeping| *sleeping == id) {
        state.sleeping.remove(at);
        state.threads[id].woken = true;
    }
}
