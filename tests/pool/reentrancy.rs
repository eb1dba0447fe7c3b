//! A worker that submits to its own pool.

use std::future::{pending, ready};
use std::sync::{Arc, Mutex, OnceLock, mpsc};

use actix_fan::{
    FanIn, FanOutExt, ItemError, PipelineError, Pool, PoolBuilder, StopHandle, Submission, SubmitError, Workers, pool,
};
use futures::executor::block_on;
use futures::future::join_all;
use futures::{FutureExt, SinkExt, StreamExt};

use crate::support::{Count, Gate, run};

type Own = Pool<u64, Option<u64>>;
type Successor = Pool<u64, u64>;

/// A pool whose items do `what` with the pool itself. An item of 0 does nothing.
fn reentrant(builder: PoolBuilder, what: impl Fn(&Own, u64) -> Option<u64> + Send + Sync + 'static) -> Own {
    let own: Arc<OnceLock<Own>> = Arc::default();
    let inside = Arc::clone(&own);
    let pool = builder.map(move |n| if n == 0 { None } else { what(inside.get().unwrap(), n) }).unwrap();
    own.set(pool.clone()).unwrap();
    pool
}

/// The item that came back because it was the own pool's.
fn came_back<T>(answer: Result<T, SubmitError<u64>>) -> Option<u64> {
    match answer {
        Err(SubmitError::OwnPool(item)) => Some(item),
        _ => None,
    }
}

#[test]
fn every_form_of_submit_returns_the_item_at_once() {
    let forms: [fn(&Own, u64) -> Option<u64>; 6] = [
        |own, n| came_back(own.submit(n + 1).now_or_never().unwrap()),
        |own, n| came_back(own.try_submit(n + 1)),
        |own, n| came_back(own.blocking_submit(n + 1)),
        |own, n| came_back(block_on(own.submit(n + 1))),
        |own, n| came_back(actix::System::new().block_on(own.submit(n + 1))),
        |own, n| came_back(block_on(own.channel().0.send(n + 1))),
    ];
    for form in forms {
        for workers in [1, 3] {
            run(async move {
                let own = reentrant(pool().workers(workers).window(1), form);
                assert_eq!(own.submit(7).await.unwrap(), Some(8));
                own.drain();
                let stats = own.finished().await.unwrap();
                assert_eq!((stats.taken, stats.completed), (1, 1), "nothing else was ever in the pool");
            });
        }
    }
}

#[test]
fn the_error_says_what_to_do() {
    run(async {
        let texts: Arc<OnceLock<String>> = Arc::default();
        let text = Arc::clone(&texts);
        let own = reentrant(pool().workers(1), move |own, n| {
            let error = own.try_submit(n).unwrap_err();
            assert!(!error.is_full() && !error.is_closed());
            text.set(error.to_string()).unwrap();
            error.into_item()
        });
        own.submit(1).await.unwrap();
        assert_eq!(
            texts.get().unwrap(),
            "submitted by a thread that works for the same pool or set, which would wait for itself: submit to a pool on other \
             threads"
        );
        own.drain();
    });
}

#[test]
fn a_worker_does_not_wait_for_a_queued_item_of_its_own_pool() {
    run(async {
        let (hand_over, inbox) = std::sync::mpsc::channel::<Submission<u64, u64>>();
        let inbox = Mutex::new(inbox);
        let begun = Count::new();
        let count = begun.clone();
        let awaiting = pool().workers(1).map(move |n: u64| {
            count.add();
            let inner = inbox.lock().unwrap().recv().unwrap();
            n + came_back(block_on(inner)).unwrap()
        });
        let awaiting = awaiting.unwrap();
        let outer = awaiting.submit(1);
        begun.reached(1).await;
        hand_over.send(awaiting.submit(10)).unwrap();
        assert_eq!(outer.await.unwrap(), 11);
        awaiting.drain();
        let stats = awaiting.finished().await.unwrap();
        assert_eq!((stats.completed, stats.skipped), (1, 1));
    });
}

