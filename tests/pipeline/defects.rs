//! Promises that the source does not keep yet. Each of these fails.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use actix::{Actor, ActorContext, Arbiter, Context, Handler, Message, System};
use actix_fan::{FanIn, FanOutExt, ItemError, Job, PipelineError, fan_in, work_fn};
use futures::executor::block_on;
use futures::{StreamExt, stream};
use tokio::sync::oneshot;

use crate::support::{Count, Counted, Gate, run, settle};

/// Starts a pipeline on an arbiter of its own.
fn on_an_arbiter<T: Send + 'static>(
    system: &actix::SystemRunner,
    start: impl FnOnce() -> FanIn<T> + Send + 'static,
) -> (FanIn<T>, Arbiter) {
    let (sender, receiver) = std::sync::mpsc::channel();
    let arbiter = system.block_on(async { Arbiter::new() });
    arbiter.spawn_fn(move || sender.send(start()).unwrap());
    (receiver.recv().unwrap(), arbiter)
}

#[test]
fn a_pool_whose_system_is_gone_ends_the_pipeline_with_an_error() {
    let (go, wait) = oneshot::channel::<()>();
    let system = System::new();
    let (mut results, arbiter) = on_an_arbiter(&system, move || {
        let source = stream::once(wait).map(|_| 0u64).chain(stream::iter(1..1000));
        source.fan_out().workers(2).map(|n| n).unwrap()
    });
    drop(system);
    go.send(()).unwrap();
    let ended = block_on(results.finished());
    arbiter.stop();
    assert_eq!(ended.map(|stats| stats.skipped), Err(PipelineError::SystemStopped));
}

#[test]
fn nothing_of_the_users_is_left_on_a_workers_thread_when_finished_returns() {
    struct Captured(Gate);
    impl Drop for Captured {
        fn drop(&mut self) {
            self.0.pass();
        }
    }
    let gate = Gate::new();
    let captured = Captured(gate.clone());
    run(async move {
        let mut results = (0..10u64)
            .fan_out()
            .workers(2)
            .map(move |n| {
                let _ = &captured;
                n
            })
            .unwrap();
        while results.next().await.is_some() {}
        gate.arrived(1).await;
        let early = futures::FutureExt::now_or_never(results.finished()).is_some();
        gate.open();
        assert!(!early, "finished returned while the closure is being dropped");
        results.finished().await.unwrap();
    });
}

#[test]
fn nothing_is_in_flight_when_finished_returns_after_a_system_stop() {
    struct Slow(Gate);
    impl Drop for Slow {
        fn drop(&mut self) {
            self.0.pass();
        }
    }
    let (head, gate, done) = (Gate::new(), Gate::new(), Count::new());
    let (first, pass, count) = (head.clone(), gate.clone(), done.clone());
    let system = System::new();
    let (mut results, arbiter) = on_an_arbiter(&system, move || {
        let builder = Counted::new().fan_out().workers(2).window(8).batch(1).ordered();
        builder
            .with(move || {
                let (first, pass, count) = (first.clone(), pass.clone(), count.clone());
                work_fn(move |n: u64, job: &mut Job<'_, Slow>| {
                    if n == 0 {
                        first.pass();
                    } else {
                        job.emit(Slow(pass.clone()));
                        count.add();
                    }
                    Ok(())
                })
            })
            .unwrap()
    });
    system.block_on(async {
        done.reached(7).await;
        results.aggregator().send(actix_fan::Snapshot).await.unwrap();
        System::current().stop();
    });
    system.run().unwrap();
    // The arbiter drops the results that are held back, at the gate.
    block_on(gate.arrived(1));
    head.open();
    let early = futures::FutureExt::now_or_never(results.finished()).is_some();
    let workers_gone = results.stop_handle();
    block_on(workers_gone.workers_gone());
    let early = early || futures::FutureExt::now_or_never(results.finished()).is_some();
    let in_flight = results.stats().in_flight;
    gate.open();
    let _ = block_on(results.finished());
    arbiter.join().unwrap();
    assert!(!early || in_flight == 0, "{in_flight} in flight when finished returned");
}

