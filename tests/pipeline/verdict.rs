//! What limits the throughput. A test brings a pipeline into a state that lasts, and looks whose time goes on.

use std::time::Duration;

use actix_fan::{Bottleneck, FanIn, FanOutExt, Stats, fan_in, pool};
use futures::channel::mpsc;
use futures::{SinkExt, StreamExt};
use tokio::task::yield_now;

use crate::support::{Gate, run};

fn times(stats: &Stats) -> [Duration; 3] {
    stats.verdict.map_or([Duration::ZERO; 3], |verdict| [verdict.worker, verdict.source, verdict.consumer])
}

/// The one whose time goes on alone; `None` if there are several, as between two states.
fn bottleneck(stats: impl Fn() -> Stats) -> Option<Bottleneck> {
    let before = times(&stats());
    let mut after = before;
    while after == before {
        after = times(&stats());
    }
    match [0, 1, 2].map(|kind| after[kind] > before[kind]) {
        [true, false, false] => Some(Bottleneck::Worker),
        [false, true, false] => Some(Bottleneck::Source),
        [false, false, true] => Some(Bottleneck::Consumer),
        _ => None,
    }
}

/// Waits until it is `expected`, which then lasts.
async fn settle(stats: impl Fn() -> Stats, expected: Bottleneck) {
    while bottleneck(&stats) != Some(expected) {
        yield_now().await;
    }
    for _ in 0..100 {
        yield_now().await;
        assert_eq!(bottleneck(&stats), Some(expected), "{:?}", stats());
    }
}

/// In order or not, each item passes the gate.
fn gated(gate: &Gate, ordered: bool) -> FanIn<u64> {
    let gate = gate.clone();
    let builder = (0..100u64).fan_out().workers(2).window(8).batch(1);
    let builder = if ordered { builder.ordered() } else { builder };
    builder
        .map(move |n| {
            gate.pass();
            n
        })
        .unwrap()
}

#[test]
fn slow_work_is_worker_bound() {
    for ordered in [false, true] {
        run(async move {
            let gate = Gate::new();
            let results = gated(&gate, ordered);
            gate.arrived(2).await;
            settle(|| results.stats(), Bottleneck::Worker).await;
            gate.open();
        });
    }
}

#[test]
fn a_slow_source_is_source_bound() {
    for ordered in [false, true] {
        run(async move {
            let (mut items, source) = mpsc::channel(1);
            let builder = source.fan_out().workers(2);
            let mut results = if ordered { builder.ordered() } else { builder }.map(|n: u64| n).unwrap();
            for n in 0..3 {
                items.send(n).await.unwrap();
                assert_eq!(results.next().await.unwrap().unwrap(), n);
                settle(|| results.stats(), Bottleneck::Source).await;
            }
        });
    }
}

#[test]
fn a_slow_consumer_is_consumer_bound() {
    for ordered in [false, true] {
        run(async move {
            let gate = Gate::new();
            gate.open();
            let mut results = gated(&gate, ordered);
            for _ in 0..3 {
                while results.stats().finished < 8 {
                    yield_now().await;
                }
                settle(|| results.stats(), Bottleneck::Consumer).await;
                results.next().await.unwrap().unwrap();
            }
        });
    }
}

#[test]
fn a_consumer_that_keeps_the_arbiter_is_consumer_bound() {
    run(async {
        let results = (0..u64::MAX).fan_out().workers(2).batch(1).map(|n| n).unwrap();
        // Nothing that runs on this arbiter goes on while this looks. Before that, the generator may just have yielded,
        // and be about to ask its source for more: then this looks in vain, and not for long, since a look may be slow.
        let is_consumer = |_| bottleneck(|| results.stats()) == Some(Bottleneck::Consumer);
        while !(0..200).any(is_consumer) {
            yield_now().await;
        }
        assert_eq!(bottleneck(|| results.stats()), Some(Bottleneck::Consumer));
        let stats = results.stats();
        assert!(stats.in_flight < stats.limit.unwrap(), "{stats:?}");
    });
}

#[test]
fn an_item_that_holds_back_a_full_window_of_results_is_worker_bound() {
    run(async {
        let gate = Gate::new();
        let passes = gate.clone();
        let results = (0..100u64)
            .fan_out()
            .workers(2)
            .window(8)
            .batch(1)
            .ordered()
            .map(move |n| {
                if n == 0 {
                    passes.pass();
                }
                n
            })
            .unwrap();
        while results.stats().finished < 7 {
            yield_now().await;
        }
        settle(|| results.stats(), Bottleneck::Worker).await;
        gate.open();
        while results.stats().finished < 8 {
            yield_now().await;
        }
        settle(|| results.stats(), Bottleneck::Consumer).await;
    });
}

#[test]
fn an_iterator_whose_results_are_not_taken_is_consumer_bound() {
    run(async {
        let results = (0..1).fan_out().workers(1).window(4).flat_map(|_| 0u64..).unwrap();
        settle(|| results.stats(), Bottleneck::Consumer).await;
    });
}

#[test]
fn the_time_stands_still_after_the_end() {
    run(async {
        let mut results = (0..100u64).fan_out().workers(2).map(|n| n).unwrap();
        let stats = results.finished().await.unwrap();
        let verdict = stats.verdict.expect("it has run");
        assert!(verdict.share > 0.33 && verdict.share <= 1.0, "{verdict}");
        assert_eq!(times(&results.stats()), times(&stats));
    });
}

#[test]
fn a_merged_stream_has_no_verdict() {
    run(async {
        let mut merged = fan_in([(0..3).fan_out().map(|n| n).unwrap()]);
        assert_eq!(merged.by_ref().count().await, 3);
        assert_eq!(merged.stats().verdict, None);
    });
}

#[test]
fn a_pool_is_bound_by_its_callers_its_workers_or_the_streams_of_its_channels() {
    run(async {
        let gate = Gate::new();
        let passes = gate.clone();
        let pool = pool()
            .workers(1)
            .window(2)
            .map(move |n: u64| {
                passes.pass();
                n
            })
            .unwrap();
        settle(|| pool.stats(), Bottleneck::Source).await;
        let submitted = pool.submit(0);
        settle(|| pool.stats(), Bottleneck::Worker).await;
        gate.open();
        submitted.await.unwrap();
        settle(|| pool.stats(), Bottleneck::Source).await;
        let (mut sink, mut stream) = pool.channel();
        sink.send(1).await.unwrap();
        sink.send(2).await.unwrap();
        settle(|| pool.stats(), Bottleneck::Consumer).await;
        stream.next().await.unwrap().unwrap();
        settle(|| pool.stats(), Bottleneck::Source).await;
    });
}