#[test]
fn a_worker_may_submit_to_another_pool() {
    run(async {
        let inner = pool().workers(1).map(|n: u64| n + 1).unwrap();
        let pass_on = inner.clone();
        let outer = pool().workers(2).map(move |n: u64| pass_on.blocking_submit(n).unwrap() * 2).unwrap();
        assert_eq!(outer.submit(4).await.unwrap(), 10);
        outer.drain();
        outer.finished().await.unwrap();
        inner.drain();
        inner.finished().await.unwrap();
    });
}

#[test]
fn a_worker_of_another_pool_may_submit_and_block() {
    run(async {
        let first = reentrant(pool().workers(1), |own, n| came_back(own.try_submit(n)));
        let second = reentrant(pool().workers(1), move |_, n| match first.blocking_submit(0) {
            Ok(None) => Some(n),
            _ => None,
        });
        assert_eq!(second.submit(3).await.unwrap(), Some(3));
        second.drain();
    });
}

#[test]
fn a_worker_does_not_wait_for_the_end_of_its_own_pool() {
    fn refused<T>(end: Result<T, PipelineError>) -> Option<u64> {
        matches!(end, Err(PipelineError::OwnWorker)).then_some(8)
    }
    let forms: [fn(&Own, u64) -> Option<u64>; 6] = [
        |own, _| refused(block_on(own.finished())),
        |own, _| refused(block_on(own.stop_handle().finished())),
        |own, _| refused(actix::System::new().block_on(own.finished())),
        |own, _| refused(block_on(own.shutdown(pending()))),
        |own, _| refused(block_on(own.shutdown(ready(())))),
        |own, _| (!block_on(own.stop_handle().workers_stopped())).then_some(8),
    ];
    for form in forms {
        for workers in [1, 3] {
            run(async move {
                let own = reentrant(pool().workers(workers), form);
                assert_eq!(own.submit(7).await.unwrap(), Some(8));
                assert!(!own.is_closed(), "nothing has happened");
                assert_eq!(own.submit(0).await.unwrap(), None);
                own.drain();
                assert_eq!(own.finished().await.unwrap().completed, 2);
            });
        }
    }
}

#[test]
fn the_drop_of_what_a_closure_owns_does_not_wait_for_its_own_pool() {
    #[derive(Clone, Default)]
    struct Shared {
        stop: Arc<OnceLock<StopHandle>>,
        is_refused: Arc<OnceLock<bool>>,
    }

    struct WaitsInDrop(Shared);

    impl Drop for WaitsInDrop {
        fn drop(&mut self) {
            let end = self.0.stop.get().unwrap().finished().now_or_never();
            self.0.is_refused.set(matches!(end, Some(Err(PipelineError::OwnWorker)))).unwrap();
        }
    }

    run(async {
        let shared = Shared::default();
        let owned = WaitsInDrop(shared.clone());
        let own = pool().workers(2).map(move |()| _ = &owned).unwrap();
        shared.stop.set(own.stop_handle()).unwrap();
        own.submit(()).await.unwrap();
        own.drain();
        own.finished().await.unwrap();
        assert_eq!(shared.is_refused.get(), Some(&true), "it would have waited for itself");
    });
}

#[test]
fn a_wait_for_the_end_that_is_moved_to_a_worker_is_refused() {
    run(async {
        let (hand_over, inbox) = std::sync::mpsc::channel();
        let inbox = Mutex::new(inbox);
        let waiting = pool().workers(1).map(move |()| {
            let drain: futures::future::BoxFuture<'static, bool> = inbox.lock().unwrap().recv().unwrap();
            block_on(drain)
        });
        let waiting = waiting.unwrap();
        let stop = waiting.stop_handle();
        let mut gone = Box::pin(async move { stop.workers_stopped().await });
        assert!(futures::poll!(&mut gone).is_pending());
        hand_over.send(gone as _).unwrap();
        assert!(!waiting.submit(()).await.unwrap());
        waiting.drain();
        waiting.finished().await.unwrap();
    });
}

