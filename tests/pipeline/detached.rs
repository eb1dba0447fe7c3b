//! Pipelines that start anywhere: on a thread of any runtime or none.

use std::future::Future;
use std::sync::mpsc;
use std::thread;

use actix::prelude::*;
use actix_fan::{
    End, FanIn, FanOutExt, ItemError, PipelineError, StartError, Stop, StopHandle, Workers, blocking, fan_in,
};
use futures::executor::{block_on, block_on_stream};
use futures::{StreamExt, stream};
use tokio::runtime::Builder;
use tokio::sync::oneshot;

use crate::support::{Count, DropCounter, Gate, assert_settled, in_own_process, quiet_panic, run};

/// Ends in order, with these results.
async fn assert_yields(mut results: FanIn<u64>, expected: impl Iterator<Item = u64>) {
    assert!(results.by_ref().map(Result::unwrap).collect::<Vec<_>>().await.into_iter().eq(expected));
    let stats = results.finished().await.unwrap();
    assert_settled(&stats);
    assert_eq!(stats.end, Some(End::Complete));
}

/// Pipelines of every kind of source, and what is made of them.
async fn start_and_consume() {
    let squares = || (0..5000u64).map(|n| n * n);
    let iterated = (0..5000u64).fan_out().detached().ordered().map(|n| n * n);
    assert_yields(iterated.unwrap(), squares()).await;
    let own = stream::iter(0..5000u64).fan_out().workers(2).detached().ordered().map(|n| n * n);
    assert_yields(own.unwrap(), squares()).await;
    let workers = Workers::builder().threads(1).build().unwrap();
    let from_blocking = blocking(0..5000u64).unwrap().fan_out().detached().on(&workers).ordered().map(|n| n * n);
    assert_yields(from_blocking.unwrap(), squares()).await;
    let flat = (0..100u64).fan_out().detached().ordered().flat_map(|n| (50 * n)..(50 * (n + 1)));
    assert_yields(flat.unwrap(), 0..5000).await;
    let failing = stream::iter([Ok(1u64), Err("no"), Ok(3)]).try_fan_out().detached().ordered().map(|n| n).unwrap();
    let failing: Vec<_> = failing.map(|result| result.map_err(|error| error.index())).collect().await;
    assert_eq!(failing, [Ok(1), Err(1), Ok(3)]);
    let nothing = std::iter::empty::<u64>().fan_out().detached().map(|n| n);
    assert_yields(nothing.unwrap(), std::iter::empty()).await;

    let first = (0..5000u64).fan_out().detached().ordered().map(|n| n + 1).unwrap();
    let second = first.fan_out().detached().ordered().map(|n| (n - 1).pow(2));
    assert_yields(second.unwrap(), squares()).await;
    let parts = (0..3u64).map(|n| (0..100u64).fan_out().detached().map(move |m| m * n).unwrap());
    let merged = fan_in(parts).map(Result::unwrap).fold(0, async |sum, n| sum + n).await;
    assert_eq!(merged, 4950 * 3);

    // A source that is fed by the caller.
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let source = stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
    let mut echo = source.fan_out().detached().map(|n: u64| n + 1).unwrap();
    for n in 0..100 {
        sender.send(n).await.unwrap();
        assert_eq!(echo.next().await.unwrap().unwrap(), n + 1);
    }
    drop(sender);
    assert!(echo.next().await.is_none());
}

#[test]
fn without_any_runtime() {
    block_on(start_and_consume());
    let results = (0..10u64).fan_out().detached().ordered().map(|n| n).unwrap();
    assert!(block_on_stream(results).map(Result::unwrap).eq(0..10));
}

#[test]
fn under_tokio_on_any_thread_of_many_and_on_one_without_a_local_set() {
    let runtime = Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(start_and_consume());
    runtime.block_on(async { tokio::spawn(start_and_consume()).await.unwrap() });
    drop(runtime);
    Builder::new_current_thread().build().unwrap().block_on(start_and_consume());
}

