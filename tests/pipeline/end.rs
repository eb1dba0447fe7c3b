use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;

use actix::{Arbiter, System};
use actix_fan::{BoxError, End, FanIn, FanOutExt, Job, PipelineError, Work, work_fn};
use futures::executor::block_on;
use futures::{Stream, StreamExt, stream};
use tokio::sync::oneshot;

use crate::counted::Counted;
use crate::support::{Count, Gate, assert_settled, run};

/// Counts the workers' states that exist.
struct Living(Arc<AtomicUsize>);

impl Living {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Living {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

impl Work<u64> for Living {
    type Output = u64;

    fn run(&mut self, n: u64, job: &mut Job<'_, u64>) -> Result<(), BoxError> {
        job.emit(n);
        Ok(())
    }
}

#[test]
fn when_finished_returns_every_worker_is_gone() {
    run(async {
        for items in [0, 1, 1000] {
            let living = Arc::new(AtomicUsize::new(0));
            let count = Arc::clone(&living);
            let mut results = (0..items).fan_out().workers(3).with(move || Living::new(&count)).unwrap();
            assert_eq!(results.by_ref().count().await as u64, items);
            let stats = results.finished().await.unwrap();
            assert_eq!(living.load(SeqCst), 0);
            assert_settled(&stats);
            assert_eq!(stats.elapsed, results.stats().elapsed, "the clock stands still");
        }
    });
}

#[test]
fn finished_drops_results_that_nobody_took() {
    run(async {
        let mut results = (0..100_000u64).fan_out().workers(2).window(64).map(|n| n).unwrap();
        results.next().await.unwrap().unwrap();
        let stats = results.finished().await.unwrap();
        assert_eq!((stats.completed, stats.emitted), (100_000, 1));
        assert!(results.next().await.is_none());
    });
}

#[test]
fn a_finished_that_is_given_up_can_be_called_again() {
    run(async {
        let gate = Gate::new();
        let pass = gate.clone();
        let mut results = (0..3u64).fan_out().workers(1).map(move |_| pass.pass()).unwrap();
        gate.arrived(1).await;
        assert!(futures::FutureExt::now_or_never(results.finished()).is_none());
        gate.open();
        assert_eq!(results.finished().await.unwrap().completed, 3);
    });
}

#[test]
fn the_stream_is_fused_and_its_size_hint_honest() {
    run(async {
        let mut results = (0..10u64).fan_out().workers(1).batch(10).map(|n| n).unwrap();
        assert_eq!(results.size_hint(), (0, None));
        results.next().await;
        assert_eq!(results.size_hint(), (9, None));
        assert!(!futures::stream::FusedStream::is_terminated(&results));
        assert_eq!(results.by_ref().count().await, 9);
        assert_eq!(results.size_hint(), (0, Some(0)));
        assert!(futures::stream::FusedStream::is_terminated(&results));
        for _ in 0..3 {
            assert!(results.next().await.is_none());
        }
    });
}

#[test]
fn chunks_give_a_batch_at_a_time() {
    run(async {
        let mut results = (0..10u64).fan_out().workers(1).batch(4).map(|n| n).unwrap();
        assert_eq!(results.next().await.unwrap().unwrap(), 0);
        let mut sizes = Vec::new();
        let mut got = Vec::new();
        while let Some(chunk) = results.next_chunk().await {
            sizes.push(chunk.len());
            got.extend(chunk.map(Result::unwrap));
        }
        // Fewer than four where the time slice of the source ended between two of them.
        assert!(sizes.iter().all(|size| (1..=4).contains(size)), "{sizes:?}");
        assert_eq!(got, (1..10).collect::<Vec<_>>());
        assert_eq!(results.finished().await.unwrap().emitted, 10);
    });
}

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
fn a_system_that_stops_first_ends_the_pipeline_with_an_error() {
    let living = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&living);
    let (mut results, system, thread) =
        elsewhere(move || Counted::new().fan_out().workers(2).with(move || Living::new(&count)).unwrap());
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
    assert_eq!(living.load(SeqCst), 0, "the threads have ended");
    assert_settled(&results.stats());
    thread.join().unwrap();
}

#[test]
fn a_system_that_stops_while_items_run_waits_for_none_of_them() {
    let gate = Gate::new();
    let pass = gate.clone();
    let (mut results, system, thread) =
        elsewhere(move || Counted::new().fan_out().workers(2).batch(8).map(move |_| pass.pass()).unwrap());
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

/// The loop of `block_on` goes on when the System is told to stop, and so do the actors on it.
#[test]
fn a_system_that_stops_ends_an_endless_pipeline_whose_event_loop_goes_on() {
    run(async {
        let mut busy = Counted::new().fan_out().workers(2).map(|n| n).unwrap();
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
fn an_arbiters_next_system_watches_over_its_pipelines_too() {
    for _ in 0..3 {
        a_system_that_stops_ends_an_endless_pipeline_whose_event_loop_goes_on();
    }
    let system = System::new();
    let mut left = system.block_on(async { stream::pending::<u64>().fan_out().workers(1).map(|n| n).unwrap() });
    drop(system);
    assert_eq!(block_on(left.finished()).unwrap_err(), PipelineError::SystemStopped);
    a_system_that_stops_ends_an_endless_pipeline_whose_event_loop_goes_on();
}

#[test]
fn a_pipeline_that_drains_when_the_system_stops_comes_to_its_end_where_the_event_loop_goes_on() {
    run(async {
        let gate = Gate::new();
        let pass = gate.clone();
        let mut draining = Counted::new().fan_out().workers(1).window(3).batch(1).map(move |_| pass.pass()).unwrap();
        let mut endless = stream::pending::<u64>().fan_out().workers(1).map(|n| n).unwrap();
        gate.arrived(1).await;
        draining.stop_handle().drain();
        System::current().stop();
        assert_eq!(endless.finished().await.unwrap_err(), PipelineError::SystemStopped);
        gate.open();
        let stats = draining.finished().await.unwrap();
        assert_eq!((stats.skipped, stats.completed), (0, stats.taken));
    });
}

#[test]
fn many_pipelines_share_an_arbiter() {
    run(async {
        let pipelines: Vec<_> =
            (0..20u64).map(|k| (0..1000u64).fan_out().workers(2).map(move |n| n * k).unwrap()).collect();
        let sums = pipelines.into_iter().map(|results| results.map(Result::unwrap).fold(0, async |a, b| a + b));
        let sums = futures::future::join_all(sums).await;
        assert_eq!(sums, (0..20).map(|k| k * 499_500).collect::<Vec<u64>>());
    });
}

#[test]
fn a_system_that_stops_stops_the_workers_of_a_pipeline_that_nobody_polls() {
    let (results, system, thread) = elsewhere(|| Counted::new().fan_out().workers(2).map(|n| n).unwrap());
    let stop = results.stop_handle();
    system.stop();
    thread.join().unwrap();
    assert!(stop.is_stopped());
    block_on(stop.workers_stopped());
    drop(results);
    assert_settled(&stop.stats());
}

#[test]
fn a_batch_that_finds_the_pool_closed_is_skipped_and_the_pipeline_ends() {
    let (mut results, go, arbiter) = {
        let system = System::new();
        let (go, wait) = futures::channel::oneshot::channel::<()>();
        let (sender, receiver) = std::sync::mpsc::channel();
        let arbiter = system.block_on(async { actix::Arbiter::new() });
        arbiter.spawn_fn(move || {
            let source = futures::stream::once(wait).map(|_| 0u64).chain(futures::stream::iter(1..10));
            sender.send(source.fan_out().workers(2).map(|n| n).unwrap()).unwrap();
        });
        // The arbiter goes on when the System that serves the pool's queue is dropped here.
        (receiver.recv().unwrap(), go, arbiter)
    };
    // An error means that the pipeline knows already that the System is gone, and has dropped its source.
    let _ = go.send(());
    // Whether that is an error is not this test's concern; that it ends is.
    let _ = block_on(results.finished());
    let stats = results.stats();
    assert_eq!(stats.skipped, stats.taken);
    assert_settled(&stats);
    arbiter.stop();
    arbiter.join().unwrap();
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

#[test]
fn a_pool_whose_system_is_gone_ends_the_pipeline_with_an_error() {
    let (go, wait) = oneshot::channel::<()>();
    let system = System::new();
    let (mut results, arbiter) = on_an_arbiter(&system, move || {
        let source = stream::once(wait).map(|_| 0u64).chain(stream::iter(1..1000));
        source.fan_out().workers(2).map(|n| n).unwrap()
    });
    drop(system);
    // An error means that the pipeline knows already that the System is gone, and has dropped its source.
    let _ = go.send(());
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
    let workers_stopped = results.stop_handle();
    block_on(workers_stopped.workers_stopped());
    let early = early || futures::FutureExt::now_or_never(results.finished()).is_some();
    let in_flight = results.stats().in_flight;
    gate.open();
    let _ = block_on(results.finished());
    arbiter.join().unwrap();
    assert!(!early || in_flight == 0, "{in_flight} in flight when finished returned");
}