#[test]
fn a_worker_does_not_wait_for_the_end_of_its_own_pipeline() {
    run(async {
        let (hand_over, inbox) = std::sync::mpsc::channel();
        let inbox = Mutex::new(inbox);
        let (handles, inner) = std::sync::mpsc::channel::<actix_fan::StopHandle>();
        let inner = Mutex::new(inner);
        let refused = (0..2u64).fan_out().workers(1).ordered().map(move |n| match n {
            0 => {
                let mut own: actix_fan::FanIn<bool> = inbox.lock().unwrap().recv().unwrap();
                let error = block_on(own.finished()).unwrap_err();
                // Dropping it would stop the pipeline.
                std::mem::forget(own);
                error == PipelineError::OwnWorker
            }
            _ => !block_on(inner.lock().unwrap().recv().unwrap().workers_stopped()),
        });
        let refused = refused.unwrap();
        let stop = refused.stop_handle();
        handles.send(stop.clone()).unwrap();
        hand_over.send(refused).unwrap();
        assert!(stop.workers_stopped().await);
        assert_eq!(stop.stats().in_flight, 2, "their results are in the stream that was forgotten");
    });
}

/// A set, and a pool on it whose items do `what`.
fn on_set<T, F>(threads: usize, what: F) -> (Workers, Pool<(), T>)
where
    T: Send + 'static,
    F: Fn() -> T + Send + Sync + 'static,
{
    let workers = Workers::builder().threads(threads).build().unwrap();
    let pool = pool().on(&workers).map(move |()| what()).unwrap();
    (workers, pool)
}

#[test]
fn a_thread_of_a_set_does_not_wait_for_an_item_of_another_pool_on_it() {
    let forms: [fn(&Successor, u64) -> Option<u64>; 4] = [
        |other, n| came_back(other.blocking_submit(n)),
        |other, n| came_back(block_on(other.submit(n))),
        |other, n| came_back(block_on(other.try_submit(n).unwrap())),
        |other, n| came_back(actix::System::new().block_on(other.submit(n))),
    ];
    for form in forms {
        run(async move {
            let other: Arc<OnceLock<Successor>> = Arc::default();
            let inside = Arc::clone(&other);
            let (workers, outer) = on_set(1, move || form(inside.get().unwrap(), 7));
            other.set(pool().on(&workers).map(|n| n + 1).unwrap()).unwrap();
            assert_eq!(outer.submit(()).await.unwrap(), Some(7));
            let other = other.get().unwrap();
            let stats = other.stats();
            assert_eq!((stats.completed, stats.in_flight, other.is_closed()), (0, 0, false));
            assert_eq!(other.submit(1).await.unwrap(), 2);
        });
    }
}

#[test]
fn all_threads_of_a_set_may_meet_at_one_of_its_pools_and_none_waits_forever() {
    run(async {
        let other: Arc<OnceLock<Successor>> = Arc::default();
        let (inside, met) = (Arc::clone(&other), Arc::new(std::sync::Barrier::new(3)));
        let (workers, outer) = on_set(3, move || {
            met.wait();
            came_back(block_on(inside.get().unwrap().submit(7)))
        });
        other.set(pool().on(&workers).map(|n| n + 1).unwrap()).unwrap();
        // An item that another thread has begun before the first poll is waited for.
        let came_back = join_all((0..30).map(|_| outer.submit(()))).await;
        assert!(came_back.into_iter().all(|item| matches!(item.unwrap(), None | Some(7))));
    });
}

/// All results of a pipeline, and its end, as a thread of its set gets them.
type Taken = (Vec<Result<u64, ItemError>>, Result<(), PipelineError>);

/// A pool on a set, whose item takes what comes from the channel.
struct Taking {
    workers: Workers,
    pool: Pool<(), Taken>,
    hand_over: mpsc::Sender<FanIn<u64>>,
}

fn taking(threads: usize) -> Taking {
    let (hand_over, inbox) = mpsc::channel::<FanIn<u64>>();
    let inbox = Mutex::new(inbox);
    let (workers, pool) = on_set(threads, move || {
        let mut results = inbox.lock().unwrap().recv().unwrap();
        (block_on(results.by_ref().collect()), block_on(results.finished()).map(drop))
    });
    Taking { workers, pool, hand_over }
}

