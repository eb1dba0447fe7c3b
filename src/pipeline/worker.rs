//! The fan-out: the actors of the pool.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, Handler, Recipient, SyncContext};

use crate::engine::batch::{Batch, Outcomes, Spares};
use crate::engine::batch_run::Running;
use crate::engine::executor::{Factory, Workbench};
use crate::engine::intake::WorkerGuard;
use crate::engine::reentrancy::{self, Entered};
use crate::util::time_slice::Slice;
use crate::work::Work;

/// One of the actors of a `SyncArbiter` pool: runs the [`Work`] on batches and sends their [`Outcomes`] on.
///
/// All workers take from one queue, so a batch goes to whoever is free. Each item runs by itself under `catch_unwind`:
/// a panic fails that item, the `Work` is rebuilt by the factory on the same thread, and the rest of the batch runs.
pub(crate) struct Worker<I, W: Work<I>> {
    shared: Arc<Shared<I, W>>,
    // Dropped last: then nothing of the user's is left on this thread.
    bench: Workbench<W>,
    // After that: the `Drop` of a work may wait for its own pipeline, too.
    _entered: Entered,
}

/// What the workers of a pipeline have in common.
pub(crate) struct Shared<I, W: Work<I>> {
    pub(crate) factory: Arc<Factory<W>>,
    pub(crate) workers: usize,
    /// How long a batch may run before what it has not begun goes back to the queue, for whoever is free.
    pub(crate) overrun: Duration,
    pub(crate) aggregator: Recipient<Outcomes<W::Output>>,
    pub(crate) inputs: Arc<Spares<I>>,
    pub(crate) outputs: Arc<Spares<W::Output>>,
}

impl<I, W: Work<I>> Worker<I, W> {
    pub(crate) fn new(id: usize, shared: Arc<Shared<I, W>>, guard: WorkerGuard) -> Self {
        let entered = reentrancy::enter(guard.run().id());
        let bench = Workbench::new(id, Arc::clone(&shared.factory), guard);
        Self { shared, bench, _entered: entered }
    }
}

impl<I, W: Work<I>> fmt::Debug for Worker<I, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("id", &self.bench.id()).finish_non_exhaustive()
    }
}

impl<I, W> Actor for Worker<I, W>
where
    I: Send + 'static,
    W: Work<I>,
{
    type Context = SyncContext<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        if !self.bench.owner().state.is_stopped() {
            self.bench.build();
        }
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.bench.clear();
    }
}

impl<I, W> Handler<Batch<I>> for Worker<I, W>
where
    I: Send + 'static,
    W: Work<I>,
{
    type Result = ();

    fn handle(&mut self, batch: Batch<I>, ctx: &mut Self::Context) {
        let began = Instant::now();
        self.bench.owner().metrics.batch_began(self.bench.id(), began);

        let mut running = Running::begin(batch, self.shared.outputs.get());
        let mut slice = Slice::new(self.shared.overrun);
        while running.step(&mut self.bench, &mut slice) {}
        let rest = running.give_back(self.shared.workers, &self.shared.inputs);
        rest.into_iter().flatten().for_each(|part| ctx.address().do_send(part));

        let busy = began.elapsed();
        self.bench.owner().metrics.batch_ended(self.bench.id(), busy, running.begun());
        // If the aggregator is gone, the outcomes are dropped here, which releases their permit.
        self.shared.aggregator.do_send(running.end(busy, &self.shared.outputs));
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use actix::{Addr, Context, System};

    use super::*;
    use crate::backend::threads::start_workers;
    use crate::backend::{Post, entrance};
    use crate::engine::batch::Batch;
    use crate::engine::intake::Core;
    use crate::engine::permit::Permit;
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

    /// Has one batch of short items with a long one among them run by two workers; `meet` is called for the items 40 and 63.
    fn run(overrun: Duration, meet: impl Fn() + Clone + Send + Sync + 'static) -> mpsc::Receiver<Vec<u64>> {
        // While it serves, short items are not looked at one by one.
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
                    inputs: Arc::new(Spares::new(2)),
                    outputs: Arc::new(Spares::new(2)),
                };
                let threads = Threads { workers: 2, name: "cut".into(), stack_size: None };
                let (pool, opening) = entrance();
                let ready = move |crew: Addr<Worker<_, _>>| opening.open(crew.recipient());
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