#[test]
fn in_a_system_and_on_a_worker_thread_for_other_threads() {
    run(start_and_consume());
    run(async {
        // Work that waits for a pipeline has it on other threads.
        let sums = (0..20u64).fan_out().workers(2).ordered().map(|n| {
            let results = (0..n).fan_out().detached().workers(1).map(|m| m).unwrap();
            block_on_stream(results).map(Result::unwrap).sum::<u64>()
        });
        assert!(
            sums.unwrap()
                .map(Result::unwrap)
                .collect::<Vec<_>>()
                .await
                .into_iter()
                .eq((0..20).map(|n| n * (n.max(1) - 1) / 2))
        );
    });
}

#[test]
fn the_end_of_the_system_that_started_it_is_not_its_end() {
    let (results, local) = run(async {
        let results = (0..5000u64).fan_out().detached().window(16).ordered().map(|n| n).unwrap();
        let local = (0..5000u64).fan_out().window(16).ordered().map(|n| n).unwrap();
        System::current().stop();
        (results, local)
    });
    block_on(assert_yields(results, 0..5000));
    let last = block_on_stream(local).last().unwrap().unwrap_err();
    assert_eq!(last.pipeline_error(), Some(&PipelineError::SystemStopped));
}

/// Ends an endless pipeline in each way.
fn end(how: impl Fn(FanIn<u64>, StopHandle) -> Option<FanIn<u64>>, expected: End) {
    let counter = DropCounter::new();
    let (source, work) = (counter.track(), counter.track());
    let endless = (0u64..).inspect(move |_| _ = &source).fan_out().detached().map(move |n| {
        let _ = &work;
        n
    });
    let mut results = endless.unwrap();
    let handle = results.stop_handle();
    assert!(block_on(results.next()).unwrap().is_ok());
    let consumed = how(results, handle.clone()).map(block_on_stream).map(Iterator::count);
    let stats = block_on(handle.finished()).unwrap();
    assert_eq!(stats.end, Some(expected), "{consumed:?}");
    assert_settled(&stats);
    block_on(counter.are_left(0));
}

#[test]
fn its_stream_and_its_handles_end_it_from_any_thread() {
    end(|results, _| (drop(results), None).1, End::Stopped);
    end(|results, handle| (handle.stop(), Some(results)).1, End::Stopped);
    end(|results, handle| (handle.drain(), Some(results)).1, End::Drained);
    end(
        |results, handle| {
            thread::spawn(move || handle.drain()).join().unwrap();
            Some(results)
        },
        End::Drained,
    );
    end(|results, _| (results.generator().do_send(Stop::Now), Some(results)).1, End::Stopped);
    end(
        |results, _| {
            let answer = block_on(results.generator().send(Stop::Drain));
            answer.unwrap();
            Some(results)
        },
        End::Drained,
    );
}

#[test]
fn a_panic_of_the_source_is_the_end_with_an_error() {
    let source = (0..10u64).map(|n| if n == 5 { quiet_panic("no more") } else { n });
    let results = source.fan_out().detached().ordered().map(|n| n).unwrap();
    let mut all: Vec<Result<u64, ItemError>> = block_on_stream(results).collect();
    let error = all.pop().unwrap().unwrap_err();
    assert_eq!(error.pipeline_error(), Some(&PipelineError::SourcePanicked { message: "no more".into() }));
    assert!(all.into_iter().map(Result::unwrap).eq(0..5));
}

#[test]
fn a_source_that_blocks_holds_up_no_pipeline_that_is_started_alone_beside_it() {
    // No other test has pipelines on the same arbiters.
    in_own_process(|| {
        let gate = Gate::new();
        let pass = gate.clone();
        let held = (0..1u64).inspect(move |_| pass.pass()).fan_out().detached().map(|n| n).unwrap();
        block_on(gate.arrived(1));
        for _ in 0..20 {
            block_on(assert_yields((0..100u64).fan_out().detached().ordered().map(|n| n).unwrap(), 0..100));
        }
        gate.open();
        block_on(assert_yields(held, 0..1));
    });
}