#[test]
fn a_thread_of_a_set_does_not_wait_for_a_pipeline_on_it() {
    run(async {
        let Taking { workers, pool, hand_over } = taking(2);
        let gate = Gate::new();
        let pass = gate.clone();
        let results = (0..4u64).fan_out().on(&workers).concurrency(1).map(move |n| (pass.pass(), n).1).unwrap();
        let stop = results.stop_handle();
        gate.arrived(1).await;
        hand_over.send(results).unwrap();
        let (mut all, end) = pool.submit(()).await.unwrap();
        let error = all.pop().unwrap().unwrap_err();
        assert_eq!(error.pipeline_error(), Some(&PipelineError::OwnWorker), "{error}");
        assert!(all.is_empty() && end == Err(PipelineError::OwnWorker));
        gate.open();
        assert_eq!(stop.finished().await.unwrap_err(), PipelineError::OwnWorker);
        assert_eq!(stop.stats().in_flight, 0);
    });
}

#[test]
fn a_thread_of_a_set_takes_the_results_that_are_there() {
    run(async {
        let Taking { workers, pool, hand_over } = taking(1);
        let results = (0..4u64).fan_out().on(&workers).map(|n| n).unwrap();
        results.stop_handle().workers_stopped().await;
        hand_over.send(results).unwrap();
        let (all, end) = pool.submit(()).await.unwrap();
        assert_eq!((all.into_iter().map(Result::unwrap).collect(), end), (vec![0, 1, 2, 3], Ok(())));
    });
}

#[test]
fn work_may_use_a_pipeline_and_a_pool_on_other_threads() {
    run(async {
        let (hand_over, inbox) = mpsc::channel::<FanIn<u64>>();
        let inbox = Mutex::new(inbox);
        let squares = pool().workers(1).map(|n: u64| n * n).unwrap();
        let inner = squares.clone();
        let (_workers, outer) = on_set(1, move || {
            let mut results = inbox.lock().unwrap().recv().unwrap();
            let sum: u64 = block_on(results.by_ref().map(Result::unwrap).fold(0, async |sum, n| sum + n));
            block_on(results.finished()).unwrap();
            sum + inner.blocking_submit(3).unwrap()
        });
        hand_over.send((0..4u64).fan_out().workers(1).map(|n| n).unwrap()).unwrap();
        assert_eq!(outer.submit(()).await.unwrap(), 6 + 9);
    });
}

#[test]
fn a_thread_of_a_set_does_not_wait_for_the_end_of_a_run_on_it() {
    run(async {
        let ends: Arc<OnceLock<(Pool<u64, u64>, StopHandle)>> = Arc::default();
        let inside = Arc::clone(&ends);
        let (workers, outer) = on_set(2, move || {
            let (pool, pipeline) = inside.get().unwrap();
            let refused = |end: Result<_, PipelineError>| end.map(drop) == Err(PipelineError::OwnWorker);
            [
                refused(block_on(pool.finished())),
                refused(block_on(pool.stop_handle().finished())),
                refused(block_on(pool.shutdown(pending())).map(|_| pool.stats())),
                refused(block_on(pipeline.finished())),
                !block_on(pool.workers_stopped()),
                !block_on(pipeline.workers_stopped()),
            ]
        });
        let gate = Gate::new();
        let pass = gate.clone();
        let results = (0..3u64).fan_out().on(&workers).concurrency(1).map(move |n| (pass.pass(), n).1).unwrap();
        let other = pool().on(&workers).map(|n| n + 1).unwrap();
        ends.set((other.clone(), results.stop_handle())).unwrap();
        gate.arrived(1).await;
        assert_eq!(outer.submit(()).await.unwrap(), [true; 6]);
        assert!(!other.is_closed() && !results.is_closed(), "nothing has happened to them");
        gate.open();
        assert_eq!(other.submit(1).await.unwrap(), 2);
        assert_eq!(results.count().await, 3);
        // Ends that are there already are no wait.
        other.drain();
        other.finished().await.unwrap();
        let stop = other.stop_handle();
        assert!(workers.run(move || block_on(stop.finished()).is_ok()).await.unwrap());
    });
}
