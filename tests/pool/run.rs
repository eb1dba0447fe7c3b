//! Closures on a set of worker threads: `Workers::run`.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::future::Future;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use actix::System;
use actix_fan::{FanOutExt, PipelineError, RunError, RunFuture, StartError, Workers, pool};
use futures::executor::block_on;
use futures::future::join_all;
use futures::{FutureExt, StreamExt, poll};

use crate::support::{Bomb, Count, DropCounter, Gate, TrackedBomb, quiet_panic, run, settle};

fn set(threads: usize) -> Workers {
    Workers::builder().threads(threads).thread_name("shared").build().unwrap()
}

/// A closure that waits at the gate.
fn gated<T: Send + 'static>(gate: &Gate, result: T) -> impl FnOnce() -> T + Send + 'static {
    let gate = gate.clone();
    move || {
        gate.pass();
        result
    }
}

/// Each of several closures, of different types, on every kind of runtime.
async fn run_closures(workers: &Workers) {
    let text = String::from("moved in");
    assert_eq!(workers.run(move || text).await.unwrap(), "moved in");
    // Neither what it captures nor what it returns need be `Sync`.
    let cell = Cell::new(6);
    assert_eq!(workers.run(move || Cell::new(cell.get() + 1)).await.unwrap().get(), 7);
    workers.run(|| ()).await.unwrap();
    assert_eq!(workers.run_with(|job| job.is_stopped()).await, Ok(false));
    assert_eq!(workers.try_run(|| [1u8; 10_000]).unwrap().await.unwrap().len(), 10_000);
    let names = join_all((0..50).map(|_| workers.run(|| thread::current().name().unwrap().to_owned()))).await;
    let names: BTreeSet<_> = names.into_iter().map(Result::unwrap).collect();
    assert!(names.is_subset(&["shared-0", "shared-1"].map(String::from).into()), "{names:?}");
}

#[test]
fn any_closure_runs_on_the_threads_of_the_set_under_any_runtime() {
    let workers = set(2);
    block_on(run_closures(&workers));
    run(run_closures(&workers));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(run_closures(&workers));
    runtime.block_on(async {
        let workers = workers.clone();
        tokio::spawn(async move { run_closures(&workers).await }).await.unwrap();
    });
    assert_eq!(workers.blocking_run(|| thread::current().name().map(str::to_owned)).unwrap().unwrap().len(), 8);
    assert_eq!(Workers::global().unwrap().blocking_run(|| 1), Ok(1));
}

#[test]
fn a_panic_is_the_error_of_its_closure_and_the_thread_goes_on() {
    let workers = set(1);
    for _ in 0..20 {
        let failed = workers.run(|| -> u8 { quiet_panic("on purpose") });
        let next = workers.run(|| 5);
        let error = block_on(failed).unwrap_err();
        assert_eq!(error, RunError::Panicked { message: "on purpose".into() });
        assert_eq!(
            (error.to_string().as_str(), error.panic_message()),
            ("the closure panicked: on purpose", Some("on purpose"))
        );
        assert_eq!(block_on(next), Ok(5));
    }
}

#[test]
fn closures_wait_for_room_in_the_order_of_their_calls() {
    run(async {
        let workers = Workers::builder().threads(1).run_window(2).build().unwrap();
        let (gate, order) = (Gate::new(), Arc::new(Mutex::new(Vec::new())));
        let mut running = Vec::new();
        for n in 0..6 {
            let (pass, order) = (gate.clone(), Arc::clone(&order));
            running.push(workers.run(move || {
                order.lock().unwrap().push(n);
                pass.pass();
            }));
        }
        gate.arrived(1).await;
        let error = workers.try_run(|| ()).unwrap_err();
        assert!(error.is_full() && matches!(error, RunError::Full { .. }));
        assert_eq!(error.to_string(), "too many closures are queued: try again later, or wait with `run`");
        settle().await;
        assert!(running.iter_mut().all(|run| run.now_or_never().is_none()));
        gate.open();
        assert!(join_all(running).await.into_iter().all(|done| done.is_ok()));
        assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3, 4, 5]);
        assert_eq!(workers.try_run(|| 3).unwrap().await, Ok(3));
    });
}

#[test]
fn a_full_set_says_how_long_a_closure_would_wait() {
    run(async {
        let workers = Workers::builder().threads(1).run_window(1).build().unwrap();
        workers.run(thread::yield_now).await.unwrap();
        let gate = Gate::new();
        let held = workers.run(gated(&gate, ()));
        let Err(RunError::Full { expected_wait: Some(_) }) = workers.try_run(|| ()) else { panic!("one was measured") };
        gate.open();
        held.await.unwrap();
    });
}

