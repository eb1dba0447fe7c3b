//! The end of the System in every phase of the work: every thread ends, no task waits forever, nothing is printed.

use actix::{Actor, Context, Handler, Message, ResponseFuture, System};
use actix_fan::{FanIn, FanOutExt, ItemError, PipelineError, pool};
use futures::executor::block_on;
use futures::{StreamExt, stream};

use crate::support::{Count, assert_balanced, assert_settled, in_own_process};
use crate::threads::Threads;

const WORKERS: usize = 2;

/// A pipeline of an endless source whose items are held at the gate.
fn held(threads: &Threads) -> FanIn<u64> {
    (0u64..).fan_out().workers(WORKERS).window(8).batch(1).with(threads.work()).unwrap()
}

/// A worker that finds the pipeline stopped doesn't build its work.
async fn all_begun(threads: &Threads) {
    threads.begun.reached(WORKERS as u64).await;
}

fn all_ended(threads: &Threads) {
    block_on(threads.ended.reached(WORKERS as u64));
}

/// Takes what is left of a pipeline whose System is gone; returns how many results that was.
fn cut_off(mut results: FanIn<u64>) -> usize {
    let rest: Vec<_> = block_on(results.by_ref().collect());
    let (last, results_left) = rest.split_last().expect("the error is the last");
    let lost = last.as_ref().unwrap_err();
    assert_eq!(lost.pipeline_error(), Some(&PipelineError::SystemStopped));
    assert_eq!(block_on(results.finished()).unwrap_err(), PipelineError::SystemStopped);
    assert_settled(&results.stats());
    assert!(results_left.iter().all(Result::is_ok));
    results_left.len()
}

#[test]
fn before_the_first_item() {
    in_own_process(|| {
        let threads = Threads::new();
        let system = System::new();
        let results = system.block_on(async {
            let results = stream::pending().fan_out().workers(WORKERS).with(threads.work()).unwrap();
            all_begun(&threads).await;
            System::current().stop();
            results
        });
        system.run().unwrap();
        all_ended(&threads);
        assert_eq!(cut_off(results), 0);
    });
}

#[test]
fn at_once_after_the_start() {
    in_own_process(|| {
        let threads = Threads::new();
        threads.gate.open();
        let system = System::new();
        let results = system.block_on(async {
            System::current().stop();
            held(&threads)
        });
        system.run().unwrap();
        cut_off(results);
        // Whether a worker built its work before it saw the stop is chance; if so, its thread ends.
        block_on(threads.ended.reached(threads.begun.get()));
    });
}

#[test]
fn while_items_run() {
    in_own_process(|| {
        let threads = Threads::new();
        let system = System::new();
        let results = system.block_on(async {
            let results = held(&threads);
            threads.gate.arrived(WORKERS).await;
            System::current().stop();
            results
        });
        system.run().unwrap();
        threads.gate.open();
        all_ended(&threads);
        assert_eq!(threads.gate.arrivals(), WORKERS, "no further item began");
        cut_off(results);
    });
}

#[test]
fn while_items_run_that_never_end() {
    in_own_process(|| {
        let threads = Threads::new();
        let system = System::new();
        system.block_on(async {
            actix::spawn(held(&threads).for_each(async |_| ()));
            threads.gate.arrived(WORKERS).await;
            System::current().stop();
        });
        system.run().unwrap();
        // The process ends here, and they with it.
    });
}

#[test]
fn while_it_drains() {
    in_own_process(|| {
        let threads = Threads::new();
        let system = System::new();
        let (results, stop) = system.block_on(async {
            let mut results = held(&threads);
            threads.gate.let_through(1);
            threads.gate.arrived(WORKERS + 1).await;
            let stop = results.stop_handle();
            stop.drain();
            results.next().await.unwrap().unwrap();
            assert_balanced(&stop.stats());
            System::current().stop();
            (results, stop)
        });
        system.run().unwrap();
        assert!(stop.is_stopped(), "what is queued doesn't begin any more");
        threads.gate.open();
        all_ended(&threads);
        assert_eq!(threads.gate.arrivals(), WORKERS + 1);
        cut_off(results);
    });
}

