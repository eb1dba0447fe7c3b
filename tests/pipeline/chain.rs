use actix_fan::{End, FanIn, FanOutExt, PipelineError, fan_in};
use futures::{FutureExt, StreamExt, stream};

use crate::counting_source::CountingSource;
use crate::support::{Count, Gate, assert_settled, quiet_panic, run, settle};

#[test]
fn a_failure_of_the_first_stage_passes_through_the_second_in_order() {
    run(async {
        let first = (0..10u64)
            .fan_out()
            .workers(2)
            .batch(3)
            .ordered()
            .try_map(|n| if n % 4 == 1 { Err(format!("bad {n}")) } else { Ok(n) })
            .unwrap();
        let mut second = first
            .fan_out()
            .workers(2)
            .batch(4)
            .ordered()
            .map(|n| if n == 6 { quiet_panic("not six") } else { n * 10 })
            .unwrap();
        let mut got = Vec::new();
        while let Some(result) = second.next().await {
            got.push(result.map_err(|error| error.to_string()));
        }
        let failed = |index: u64| Err(format!("item {index} failed"));
        let expected = [
            Ok(0),
            failed(1),
            Ok(20),
            Ok(30),
            Ok(40),
            failed(5),
            Err("item 6 panicked: not six".into()),
            Ok(70),
            Ok(80),
            failed(9),
        ];
        assert_eq!(got, expected);
        let stats = second.finished().await.unwrap();
        assert_eq!((stats.taken, stats.completed, stats.failed), (10, 6, 4));
    });
}

#[test]
fn stopping_the_last_stage_stops_the_first() {
    run(async {
        let first = CountingSource::new().fan_out().workers(2).map(|n| n).unwrap();
        let first_stop = first.stop_handle();
        let mut second = first.fan_out().workers(2).map(|n| n).unwrap();
        second.next().await.unwrap().unwrap();
        second.stop();
        second.finished().await.unwrap();
        first_stop.workers_stopped().await;
        settle().await;
        assert!(first_stop.is_stopped());
        assert_settled(&first_stop.stats());
    });
}

/// A first stage of which two items are held at a gate, and its gate.
fn held() -> (FanIn<u64>, Gate) {
    let gate = Gate::new();
    let pass = gate.clone();
    let results = CountingSource::new().fan_out().workers(2).batch(1).map(move |n| {
        pass.pass();
        n
    });
    (results.unwrap(), gate)
}

#[test]
fn a_stop_or_drop_of_the_last_stage_takes_effect_in_the_first_before_it_returns() {
    for drop_it in [false, true] {
        for adapted in [false, true] {
            run(async move {
                let (first, gate) = held();
                let first_stop = first.stop_handle();
                let second = if adapted {
                    first.map(Result::unwrap).chain(stream::pending()).boxed_local().fan_out().map(|n| n).unwrap()
                } else {
                    first.fan_out().map(|n| n).unwrap()
                };
                let third = second.fan_out().workers(1).map(|n| n).unwrap();
                let stop = third.stop_handle();
                gate.arrived(2).await;
                // Nothing else runs on this arbiter until the next `await`.
                let kept = if drop_it {
                    drop(third);
                    None
                } else {
                    stop.stop();
                    Some(third)
                };
                assert!(first_stop.is_stopped());
                settle().await;
                assert!(stop.workers_stopped().now_or_never().is_none(), "two items run");
                assert!(stop.finished().now_or_never().is_none());
                gate.open();
                stop.workers_stopped().await;
                assert!(first_stop.workers_stopped().now_or_never().is_some());
                stop.finished().await.unwrap();
                assert_eq!(gate.arrivals(), 2, "no further item began");
                drop(kept);
            });
        }
    }
}

#[test]
fn a_drain_of_a_later_stage_reaches_the_earlier_one_when_its_stream_is_dropped() {
    run(async {
        let (first, gate) = held();
        let first_stop = first.stop_handle();
        let mut second = first.fan_out().workers(1).map(|n| n).unwrap();
        gate.arrived(2).await;
        second.drain();
        assert!(!first_stop.is_stopped());
        settle().await;
        assert!(first_stop.is_stopped());
        gate.open();
        assert_eq!(second.finished().await.unwrap().end, Some(End::Drained));
    });
}

#[test]
fn draining_the_first_stage_drains_the_chain() {
    run(async {
        let first = CountingSource::new().fan_out().workers(2).map(|n| n).unwrap();
        let first_stop = first.stop_handle();
        let mut second = first.fan_out().workers(2).map(|n| n).unwrap();
        second.next().await.unwrap().unwrap();
        first_stop.drain();
        let rest = second.by_ref().count().await as u64;
        assert_eq!(rest + 1, first_stop.stats().taken);
        let stats = second.finished().await.unwrap();
        assert_eq!((stats.completed, stats.skipped), (rest + 1, 0));
    });
}

#[test]
fn backpressure_goes_through_both_stages() {
    run(async {
        let (source, done) = (CountingSource::new(), Count::new());
        let count = done.clone();
        let first = source.clone().fan_out().workers(1).window(4).batch(1).map(|n| n).unwrap();
        let second = first
            .fan_out()
            .workers(1)
            .window(4)
            .batch(1)
            .map(move |n| {
                count.add();
                n
            })
            .unwrap();
        done.reached(4).await;
        settle().await;
        assert!(source.taken() <= 8, "{}", source.taken());
        drop(second);
    });
}

#[test]
fn many_pipelines_can_be_the_source_of_one() {
    run(async {
        let stages = (0..3u64).map(|k| {
            (0..100u64)
                .fan_out()
                .workers(1)
                .try_map(move |n| if n == 50 { Err("fifty") } else { Ok(n + 100 * k) })
                .unwrap()
        });
        let mut sums = fan_in(stages.collect::<Vec<_>>()).try_fan_out().workers(2).map(|n| n).unwrap();
        let (mut sum, mut failures) = (0, 0);
        while let Some(result) = sums.next().await {
            match result {
                Ok(n) => sum += n,
                Err(error) => {
                    assert_eq!(error.index(), 50);
                    assert_eq!(error.work_error().unwrap().to_string(), "fifty");
                    failures += 1;
                }
            }
        }
        assert_eq!((sum, failures), (44_850 - 50 - 150 - 250, 3));
    });
}

#[test]
fn a_failed_stage_is_an_error_at_the_end_of_the_chain() {
    run(async {
        let source = (0u64..).inspect(|n| {
            if *n == 57 {
                quiet_panic("gone");
            }
        });
        let first = source.fan_out().workers(1).map(|n| n).unwrap();
        let mut second = first.fan_out().workers(2).map(|n| n).unwrap();
        let error = second.finished().await.map(|stats| (stats.completed, stats.failed));
        assert_eq!(error, Err(PipelineError::SourcePanicked { message: "gone".into() }));
    });
}
