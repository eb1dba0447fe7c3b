//! Two pipelines and a pool on one arbiter: a failure of one does not affect the others.

use actix_fan::{FanIn, FanOutExt, Job, PipelineError, pool, work_fn};
use futures::future::join_all;
use futures::{StreamExt, join};

use crate::support::{assert_settled, quiet_panic, run};

/// An endless pipeline that something befalls.
fn befallen(what: usize) -> FanIn<u64> {
    let source = (0u64..).inspect(move |n| {
        if what == 0 && *n == 300 {
            quiet_panic("the source");
        }
    });
    let factory = move || {
        if what == 1 {
            quiet_panic("the factory");
        }
        work_fn(move |n: u64, job: &mut Job<'_, u64>| {
            job.emit(n);
            if what == 2 { quiet_panic("each item") } else { Ok(()) }
        })
    };
    source.fan_out().workers(2).window(16).with(factory).unwrap()
}

#[test]
fn a_pipeline_that_fails_stops_or_is_dropped_does_not_affect_others() {
    for what in 0..6 {
        run(async move {
            let mut fails = befallen(what);
            let mut neighbour = (0..3000u64).fan_out().workers(2).window(16).ordered().map(|n| n).unwrap();
            let pool = pool().workers(2).window(16).map(|n: u64| n + 1).unwrap();
            let (befallen, befallen_stop) = (what, fails.stop_handle());
            let fate = async move {
                for _ in 0..50 {
                    let _ = fails.next().await;
                }
                match befallen {
                    3 => fails.drain(),
                    4 => drop(fails),
                    2 | 5 => fails.stop(),
                    0 => assert!(matches!(fails.finished().await, Err(PipelineError::SourcePanicked { .. }))),
                    _ => assert!(matches!(fails.finished().await, Err(PipelineError::WorkerFactory { .. }))),
                }
            };
            let items = async { neighbour.by_ref().map(Result::unwrap).collect::<Vec<_>>().await };
            let (_, items, answers) = join!(fate, items, join_all((0..1000).map(|n| pool.submit(n))));
            assert_eq!(items, (0..3000).collect::<Vec<_>>());
            assert!((1..).zip(answers).all(|(n, answer)| answer.unwrap() == n));
            befallen_stop.workers_stopped().await;
            assert_settled(&neighbour.finished().await.unwrap());
            pool.drain();
            assert_settled(&pool.finished().await.unwrap());
        });
    }
}

#[test]
fn a_pool_that_fails_or_stops_does_not_affect_others() {
    for fails in [false, true] {
        run(async move {
            let mut neighbour = (0..3000u64).fan_out().workers(2).window(16).ordered().map(|n| n).unwrap();
            let other = pool().workers(1).map(|n: u64| n + 1).unwrap();
            let befallen = pool().workers(1).window(4).with(move || {
                if fails {
                    quiet_panic("the factory");
                }
                work_fn(|n: u64, job: &mut Job<'_, u64>| {
                    job.emit(n);
                    Ok(())
                })
            });
            let befallen = befallen.unwrap();
            let submissions: Vec<_> = (0..100).map(|n| befallen.submit(n)).collect();
            if !fails {
                befallen.stop();
            }
            let items = async { neighbour.by_ref().map(Result::unwrap).collect::<Vec<_>>().await };
            let (lost, items, answers) =
                join!(join_all(submissions), items, join_all((0..1000).map(|n| other.submit(n))));
            assert!(lost.iter().any(Result::is_err));
            assert_eq!(items, (0..3000).collect::<Vec<_>>());
            assert!((1..).zip(answers).all(|(n, answer)| answer.unwrap() == n));
            befallen.drain();
            assert_eq!(befallen.finished().await.is_err(), fails);
            other.drain();
            for stats in [befallen.stats(), other.finished().await.unwrap(), neighbour.finished().await.unwrap()] {
                assert_settled(&stats);
            }
        });
    }
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
