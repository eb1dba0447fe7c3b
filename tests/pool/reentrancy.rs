//! A worker that submits to its own pool.

use std::future::{pending, ready};
use std::sync::{Arc, Mutex, OnceLock};

use actix_fan::{FanOutExt, PipelineError, Pool, PoolBuilder, StopHandle, Submission, SubmitError, pool};
use futures::executor::block_on;
use futures::{FutureExt, SinkExt};

use crate::support::{Count, run};

type Own = Pool<u64, Option<u64>>;

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
            "submitted by a worker of the same pool, which would wait for itself: submit to another pool"
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
