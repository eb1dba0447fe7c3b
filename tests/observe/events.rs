use std::sync::Arc;
use std::thread;

use actix_fan::observe::RunKind;
use actix_fan::{FanOutExt, Stats, Stopped, Workers, pool};
use futures::{SinkExt, StreamExt, stream};

use crate::counting::{Counting, Told};
use crate::support::{Gate, quiet_panic, run, settle};

/// An item of each kind: good, failed, panicking.
fn work(n: u64) -> Result<u64, String> {
    match n % 10 {
        3 => Err(format!("{n} is bad")),
        7 => quiet_panic("no sevens"),
        _ => Ok(n),
    }
}

#[test]
fn every_item_of_a_pipeline_is_told_once() {
    for (wants_items, batch) in [(false, None), (false, Some(7)), (true, None), (true, Some(7))] {
        run(async move {
            let counting = Counting::new(wants_items);
            let source = stream::iter((0..2_000u64).map(|n| if n % 100 == 50 { Err("source") } else { Ok(n) }));
            let mut builder = source.try_fan_out().name("work").workers(2).observe(Arc::clone(&counting));
            if let Some(batch) = batch {
                builder = builder.batch(batch);
            }
            let mut results = builder.try_map(work).unwrap();
            assert_eq!(results.stats().name.as_deref(), Some("work"));
            while results.next().await.is_some() {}
            let stats = results.finished().await.unwrap();
            let told = counting.told();
            told.assert_agrees(&stats);
            assert_eq!(told.started, [(RunKind::Pipeline, Some("work".to_owned()))]);
            assert_eq!((told.source_failed, told.failed, told.handed_over), (20, 400, told.taken));
            // Told by the thread that was the last to leave.
            while counting.told().ended_runs < 1 {
                tokio::task::yield_now().await;
            }
            assert_eq!(told.contexts.len(), 1, "of the start");
            assert_eq!(told.threads.len(), 2);
            assert!(told.threads.contains(&("fan-worker".to_owned(), 1)), "{:?}", told.threads);
            assert!(!wants_items || told.ended == told.completed + told.failed);
        });
    }
}

#[test]
fn the_items_of_lazy_iterators_are_told_once() {
    for wants_items in [false, true] {
        run(async move {
            let counting = Counting::new(wants_items);
            let builder = (0..40u64).fan_out().workers(2).window(16).observe(Arc::clone(&counting));
            let mut results = builder.flat_map(|n| 0..n * 10).unwrap();
            while results.next().await.is_some() {}
            let stats = results.finished().await.unwrap();
            let told = counting.told();
            told.assert_agrees(&stats);
            assert_eq!(told.completed, 40);
        });
    }
}

#[test]
fn what_a_stop_skips_is_told() {
    for wants_items in [false, true] {
        run(async move {
            let counting = Counting::new(wants_items);
            let gate = Gate::new();
            let pass = gate.clone();
            let builder = (0u64..).fan_out().workers(1).window(20).batch(5).observe(Arc::clone(&counting));
            let results = builder.map(move |_| pass.pass()).unwrap();
            let stop = results.stop_handle();
            gate.arrived(1).await;
            drop(results);
            gate.open();
            let stats = stop.finished().await.unwrap();
            settle().await;
            counting.told().assert_agrees(&stats);
            assert_eq!(counting.told().completed, 1);
        });
    }
}

