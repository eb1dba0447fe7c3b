//! The worker actors of a pipeline.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, Handler, Recipient, SyncContext};

use crate::backend::Post;
use crate::engine::batch::Batch;
use crate::engine::batch_run::{BatchRun, NoWaiter};
use crate::engine::chunk::Outcomes;
use crate::engine::executor::{Executor, Factory};
use crate::engine::reentrancy::{self, Entered};
use crate::engine::run::WorkerGuard;
use crate::util::buffer_pool::BufferPool;
use crate::util::time_slice::TimeSlice;
use crate::work::Work;

/// One of the actors of a `SyncArbiter` pool: runs the [`Work`] on batches and sends their [`Outcomes`] on.
///
/// All workers take from one queue, so a batch goes to the next worker that is free. Each item runs by itself under
/// `catch_unwind`: a panic fails that item, the `Work` is rebuilt by the factory on the same thread, and the rest of
/// the batch runs.
pub(crate) struct Worker<I, W: Work<I>> {
    shared: Arc<Shared<I, W>>,
    // Dropped last: then nothing of the user's is left on this thread.
    executor: Executor<W>,
    // After that, since the `Drop` of a work may wait for its own pipeline, which must be refused.
    _entered: Entered,
}

/// What the workers of a pipeline share, whether they are actors or simulated. Their outcomes are sent to `A`.
pub(crate) struct Shared<I, W: Work<I>, A = Recipient<Outcomes<<W as Work<I>>::Output>>> {
    pub(crate) factory: Arc<Factory<W>>,
    pub(crate) workers: usize,
    /// How long a batch may run before the items that have not begun go back to the queue, for any worker that is free.
    pub(crate) overrun: Duration,
    pub(crate) aggregator: A,
    pub(crate) inputs: Arc<BufferPool<I>>,
    pub(crate) outputs: Arc<BufferPool<W::Output>>,
}

impl<I, W: Work<I>, A: Post<Outcomes<W::Output>>> Shared<I, W, A> {
    /// Begins a batch; `step` and `end` are to follow.
    pub(crate) fn begin(&self, executor: &Executor<W>, batch: Batch<I>, now: Instant) -> BatchRun<I, W::Output> {
        BatchRun::begin(executor, batch, self.outputs.get(), now)
    }

    /// Runs as many items as `slice` grants: [`BatchRun::step`].
    #[inline]
    pub(crate) fn step(
        &self,
        running: &mut BatchRun<I, W::Output>,
        executor: &mut Executor<W>,
        slice: &mut TimeSlice,
    ) -> bool {
        running.step(executor, slice, &NoWaiter)
    }

    /// Gives back what has not begun, to `queue`, and ends the batch.
    pub(crate) fn end(
        &self,
        mut running: BatchRun<I, W::Output>,
        executor: &Executor<W>,
        now: impl FnOnce() -> Instant,
        queue: impl FnMut(Batch<I>),
    ) {
        // First, since other workers may be idle.
        running.give_back(self.workers).into_iter().flatten().for_each(queue);
        let outcomes = running.end(executor, now()).into_outcomes(&self.inputs, &self.outputs);
        // If the aggregator is gone, the outcomes are dropped here, which releases their permit.
        self.aggregator.post(outcomes);
    }
}

impl<I, W: Work<I>> Worker<I, W> {
    pub(crate) fn new(id: usize, shared: Arc<Shared<I, W>>, guard: WorkerGuard) -> Self {
        let entered = reentrancy::enter(guard.run().id());
        let executor = Executor::new(id, Arc::clone(&shared.factory), guard);
        Self { shared, executor, _entered: entered }
    }
}

impl<I, W: Work<I>> fmt::Debug for Worker<I, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("id", &self.executor.id()).finish_non_exhaustive()
    }
}

impl<I, W> Actor for Worker<I, W>
where
    I: Send + 'static,
    W: Work<I>,
{
    type Context = SyncContext<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        // Built now, so that the first batch need not wait for it. If that fails, the run has ended.
        let _ = self.executor.prepare();
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.executor.clear();
    }
}