#[test]
fn a_closure_whose_future_is_dropped_never_begins_and_is_dropped_at_once() {
    run(async {
        for window in [1, 10] {
            let workers = Workers::builder().threads(1).run_window(window).build().unwrap();
            let (gate, counter) = (Gate::new(), DropCounter::new());
            let held = workers.run(gated(&gate, ()));
            gate.arrived(1).await;
            let cancelled: Vec<_> = (0..5)
                .map(|_| {
                    let tracked = counter.track();
                    workers.run(move || unreachable!("{}", size_of_val(&tracked)))
                })
                .collect::<Vec<RunFuture<()>>>();
            let last = workers.run(|| 1);
            assert_eq!(counter.alive(), 5);
            drop(cancelled);
            assert_eq!(counter.alive(), 0, "before anything else happens");
            gate.open();
            held.await.unwrap();
            assert_eq!(last.await, Ok(1));
        }
    });
}

#[test]
fn a_closure_that_runs_sees_that_its_future_was_dropped() {
    run(async {
        let (workers, counter, began) = (set(1), DropCounter::new(), Count::new());
        let (tracked, begins) = (counter.track(), began.clone());
        let endless = workers.run_with(move |job| {
            begins.add();
            while !job.is_stopped() {
                thread::yield_now();
            }
            tracked
        });
        began.reached(1).await;
        assert!(poll!(endless).is_pending());
        counter.are_left(0).await;
        // One that doesn't look runs to its end, and its result is dropped.
        let gate = Gate::new();
        let deaf = workers.run(gated(&gate, counter.track()));
        gate.arrived(1).await;
        drop(deaf);
        assert_eq!(counter.alive(), 1);
        gate.open();
        counter.are_left(0).await;
        assert_eq!(workers.run(|| 2).await, Ok(2));
    });
}

#[test]
fn a_drop_that_panics_is_contained() {
    run(async {
        let (workers, gate, counter) = (set(1), Gate::new(), DropCounter::new());
        let held = workers.run(gated(&gate, ()));
        gate.arrived(1).await;
        let bomb = TrackedBomb::new(&counter);
        drop(workers.run(move || drop(bomb)));
        assert_eq!(counter.alive(), 0);
        let unread = workers.run({
            let bomb = TrackedBomb::new(&counter);
            move || bomb
        });
        let (began, cancelled) = (Count::new(), Count::new());
        let (begins, seen) = (began.clone(), cancelled.clone());
        let result = workers.run_with(move |job| {
            begins.add();
            while !job.is_stopped() {
                thread::yield_now();
            }
            seen.add();
            Bomb
        });
        gate.open();
        held.await.unwrap();
        // Otherwise it might never run.
        began.reached(1).await;
        drop((result, unread));
        cancelled.reached(1).await;
        counter.are_left(0).await;
        assert_eq!(workers.run(|| 2).await, Ok(2));
    });
}

/// What a closure gets on a thread of the set that it would run on, in every form.
fn is_refused(workers: &Workers) -> bool {
    let refused = |error: RunError| {
        assert_eq!(
            error.to_string(),
            "run from a thread of the same set, which would wait for itself: call the closure in place, or run it on \
             another set"
        );
        error == RunError::OwnWorkers
    };
    refused(workers.run(|| ()).now_or_never().unwrap().unwrap_err())
        && refused(workers.run_with(|_| ()).now_or_never().unwrap().unwrap_err())
        && refused(workers.try_run(|| ()).unwrap_err())
        && refused(workers.blocking_run(|| ()).unwrap_err())
        && refused(block_on(workers.run(|| ())).unwrap_err())
        && refused(System::new().block_on(workers.run(|| ())).unwrap_err())
}

#[test]
fn a_thread_of_the_set_is_refused_at_once_whatever_it_works_for() {
    run(async {
        for threads in [1, 3] {
            let workers = set(threads);
            let [inside, of_pool, of_pipeline] = [(); 3].map(|()| workers.clone());
            assert_eq!(workers.run(move || is_refused(&inside)).await, Ok(true));
            let pool = pool().on(&workers).map(move |()| is_refused(&of_pool)).unwrap();
            assert!(pool.submit(()).await.unwrap());
            let mut results = [()].fan_out().on(&workers).map(move |()| is_refused(&of_pipeline)).unwrap();
            assert!(results.next().await.unwrap().unwrap());
            // Another set runs it.
            let (other, another) = (set(1), set(1));
            assert_eq!(
                workers.run(move || other.blocking_run(move || another.blocking_run(|| 4))).await,
                Ok(Ok(Ok(4)))
            );
        }
    });
}