#[test]
fn every_item_of_a_pool_is_told_once_with_what_its_caller_took_along() {
    run(async {
        let counting = Counting::new(false);
        let gate = Gate::new();
        let pass = gate.clone();
        let work = move |n: u64| {
            if n == 1_000 {
                pass.pass();
            }
            work(n)
        };
        let pool = pool().name("numbers").workers(1).window(3).observe(Arc::clone(&counting)).try_map(work).unwrap();
        let held = pool.submit(1_000);
        gate.arrived(1).await;
        let cancelled = pool.submit(1_001);
        let waiting: Vec<_> = (0..20).map(|n| pool.submit(n)).collect();
        drop(cancelled);
        gate.open();
        assert!(held.await.is_ok());
        for submission in waiting {
            let _ = submission.await;
        }
        let (mut sink, results) = pool.channel();
        let feed = async move {
            for n in 0..20 {
                sink.send(n).await.unwrap();
            }
        };
        let ((), results) = futures::join!(feed, results.collect::<Vec<_>>());
        assert_eq!(results.len(), 20);
        pool.drain();
        let stats: Stats = pool.finished().await.unwrap();
        let told: Told = counting.told();
        told.assert_agrees(&stats);
        assert_eq!((told.taken, told.skipped, told.failed), (42, 1, 8));
        assert_eq!(told.started, [(RunKind::Pool, Some("numbers".to_owned()))]);
        assert_eq!(told.contexts.len(), 42, "one per item");
        assert_eq!(told.contexts.iter().filter(|ended| **ended == 0).count(), 1, "that of the cancelled one");
        assert!(told.contexts.iter().all(|ended| *ended <= 1));
    });
}

#[test]
fn an_item_that_sees_its_stop_is_skipped() {
    run(async {
        let counting = Counting::new(false);
        let gate = Gate::new();
        let pass = gate.clone();
        let work = move |_: u64| {
            pass.pass();
            Err::<u64, _>(Stopped)
        };
        let pool = pool().workers(1).observe(Arc::clone(&counting)).try_map(work).unwrap();
        let submission = pool.submit(1);
        gate.arrived(1).await;
        pool.stop();
        gate.open();
        assert!(submission.await.is_err());
        let stats = pool.finished().await.unwrap();
        let told = counting.told();
        told.assert_agrees(&stats);
        assert_eq!((told.stopped, told.skipped, told.failed), (1, 1, 0));
    });
}

#[test]
fn an_observer_of_a_set_sees_all_that_runs_on_it() {
    run(async {
        let counting = Counting::new(false);
        let workers = Workers::builder().threads(2).thread_name("seen").observe(Arc::clone(&counting)).build().unwrap();
        assert_eq!(workers.run(|| 1).await.unwrap(), 1);
        assert!(workers.run(|| quiet_panic("no")).await.is_err());
        let pipeline = (0..10u64).fan_out().on(&workers).map(|n| n).unwrap();
        assert_eq!(pipeline.count().await, 10);
        let pool = pool().on(&workers).map(|n: u64| n).unwrap();
        assert_eq!(pool.submit(3).await.unwrap(), 3);
        pool.drain();
        pool.finished().await.unwrap();
        let elsewhere = (0..10u64).fan_out().workers(1).map(|n| n).unwrap();
        assert_eq!(elsewhere.count().await, 10);
        let told = counting.told();
        let kinds: Vec<_> = told.started.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, [RunKind::Closures, RunKind::Pipeline, RunKind::Pool]);
        assert_eq!((told.taken, told.completed, told.failed), (13, 12, 1));
        drop(workers);
        while counting.told().threads_stopped < 2 {
            thread::yield_now();
        }
        let mut threads = counting.told().threads;
        threads.sort();
        assert_eq!(threads, [("seen".to_owned(), 0), ("seen".to_owned(), 1)]);
    });
}

#[test]
fn changes_of_the_settings_are_told_until_the_end() {
    run(async {
        let counting = Counting::new(false);
        let pool = pool().workers(3).window(8).observe(Arc::clone(&counting)).map(|n: u64| n).unwrap();
        pool.set_window(2).unwrap();
        pool.set_window(0).unwrap_err();
        pool.set_window(5).unwrap();
        pool.set_concurrency(1).unwrap();
        pool.set_concurrency(7).unwrap();
        let expected = (vec![(8, 2), (2, 5)], vec![(3, 1), (1, 3)]);
        let told = || (counting.told().limits, counting.told().concurrencies);
        assert_eq!(told(), expected);
        pool.drain();
        let stats = pool.finished().await.unwrap();
        assert_eq!((stats.limit, stats.concurrency), (Some(5), Some(3)));
        pool.set_window(9).unwrap();
        assert_eq!(told(), expected);
    });
}
