//! Pipelines and the System: streams consumed outside of it, and its end.

use std::thread;

use actix::{Arbiter, System};
use actix_fan::{End, FanIn, FanOutExt, Job, PipelineError, work_fn};
use futures::executor::block_on;
use futures::{FutureExt, StreamExt, stream};

use crate::counting_source::CountingSource;
use crate::support::{Count, DropCounter, Gate, TrackedWork, assert_settled, run};

/// Starts a pipeline in a System on another thread, and returns what stops that System.
fn elsewhere<T: Send + 'static>(
    start: impl FnOnce() -> FanIn<T> + Send + 'static,
) -> (FanIn<T>, System, thread::JoinHandle<()>) {
    let (sender, receiver) = std::sync::mpsc::channel();
    let thread = thread::spawn(move || {
        let system = System::new();
        system.block_on(async { sender.send((start(), System::current())).unwrap() });
        system.run().unwrap();
    });
    let (results, system) = receiver.recv().unwrap();
    (results, system, thread)
}

#[test]
fn the_stream_can_be_consumed_on_a_thread_without_a_system() {
    let (mut results, system, thread) = elsewhere(|| (0..1000u64).fan_out().workers(2).ordered().map(|n| n).unwrap());
    let got: Vec<u64> = block_on(results.by_ref().map(Result::unwrap).collect());
    assert_eq!(got, (0..1000).collect::<Vec<_>>());
    block_on(results.finished()).unwrap();
    system.stop();
    thread.join().unwrap();
}

#[test]
fn a_stopped_system_ends_the_pipeline_with_an_error() {
    let counter = DropCounter::new();
    let tracker = counter.clone();
    let (mut results, system, thread) =
        elsewhere(move || CountingSource::new().fan_out().workers(2).with(move || TrackedWork::new(&tracker)).unwrap());
    for _ in 0..1000 {
        block_on(results.next()).unwrap().unwrap();
    }
    system.stop();
    let last = block_on(results.by_ref().filter_map(|result| std::future::ready(result.err())).next()).unwrap();
    assert_eq!(last.pipeline_error(), Some(&PipelineError::SystemStopped));
    assert_eq!(last.index(), results.stats().taken);
    assert!(block_on(results.next()).is_none());
    assert_eq!(results.stats().end, Some(End::Failed(PipelineError::SystemStopped)), "as soon as the consumer knows");
    assert_eq!(block_on(results.finished()).unwrap_err(), PipelineError::SystemStopped);
    assert_eq!(counter.alive(), 0, "the threads have ended");
    assert_settled(&results.stats());
    thread.join().unwrap();
}

#[test]
fn a_system_stops_without_waiting_for_running_items() {
    let gate = Gate::new();
    let pass = gate.clone();
    let (mut results, system, thread) =
        elsewhere(move || CountingSource::new().fan_out().workers(2).batch(8).map(move |_| pass.pass()).unwrap());
    block_on(gate.arrived(2));
    system.stop();
    thread.join().unwrap();
    gate.open();
    assert_eq!(block_on(results.finished()).unwrap_err(), PipelineError::SystemStopped);
    let stats = results.stats();
    assert_eq!(gate.arrivals(), 2, "no further item began");
    assert_eq!(stats.completed, 2);
    assert_settled(&stats);
}

/// The loop of `block_on` goes on when the System is stopped, and so do the actors on it.
#[test]
fn a_stopped_system_ends_pipelines_whose_event_loop_continues() {
    run(async {
        let mut busy = CountingSource::new().fan_out().workers(2).map(|n| n).unwrap();
        let mut idle = stream::pending::<u64>().fan_out().workers(1).ordered().map(|n| n).unwrap();
        let mut read = stream::pending::<u64>().fan_out().workers(1).map(|n| n).unwrap();
        busy.next().await.unwrap().unwrap();
        System::current().stop();
        assert_eq!(busy.finished().await.unwrap_err(), PipelineError::SystemStopped);
        assert_eq!(idle.finished().await.unwrap_err(), PipelineError::SystemStopped);
        let last = read.next().await.unwrap().unwrap_err();
        assert_eq!(last.pipeline_error(), Some(&PipelineError::SystemStopped));
        assert!(read.next().await.is_none());
        [busy, idle, read].iter().for_each(|results| assert_settled(&results.stats()));
    });
}

#[test]
fn a_later_system_on_the_same_thread_also_ends_its_pipelines() {
    for _ in 0..3 {
        a_stopped_system_ends_pipelines_whose_event_loop_continues();
    }
    let system = System::new();
    let mut left = system.block_on(async { stream::pending::<u64>().fan_out().workers(1).map(|n| n).unwrap() });
    drop(system);
    assert_eq!(block_on(left.finished()).unwrap_err(), PipelineError::SystemStopped);
    a_stopped_system_ends_pipelines_whose_event_loop_continues();
}

#[test]
fn a_draining_pipeline_completes_after_its_system_stops_if_the_event_loop_continues() {
    run(async {
        let gate = Gate::new();
        let pass = gate.clone();
        let mut draining =
            CountingSource::new().fan_out().workers(1).window(3).batch(1).map(move |_| pass.pass()).unwrap();
        let mut endless = stream::pending::<u64>().fan_out().workers(1).map(|n| n).unwrap();
        gate.arrived(1).await;
        draining.drain();
        System::current().stop();
        assert_eq!(endless.finished().await.unwrap_err(), PipelineError::SystemStopped);
        gate.open();
        let stats = draining.finished().await.unwrap();
        assert_eq!((stats.skipped, stats.completed), (0, stats.taken));
    });
}

#[test]
fn a_stopped_system_stops_the_workers_of_an_unpolled_pipeline() {
    let (results, system, thread) = elsewhere(|| CountingSource::new().fan_out().workers(2).map(|n| n).unwrap());
    let stop = results.stop_handle();
    system.stop();
    thread.join().unwrap();
    assert!(stop.is_stopped());
    block_on(stop.workers_stopped());
    drop(results);
    assert_settled(&stop.stats());
}

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

/// The threads belong to no System, and the arbiter goes on after its own.
#[test]
fn a_pipeline_whose_system_is_gone_ends_with_an_error() {
    let system = System::new();
    let (mut results, arbiter) =
        on_an_arbiter(&system, || CountingSource::new().fan_out().workers(2).map(|n| n).unwrap());
    drop(system);
    let ended = block_on(results.finished());
    arbiter.stop();
    assert_eq!(ended.map(|stats| stats.skipped), Err(PipelineError::SystemStopped));
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
        let builder = CountingSource::new().fan_out().workers(2).window(8).batch(1).ordered();
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
    let early = results.finished().now_or_never().is_some();
    let workers_stopped = results.stop_handle();
    block_on(workers_stopped.workers_stopped());
    let early = early || results.finished().now_or_never().is_some();
    let in_flight = results.stats().in_flight;
    gate.open();
    let _ = block_on(results.finished());
    arbiter.join().unwrap();
    assert!(!early || in_flight == 0, "{in_flight} in flight when finished returned");
}