#[test]
fn an_actor_gets_the_results_and_its_snapshot() {
    struct Sum(u64, mpsc::Sender<u64>);
    impl Actor for Sum {
        type Context = Context<Self>;
    }
    impl StreamHandler<Result<u64, ItemError>> for Sum {
        fn handle(&mut self, result: Result<u64, ItemError>, _: &mut Context<Self>) {
            self.0 += result.unwrap();
        }
        fn finished(&mut self, ctx: &mut Context<Self>) {
            self.1.send(self.0).unwrap();
            ctx.stop();
        }
    }
    run(async {
        // The source ends when it is told: a generator whose source has ended answers nothing.
        let (end, ended) = oneshot::channel::<()>();
        let source = stream::iter(1..=100u64).chain(stream::once(ended).filter_map(async |_| None));
        let results = source.fan_out().detached().map(|n| n).unwrap();
        let generator = results.generator().clone();
        assert!(generator.send(actix_fan::Snapshot).await.unwrap().taken <= 100);
        end.send(()).unwrap();
        let (sender, sum) = mpsc::channel();
        let stopped = Count::new();
        let stops = stopped.clone();
        Sum::create(move |ctx| {
            ctx.add_stream(results);
            stops.add();
            Sum(0, sender)
        });
        stopped.reached(1).await;
        while generator.connected() {
            tokio::task::yield_now().await;
        }
        assert_eq!(tokio::task::spawn_blocking(move || sum.recv().unwrap()).await.unwrap(), 5050);
    });
}

#[test]
fn many_threads_may_start_the_first_ones_of_a_process_at_once() {
    in_own_process(|| {
        let starts: Vec<_> = (0..20u64)
            .map(|n| {
                thread::spawn(move || {
                    let results = (0..n).fan_out().detached().ordered().map(|n| n).unwrap();
                    assert!(block_on_stream(results).map(Result::unwrap).eq(0..n));
                })
            })
            .collect();
        starts.into_iter().for_each(|start| start.join().unwrap());
    });
}

#[test]
fn a_process_ends_with_detached_pipelines_in_it() {
    in_own_process(|| {
        for n in 0..10u64 {
            let mut results = (0u64..).fan_out().detached().map(move |m| m % (n + 1)).unwrap();
            block_on(results.next()).unwrap().unwrap();
            std::mem::forget(results);
        }
    });
}

#[test]
fn a_source_that_stops_the_system_of_this_crate_ends_what_is_detached() {
    in_own_process(|| {
        let ended = |source: Box<dyn Iterator<Item = u64> + Send>| {
            let results = source.fan_out().detached().window(8).map(|n| n).unwrap();
            let last = block_on_stream(results).last().unwrap().unwrap_err();
            last.pipeline_error().unwrap().clone()
        };
        // An arbiter alone: the next pipeline has another one.
        let arbiter = (0u64..).inspect(|n| _ = (*n == 100).then(|| Arbiter::current().stop()));
        let lost = ended(Box::new(arbiter));
        assert!(matches!(lost, PipelineError::ActorLost { .. }), "{lost}");
        block_on(assert_yields((0..100u64).fan_out().detached().ordered().map(|n| n).unwrap(), 0..100));

        let system = (0u64..).inspect(|n| _ = (*n == 100).then(|| System::current().stop()));
        // actix stops the arbiters in no order: this one may have ended before the System's first, by which a stopped
        // System is told.
        let stopped = ended(Box::new(system));
        assert!(matches!(stopped, PipelineError::SystemStopped | PipelineError::ActorLost { .. }), "{stopped}");
        let error = loop {
            match (0..1u64).fan_out().detached().map(|n| n) {
                // The System has not stopped altogether yet.
                Ok(results) => _ = block_on_stream(results).last(),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, StartError::SystemStopped), "{error}");
        // Worker threads need it only to start.
        assert_eq!(Workers::global().unwrap().blocking_run(|| 1), Ok(1));
    });
}

#[test]
fn a_start_can_be_awaited_in_a_future_that_is_sent() {
    fn assert_send<T>(future: impl Future<Output = T> + Send) -> impl Future<Output = T> + Send {
        future
    }
    let future = assert_send(async {
        let mut results = (0..3u64).fan_out().detached().map(|n| n).unwrap();
        while results.next().await.is_some() {}
        results.finished().await.unwrap().completed
    });
    assert_eq!(block_on(future), 3);
}
