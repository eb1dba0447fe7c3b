//! How worker threads serve a pool: they take its items out of the admission queue, one at a time.

use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::batch::{Batch, Inputs, Passed};
use crate::engine::batch_run::{BatchRun, Portion};
use crate::engine::executor::{Executor, Factory};
use crate::engine::opening::Opening;
use crate::engine::reentrancy;
use crate::engine::run::Run;
use crate::error::{BoxError, PipelineError};
use crate::pool::error::{NotOneResult, SubmitError};
use crate::pool::queue::Queue;
use crate::pool::request::{Admitted, Answered, Request, stopped};
use crate::protocol::{Phase, RunKey};
use crate::util::clock::CLOCK;
use crate::work::turn::{Turn, Turns};
use crate::work::{Job, Work};
use crate::workers::set::{Member, QUANTUM, Running, Set, Thread};

/// A thread that has served the pool for so long starts the clock, and holds no answers back before: to spawn the
/// clock's thread costs some tens of microseconds.
const WORTH_A_CLOCK: Duration = Duration::from_millis(1);

/// A pool as the worker threads serve it.
pub(super) struct Stage<I: Send, W: Work<I>> {
    run: Run,
    queue: Arc<Queue<I, W::Output>>,
    opening: Opening<Arc<Factory<Single<W>>>>,
    /// True if each thread builds a work and keeps it.
    keeps: bool,
}

/// What a thread has for the pool.
struct Seat<I, W: Work<I>> {
    /// Buffers for one item and one result, which are used again for the next item.
    portion: Portion<I, W::Output>,
    inputs: Inputs<I>,
    outputs: Vec<W::Output>,
    // Dropped last: the run may end when it is dropped, and then this thread holds no other value of the user's.
    executor: Executor<Single<W>>,
}

impl<I: Send + 'static, W: Work<I>> Stage<I, W> {
    pub(super) fn new(
        run: &Run,
        queue: &Arc<Queue<I, W::Output>>,
        factory: Arc<Factory<Single<W>>>,
        keeps: bool,
    ) -> Self {
        Self { opening: Opening::new(run, factory), run: run.clone(), queue: Arc::clone(queue), keeps }
    }

    /// Joins the set: at most `concurrency` of its threads serve the pool at a time. `prepares`: each thread builds its
    /// work at once.
    pub(super) fn join(self: Arc<Self>, set: &Arc<Set>, concurrency: usize, prepares: bool) -> RunKey {
        let queue = Arc::clone(&self.queue);
        let key = set.join(concurrency, self.keeps && prepares, self);
        queue.is_served_by(Arc::clone(set), key);
        key
    }

    /// What this thread needs to run items: what it has kept, or something new. `None` once the pool has retired.
    fn seat(&self, key: RunKey, thread: &mut Thread) -> Option<Box<Seat<I, W>>> {
        if let Some(seat) = thread.take_seat(key) {
            return Some(seat);
        }
        let (factory, guard) = thread.enter(&self.opening, key, self.keeps)?;
        let seat = Seat {
            portion: Portion::new(),
            inputs: Vec::with_capacity(1).into(),
            outputs: Vec::with_capacity(1),
            executor: Executor::new(thread.id(), factory, guard),
        };
        Some(Box::new(seat))
    }
}

