//! How long items were queued and ran. A test holds an item between two looks at the clock, and the time that was measured
//! is no shorter than the time between them.

use std::time::Instant;

use actix_fan::observe::Observer;
use actix_fan::{FanOutExt, Percentiles, Stats, Workers, fan_in};
use futures::{StreamExt, stream};
use tokio::task::yield_now;

use crate::support::{Gate, quiet_panic, run, settle};

/// Checks what holds of all of them, and returns how long items were queued and ran.
#[track_caller]
fn percentiles(stats: &Stats) -> [Percentiles; 2] {
    let both = [stats.queue_wait, stats.run_time].map(|times| times.expect("an item has run"));
    for Percentiles { p50, p90, p99, max, .. } in both {
        assert!(p50 <= p90 && p90 <= p99 && p99 <= max && max <= stats.elapsed, "{stats:?}");
    }
    both
}

#[test]
fn each_item_that_has_run_counts_once() {
    run(async {
        let source = stream::iter((0..20_000u64).map(|n| if n % 100 == 0 { Err("source") } else { Ok(n) }));
        let mut results = source
            .try_fan_out()
            .workers(3)
            .ordered()
            .try_map(|n| match n % 1000 {
                1 => Err("one"),
                2 => quiet_panic("two"),
                _ => Ok(n),
            })
            .unwrap();
        assert_eq!(results.stats().queue_wait, None);
        while results.next().await.is_some() {}
        let stats = results.finished().await.unwrap();
        let [waited, ran] = percentiles(&stats);
        assert_eq!((waited.items, ran.items), (19_800, 19_800));
        assert_eq!(stats.workers.iter().map(|worker| worker.items).sum::<u64>(), 19_800);
    });
}

#[test]
fn a_stop_leaves_the_items_out_that_have_not_begun() {
    run(async {
        let gate = Gate::new();
        let pass = gate.clone();
        let mut results = (0..100u64).fan_out().workers(2).batch(10).map(move |_| pass.pass()).unwrap();
        gate.arrived(2).await;
        results.stop();
        gate.open();
        let stats = results.finished().await.unwrap();
        let [waited, ran] = percentiles(&stats);
        assert_eq!((waited.items, ran.items, stats.completed), (2, 2, 2));
    });
}

#[test]
fn the_wait_is_from_the_hand_over_of_a_batch_until_a_thread_takes_it() {
    run(async {
        let workers = Workers::builder().threads(1).build().unwrap();
        let gate = Gate::new();
        let pass = gate.clone();
        let busy = workers.run(move || pass.pass());
        gate.arrived(1).await;
        let before = Instant::now();
        let mut results = (0..3u64).fan_out().on(&workers).batch(3).map(|n| n).unwrap();
        while results.stats().taken < 3 {
            yield_now().await;
        }
        // The batch was queued by this thread, in the same step.
        let queued = Instant::now();
        settle().await;
        let least = queued.elapsed();
        gate.open();
        busy.await.unwrap();
        assert_eq!(results.by_ref().count().await, 3);
        let [waited, _] = percentiles(&results.finished().await.unwrap());
        assert!(waited.items == 3 && waited.max >= least && waited.max <= before.elapsed(), "{waited:?} {least:?}");
    });
}

#[test]
fn the_items_of_a_batch_of_a_fixed_size_count_with_their_mean() {
    run(async {
        let gate = Gate::new();
        let pass = gate.clone();
        let mut results = (0..4u64)
            .fan_out()
            .workers(1)
            .batch(4)
            .map(move |n| {
                if n == 2 {
                    pass.pass();
                }
            })
            .unwrap();
        gate.arrived(1).await;
        let held = Instant::now();
        settle().await;
        let least = held.elapsed();
        gate.open();
        assert_eq!(results.by_ref().count().await, 4);
        let [_, ran] = percentiles(&results.finished().await.unwrap());
        assert!(ran.items == 4 && ran.max >= least / 4, "{ran:?} {least:?}");
        assert_eq!(ran.p50, ran.p99, "it is one time");
    });
}

/// Has each item be a stretch of its own.
struct PerItem;

impl Observer for PerItem {
    fn wants_items(&self) -> bool {
        true
    }
}

#[test]
fn items_that_run_one_by_one_are_measured_one_by_one() {
    run(async {
        let gate = Gate::new();
        let pass = gate.clone();
        let (sender, receiver) = futures::channel::mpsc::unbounded();
        let work = move |held: bool| {
            if held {
                pass.pass()
            }
        };
        let mut results = receiver.fan_out().workers(1).observe(PerItem).map(work).unwrap();
        while results.stats().batch_size < 8 {
            (0..8).for_each(|_| sender.unbounded_send(false).unwrap());
            results.by_ref().take(8).for_each(|result| async move { result.unwrap() }).await;
        }
        let before = results.stats().workers[0];
        sender.unbounded_send(true).unwrap();
        (0..7).for_each(|_| sender.unbounded_send(false).unwrap());
        gate.arrived(1).await;
        let held = Instant::now();
        settle().await;
        let least = held.elapsed();
        gate.open();
        drop(sender);
        assert_eq!(results.by_ref().count().await, 8);
        let stats = results.finished().await.unwrap();
        assert_eq!((stats.workers[0].items, stats.workers[0].batches), (before.items + 8, before.batches + 1));
        let [_, ran] = percentiles(&stats);
        assert!(ran.items == stats.completed && ran.max >= least, "{ran:?} {least:?}");
    });
}

#[test]
fn a_merged_stream_has_none() {
    run(async {
        let merged = fan_in([(0..10u64).fan_out().map(|n| n).unwrap()]);
        let handle = merged.stop_handle();
        assert_eq!(merged.count().await, 10);
        let stats = handle.stats();
        assert_eq!((stats.queue_wait, stats.run_time), (None, None));
    });
}