#[test]
fn after_the_end() {
    in_own_process(|| {
        let threads = Threads::new();
        threads.gate.open();
        let system = System::new();
        let mut results = system.block_on(async {
            let mut results = (0..100u64).fan_out().workers(WORKERS).with(threads.work()).unwrap();
            assert_eq!(results.by_ref().count().await, 100);
            results.finished().await.unwrap();
            System::current().stop();
            results
        });
        system.run().unwrap();
        // A thread that starts after the end of the pipeline builds no work.
        block_on(threads.ended.reached(threads.begun.get()));
        assert!(block_on(results.next()).is_none());
        assert_eq!(block_on(results.finished()).unwrap().completed, 100, "it was complete, so that is no error");
    });
}

#[test]
fn with_a_stream_that_nobody_polls() {
    in_own_process(|| {
        let threads = Threads::new();
        threads.gate.open();
        let system = System::new();
        let results = system.block_on(async {
            let results = held(&threads);
            all_begun(&threads).await;
            threads.gate.arrived(8).await;
            System::current().stop();
            results
        });
        system.run().unwrap();
        all_ended(&threads);
        assert!(cut_off(results) <= 8);
    });
}

#[test]
fn with_streams_that_nobody_keeps() {
    in_own_process(|| {
        let threads = Threads::new();
        threads.gate.open();
        System::new().block_on(async {
            for _ in 0..10 {
                drop(held(&threads));
            }
            let mut results = held(&threads);
            results.next().await.unwrap().unwrap();
        });
        // The System was not stopped: it was dropped with everything in it.
        block_on(threads.ended.reached(threads.begun.get()));
    });
}

/// Takes the first result, and never comes back from it.
struct Stuck(Count);

struct Found(Result<u64, ItemError>);

impl Message for Found {
    type Result = ();
}

impl Actor for Stuck {
    type Context = Context<Self>;
}

impl Handler<Found> for Stuck {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, Found(result): Found, _: &mut Context<Self>) -> Self::Result {
        result.unwrap();
        self.0.add();
        Box::pin(std::future::pending())
    }
}

#[test]
fn with_an_actor_that_results_are_delivered_to() {
    in_own_process(|| {
        let threads = Threads::new();
        threads.gate.open();
        let system = System::new();
        let stop = system.block_on(async {
            let (results, found) = (held(&threads), Count::new());
            let stop = results.stop_handle();
            actix::spawn(results.deliver_with(Stuck(found.clone()).start().recipient(), Found));
            all_begun(&threads).await;
            found.reached(1).await;
            System::current().stop();
            stop
        });
        system.run().unwrap();
        all_ended(&threads);
        block_on(stop.workers_stopped());
        assert_eq!(stop.stats().emitted, 1);
        assert_settled(&stop.stats());
    });
}

#[test]
fn with_a_pool_in_front_of_which_submits_wait() {
    in_own_process(|| {
        let threads = Threads::new();
        let system = System::new();
        let (pool, submissions) = system.block_on(async {
            let pool = pool().workers(WORKERS).window(3).with(threads.work()).unwrap();
            let submissions: Vec<_> = (0..5u64).map(|n| pool.submit(n)).collect();
            threads.gate.arrived(WORKERS).await;
            let stats = pool.stats();
            assert_eq!((stats.in_flight, stats.queued, stats.waiting), (3, 1, 2));
            System::current().stop();
            (pool, submissions)
        });
        system.run().unwrap();
        threads.gate.open();
        all_ended(&threads);
        let mut came_back = Vec::new();
        for submission in submissions {
            match block_on(submission) {
                Ok(n) => assert!(n < 2, "it ran"),
                Err(error) => came_back.extend(error.into_item()),
            }
        }
        assert_eq!(came_back, [2, 3, 4]);
        assert_settled(&pool.stats());
    });
}