impl<I: Send + 'static, W: Work<I>> Member for Stage<I, W> {
    fn serve(self: Arc<Self>, key: RunKey, thread: &mut Thread) -> bool {
        if thread.is_crowded(self.queue.limited()) {
            // The concurrency was lowered after the set had picked the pool. The other threads go on with it.
            return true;
        }
        let Some(mut admitted) = self.queue.next() else { return false };
        let _entered = reentrancy::enter(self.run.id());
        let Some(mut seat) = self.seat(key, thread) else {
            // Nothing is queued after the pool has retired.
            return true;
        };
        let began = Instant::now();
        let mut asked_at = began;
        let mut is_published = false;
        let found = loop {
            let (answered, now) = seat.run_item(admitted);
            let asks = now - asked_at >= QUANTUM;
            if asks {
                asked_at = now;
            }
            if thread.is_crowded(self.queue.limited()) || asks && thread.is_contended() {
                answered.send();
                self.queue.send_held();
                break true;
            }
            let next = if is_published && is_watched(now, now - began) {
                self.queue.next_after(answered, now)
            } else {
                answered.send();
                self.queue.send_held();
                self.queue.next()
            };
            let Some(next) = next else { break false };
            admitted = next;
            if !is_published && is_watched(now, now - began) {
                is_published = true;
                thread.publish(Arc::clone(&self.queue) as Arc<dyn Running>);
            }
        };
        if is_published {
            thread.retract();
        }
        if self.keeps {
            thread.keep_seat(key, seat);
        }
        found
    }

    fn prepare(self: Arc<Self>, key: RunKey, thread: &mut Thread) {
        let _entered = reentrancy::enter(self.run.id());
        if let Some(mut seat) = self.seat(key, thread) {
            // If that fails, the run has ended.
            let _ = seat.executor.prepare();
            thread.keep_seat(key, seat);
        }
    }

    fn retire(&self) {
        self.opening.close();
    }

    fn refuse(&self, error: &PipelineError) {
        self.run.fail(error.clone(), Phase::Stopped);
    }
}

impl<I: Send + 'static, W: Work<I>> Seat<I, W> {
    /// Runs one item, as a batch of its own. Returns its answer, and when the work returned.
    fn run_item(&mut self, admitted: Admitted<I, W::Output>) -> (Answered<I, W::Output>, Instant) {
        let Admitted { request: Request { item, reply, at, submitted }, index, permit } = admitted;
        let Self { portion, inputs, outputs, executor } = self;
        inputs.queue().push_back(item);
        let inputs_now = mem::take(inputs);
        let batch = Batch {
            first: index,
            inputs: inputs_now,
            part: 0,
            passed: Passed::new(),
            expected_nanos: 0.0,
            permit,
            credit: None,
            queued_at: at,
        };

        let began = Instant::now();
        let mut running = BatchRun::begin(executor, batch, mem::take(outputs), began);
        if running.claim(1, portion) {
            match submitted {
                None => _ = portion.run(executor, u64::MAX, &reply),
                Some(submitted) => submitted.begin(executor.id(), index, 1, at, began).run(|portions| {
                    portions.run(portion, |portion| portion.run(executor, u64::MAX, &reply));
                }),
            }
            running.merge(portion);
        }
        // An item that has not begun is not given back to the queue, but returned to its caller: only a cancellation or
        // the end of the run keeps it from beginning.
        let now = Instant::now();
        let mut ended = running.end(executor, now);

        let answer = match (ended.unbegun.queue().pop_front(), ended.failures.pop_front(), ended.outputs.pop()) {
            (Some(item), ..) => Err(stopped(Some(item), &executor.owner().state)),
            (None, Some((_, error)), _) => Err(SubmitError::Failed(error)),
            (None, None, Some(output)) => Ok(output),
            (None, None, None) => Err(stopped(None, &executor.owner().state)),
        };
        // Kept for the next item: no allocation per item.
        (*inputs, *outputs) = (ended.unbegun, ended.outputs);
        (Answered::new(reply, answer, Some(ended.permit)), now)
    }
}

/// Returns true if the clock will look after answers that are held back. It is started for a thread that has been `busy`
/// for a while.
fn is_watched(now: Instant, busy: Duration) -> bool {
    if cfg!(all(test, shuttle)) {
        // The clock's thread would not be one of shuttle's.
        return true;
    }
    if CLOCK.serves(now) {
        return true;
    }
    if busy >= WORTH_A_CLOCK {
        CLOCK.start(now);
    }
    CLOCK.serves(now)
}

/// A work that must emit exactly one result per item. Any other number is an error of the item.
pub(super) struct Single<W>(pub(super) W);

impl<I, W: Work<I>> Turns<I> for Single<W> {
    type Output = W::Output;

    #[inline]
    fn turn(&mut self, input: I, job: &mut Job<'_, W::Output>) -> Result<Turn<I>, BoxError> {
        self.0.run(input, job)?;
        match job.emitted() {
            1 => Ok(Turn::Ended),
            emitted => Err(NotOneResult { emitted }.into()),
        }
    }
}