#[test]
fn a_thread_of_the_set_does_not_wait_for_a_closure_that_has_not_begun() {
    run(async {
        let (workers, counter) = (set(1), DropCounter::new());
        let (hand_over, inbox) = mpsc::channel::<RunFuture<()>>();
        let began = Count::new();
        let begins = began.clone();
        let outer = workers.run(move || {
            begins.add();
            block_on(inbox.recv().unwrap())
        });
        began.reached(1).await;
        let tracked = counter.track();
        hand_over.send(workers.run(move || drop(tracked))).unwrap();
        assert_eq!(outer.await, Ok(Err(RunError::OwnWorkers)));
        assert_eq!(counter.alive(), 0);
    });
}

#[test]
fn closures_count_as_a_run_while_one_is_in_flight() {
    run(async {
        let (workers, gate) = (set(1), Gate::new());
        assert_eq!(workers.stats().runs, 0);
        let held = [workers.run(gated(&gate, ())), workers.run(gated(&gate, ()))];
        gate.arrived(1).await;
        assert_eq!(workers.stats().runs, 1);
        let pool = pool().on(&workers).map(|n: u64| n).unwrap();
        assert_eq!(workers.stats().runs, 2);
        gate.open();
        join_all(held).await;
        assert_eq!(workers.stats().runs, 1);
        pool.drain();
        pool.finished().await.unwrap();
        assert_eq!(workers.stats().runs, 0);
    });
}

#[test]
fn the_threads_end_after_the_last_clone_and_the_last_closure() {
    run(async {
        for used in [false, true] {
            let (stopped, gate) = (Count::new(), Gate::new());
            let stops = stopped.clone();
            let workers = Workers::builder().threads(2).on_thread_stop(move |_| _ = stops.add()).build().unwrap();
            let results: Vec<_> = (0..4).filter(|_| used).map(|n| workers.run(gated(&gate, n))).collect();
            drop(workers.clone());
            drop(workers);
            if used {
                gate.arrived(2).await;
                settle().await;
                assert_eq!(stopped.get(), 0);
                gate.open();
                assert!(join_all(results).await.into_iter().map(Result::unwrap).eq(0..4));
            }
            stopped.reached(2).await;
        }
    });
}

#[test]
fn a_future_that_is_kept_or_dropped_with_the_last_clone_lets_the_threads_end() {
    run(async {
        for _ in 0..20 {
            let (stopped, counter) = (Count::new(), DropCounter::new());
            let stops = stopped.clone();
            let workers = Workers::builder().threads(1).on_thread_stop(move |_| _ = stops.add()).build().unwrap();
            let tracked = counter.track();
            let unpolled = workers.run(move || tracked);
            // A closure may hold its own set.
            let own = workers.clone();
            let holds = workers.run(move || own.stats().threads);
            drop(workers);
            assert_eq!(holds.await, Ok(1));
            drop(unpolled);
            stopped.reached(1).await;
            assert_eq!(counter.alive(), 0);
        }
    });
}

#[test]
fn closures_share_the_threads_with_pipelines_and_outlive_systems() {
    let workers = set(1);
    for _ in 0..3 {
        run(async {
            let endless = (0u64..).fan_out().on(&workers).map(|n| n).unwrap();
            let consumer = actix::spawn(endless.for_each(|_| async {}));
            for n in 0..100 {
                assert_eq!(workers.run(move || n).await, Ok(n));
            }
            consumer.abort();
            System::current().stop();
        });
        assert_eq!(workers.blocking_run(|| 3), Ok(3), "it belongs to no System");
    }
}

#[test]
fn a_set_without_room_for_any_closure_is_an_error() {
    let error = Workers::builder().run_window(0).build().unwrap_err();
    assert!(matches!(error, StartError::Window));
    assert_eq!(error.to_string(), "window is 0: at least 1 item must be allowed in flight");
}

#[test]
fn errors_are_values_that_compare_and_have_causes() {
    let lost = RunError::Lost(PipelineError::WorkerThread { worker: 1, workers: 2, message: "no".into() });
    assert_eq!((lost.clone(), lost.is_full(), lost.panic_message()), (lost.clone(), false, None));
    assert_eq!(lost.to_string(), "the worker threads can't run it");
    let cause = std::error::Error::source(&lost).unwrap().to_string();
    assert_eq!(cause, "worker thread 1 of 2 could not be started: no");
}

#[test]
fn a_future_can_be_sent_whatever_its_result_is() {
    fn assert_send<T: Send + Unpin + Future>() {}
    assert_send::<RunFuture<Cell<u8>>>();
}