impl<I, W> Handler<Batch<I>> for Worker<I, W>
where
    I: Send + 'static,
    W: Work<I>,
{
    type Result = ();

    fn handle(&mut self, batch: Batch<I>, ctx: &mut Self::Context) {
        let Self { shared, executor, .. } = self;
        let mut running = shared.begin(executor, batch, Instant::now());
        let mut slice = TimeSlice::new(shared.overrun);
        while shared.step(&mut running, executor, &mut slice) {}
        shared.end(running, executor, Instant::now, |part| ctx.address().do_send(part));
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use actix::{Addr, Context, System};

    use super::*;
    use crate::backend::threads::start_workers;
    use crate::backend::{Post, pending_mailbox};
    use crate::engine::permit::Permit;
    use crate::engine::run::Core;
    use crate::engine::settings::Threads;
    use crate::pipeline::intake::SourceIntake;
    use crate::protocol::{BatchSize, Phase, Protocol};
    use crate::util::clock::{self, CLOCK};
    use crate::work::{Job, work_fn};

    const ITEMS: u64 = 64;
    const LONG: u64 = 33;
    const OVERRUN: Duration = Duration::from_millis(40);

    /// Takes the place of the aggregator: what each batch came to, as it comes.
    struct Sink(mpsc::Sender<Vec<u64>>);

    impl Actor for Sink {
        type Context = Context<Self>;
    }

    impl Handler<Outcomes<u64>> for Sink {
        type Result = ();

        fn handle(&mut self, mut outcomes: Outcomes<u64>, _: &mut Self::Context) {
            outcomes.chunk.permit.complete();
            let _ = self.0.send(outcomes.chunk.map(Result::unwrap).collect());
        }
    }

    /// Takes longer than a batch may, by every clock.
    fn outlasts(overrun: Duration) {
        let until = Instant::now() + overrun;
        loop {
            let now = Instant::now();
            CLOCK.serves(now);
            if now >= until && (!CLOCK.is_ticking() || CLOCK.has_reached(clock::nanos(until))) {
                return;
            }
            thread::yield_now();
        }
    }

    /// Runs one batch of short items with a long one among them by two workers; `meet` is called for the items 40
    /// and 63.
    fn run(overrun: Duration, meet: impl Fn() + Clone + Send + Sync + 'static) -> mpsc::Receiver<Vec<u64>> {
        // While it serves, short items are not timed one by one.
        CLOCK.start(Instant::now());
        let (sender, outcomes) = mpsc::channel();
        thread::spawn(move || {
            System::new().block_on(async move {
                let protocol = Protocol::new(2, ITEMS as usize, BatchSize::Fixed(ITEMS as usize), 8);
                let run = SourceIntake::new(Core::new(protocol, 2, None), Vec::new()).run();
                let work = move || {
                    let meet = meet.clone();
                    work_fn(move |n: u64, job: &mut Job<'_, u64>| {
                        match n {
                            LONG => outlasts(OVERRUN),
                            40 | 63 => meet(),
                            _ => {}
                        }
                        job.emit(n);
                        Ok(())
                    })
                };
                let shared = Shared {
                    factory: Factory::new(work),
                    workers: 2,
                    overrun,
                    aggregator: Sink(sender).start().recipient(),
                    inputs: Arc::new(BufferPool::new(2)),
                    outputs: Arc::new(BufferPool::new(2)),
                };
                let threads = Threads { workers: 2, name: "cut".into(), stack_size: None };
                let (pool, connector) = pending_mailbox();
                let ready = move |workers: Addr<Worker<_, _>>| connector.connect(workers.recipient());
                start_workers(&System::current(), threads, &run, Arc::new(shared), Worker::new, ready).unwrap();
                let (first, permit) = Permit::hand_out(&run, ITEMS as usize);
                let inputs = (0..ITEMS).collect::<Vec<_>>().into();
                pool.post(Batch { first, inputs, passed: Default::default(), permit });
                run.advance(Phase::Draining);
                // What is given back goes to the pool again.
                while !run.state.protocol().is_finished() {
                    tokio::task::yield_now().await;
                }
                drop(pool);
                run.wait().await.unwrap();
            });
        });
        outcomes
    }

    #[test]
    fn what_comes_after_a_long_item_behind_short_ones_is_shared_and_what_came_before_it_leaves() {
        let (arrive, arrivals) = mpsc::channel();
        let barrier = Arc::new(std::sync::Barrier::new(3));
        let outcomes = {
            let barrier = Arc::clone(&barrier);
            run(OVERRUN, move || {
                arrive.send(()).unwrap();
                // On one worker the two could never meet.
                barrier.wait();
            })
        };
        (0..2).for_each(|_| arrivals.recv().unwrap());
        // Both workers are held, and what they had finished before is out.
        let mut results: Vec<u64> = Vec::new();
        while results.len() <= LONG as usize {
            results.extend(outcomes.recv().unwrap());
        }
        assert_eq!(results, (0..=LONG).collect::<Vec<_>>());
        barrier.wait();
        results.extend(outcomes.iter().flatten());
        results.sort_unstable();
        assert_eq!(results, (0..ITEMS).collect::<Vec<_>>());
    }

    #[test]
    fn a_batch_whose_size_was_set_is_not_cut() {
        let outcomes = run(BatchSize::Fixed(ITEMS as usize).overrun(), || ());
        assert_eq!(outcomes.iter().collect::<Vec<_>>(), [(0..ITEMS).collect::<Vec<_>>()]);
    }
}