#[test]
fn a_stage_that_died_is_an_error_at_the_end_of_the_chain() {
    run(async {
        let source = (0u64..).inspect(|n| {
            if *n == 57 {
                std::panic::resume_unwind(Box::new("gone"));
            }
        });
        let first = source.fan_out().workers(1).map(|n| n).unwrap();
        let mut second = first.fan_out().workers(2).map(|n| n).unwrap();
        let error = second.finished().await.map(|stats| (stats.completed, stats.failed));
        assert_eq!(error, Err(PipelineError::SourcePanicked { message: "gone".into() }));
    });
}

#[test]
fn a_factory_that_fails_after_everything_completed_is_no_error() {
    run(async {
        let (gate, calls) = (Gate::new(), AtomicUsize::new(0));
        let pass = gate.clone();
        let mut results = (0..10u64)
            .fan_out()
            .workers(2)
            .with(move || {
                if calls.fetch_add(1, SeqCst) > 0 {
                    pass.pass();
                    std::panic::resume_unwind(Box::new("late"));
                }
                work_fn(|n: u64, job: &mut Job<'_, u64>| {
                    job.emit(n);
                    Ok(())
                })
            })
            .unwrap();
        gate.arrived(1).await;
        assert_eq!(results.by_ref().filter(|result| std::future::ready(result.is_ok())).count().await, 10);
        assert!(results.next().await.is_none(), "the stream ended without an error");
        gate.open();
        assert_eq!(results.finished().await.map(|stats| stats.completed), Ok(10));
    });
}

#[test]
fn a_merged_stream_that_was_dropped_is_stopped() {
    let merged = fan_in([stream::pending::<u8>()]);
    let stop = merged.stop_handle();
    drop(merged);
    assert!(stop.is_stopped());
    assert_eq!(stop.stats().elapsed, stop.stats().elapsed, "its clock stands still");
}

/// Leaves when it is told to.
struct Leaves;

impl Actor for Leaves {
    type Context = Context<Self>;
}

struct Leave;

impl Message for Leave {
    type Result = ();
}

impl Handler<Leave> for Leaves {
    type Result = ();
    fn handle(&mut self, _: Leave, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}

struct Found;

impl Message for Found {
    type Result = ();
}

impl From<Result<u64, ItemError>> for Found {
    fn from(_: Result<u64, ItemError>) -> Self {
        Self
    }
}

impl Handler<Found> for Leaves {
    type Result = ();
    fn handle(&mut self, _: Found, _: &mut Context<Self>) {}
}

#[test]
fn a_recipient_that_leaves_while_the_source_waits_ends_the_delivery() {
    run(async {
        let leaves = Leaves.start();
        let results = stream::pending::<u64>().fan_out().workers(1).map(|n| n).unwrap();
        let delivery = actix::spawn(results.deliver_to(leaves.clone().recipient::<Found>()));
        leaves.send(Leave).await.unwrap();
        settle().await;
        assert!(delivery.is_finished());
    });
}

#[test]
fn errors_whose_drop_panics_are_contained() {
    #[derive(Debug)]
    struct Bad;
    impl std::fmt::Display for Bad {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("bad")
        }
    }
    impl std::error::Error for Bad {}
    impl Drop for Bad {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new("dropped"));
        }
    }
    run(async {
        // One only: two in a chunk abort the process.
        let mut results = [()].fan_out().workers(1).try_map(|()| Err::<(), _>(Bad)).unwrap();
        assert_eq!(results.finished().await.unwrap().failed, 1);
    });
}

#[test]
fn an_arbiter_thread_with_another_runtime_is_an_error() {
    let system = System::new();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let started = runtime.block_on(async { (0..3u8).fan_out().workers(1).map(|n| n).map(drop) });
    assert!(started.is_err());
    drop(system);
}
