use std::pin::pin;
use std::sync::Arc;

use actix_fan::{SubmitError, pool};
use futures::stream::FusedStream;
use futures::{FutureExt, SinkExt, StreamExt, stream};

use super::gated_pool::GatedPool;
use crate::support::{Gate, assert_balanced, assert_settled, run, settle};

#[test]
fn every_item_fed_to_the_sink_has_its_result_in_the_stream() {
    for items in [0, 1, 500u64] {
        run(async move {
            let squares = pool().workers(2).window(7).map(|n: u64| n * n).unwrap();
            let (sink, mut results) = squares.channel();
            actix::spawn(stream::iter(0..items).map(Ok).forward(sink));
            let mut got: Vec<u64> = results.by_ref().map(Result::unwrap).collect().await;
            got.sort_unstable();
            assert_eq!(got, (0..items).map(|n| n * n).collect::<Vec<_>>());
            assert!(results.is_terminated());
            squares.drain();
            let stats = squares.finished().await.unwrap();
            assert_settled(&stats);
            assert_eq!((stats.completed, stats.emitted), (items, items));
        });
    }
}

#[test]
fn a_consumer_that_takes_nothing_stops_the_sink_at_the_window() {
    run(async {
        let held = GatedPool::new(2, 4);
        held.gate.open();
        let (mut sink, mut results) = held.pool.channel();
        let mut fed = 0;
        while sink.feed(fed).now_or_never().is_some() {
            fed += 1;
            assert!(fed <= 5, "four in flight and one that waits");
        }
        held.gate.arrived(4).await;
        settle().await;
        let stats = held.pool.stats();
        assert_eq!((stats.taken, stats.in_flight, stats.waiting), (4, 4, 1));
        assert_eq!(held.begun().len(), 4);
        for more in 0..20 {
            assert!(results.next().await.unwrap().is_ok());
            sink.feed(100 + more).await.unwrap();
            let stats = held.pool.stats();
            assert_balanced(&stats);
            assert!(stats.in_flight <= 4 && stats.waiting <= 1, "{stats:?}");
        }
    });
}

#[test]
fn taking_a_result_wakes_the_sink() {
    run(async {
        let held = GatedPool::new(1, 1);
        held.gate.open();
        let (mut sink, mut results) = held.pool.channel();
        sink.feed(0).await.unwrap();
        sink.feed(1).await.unwrap();
        let feeding = actix::spawn(async move { sink.feed(2).await.is_ok() });
        settle().await;
        assert!(!feeding.is_finished());
        assert_eq!(results.next().await.unwrap().unwrap(), 0);
        assert!(feeding.await.unwrap());
        assert_eq!(results.map(Result::unwrap).collect::<Vec<_>>().await, [10, 20]);
    });
}

#[test]
fn a_flush_waits_for_permits_and_not_for_results() {
    run(async {
        let held = GatedPool::new(1, 2);
        let (mut sink, _results) = held.pool.channel();
        sink.send(0).await.unwrap();
        sink.send(1).await.unwrap();
        assert!(sink.send(2).now_or_never().is_none());
        assert_eq!(held.pool.stats().waiting, 1);
        held.gate.open();
    });
}

#[test]
fn failures_keep_their_positions_among_the_results() {
    run(async {
        let pool = pool().workers(1).try_map(|n: u64| if n & 1 == 1 { Err("odd") } else { Ok(n) }).unwrap();
        let (mut sink, results) = pool.channel();
        for n in 0..4 {
            sink.send(n).await.unwrap();
        }
        sink.close().await.unwrap();
        assert!(matches!(sink.send(9).await, Err(SubmitError::Closed(9))), "a closed sink takes nothing");
        let kinds: Vec<bool> = results.map(|result| result.is_ok()).collect().await;
        assert_eq!(kinds, [true, false, true, false]);
    });
}

#[test]
fn close_and_stop_answer_every_item_that_the_sink_took() {
    for stop in [false, true] {
        run(async move {
            let held = GatedPool::new(1, 3);
            let (mut sink, mut results) = held.pool.channel();
            for n in 0..4 {
                sink.feed(n).await.unwrap();
            }
            held.gate.arrived(1).await;
            if stop {
                held.pool.stop()
            } else {
                held.pool.drain()
            }
            let refused = sink.feed(9).await.unwrap_err();
            assert_eq!(refused.into_item(), Some(9));
            drop(sink);
            held.gate.open();
            let (mut done, mut back) = (Vec::new(), Vec::new());
            while let Some(result) = results.next().await {
                match result {
                    Ok(result) => done.push(result),
                    Err(error) => back.push(error.into_item().unwrap()),
                }
            }
            back.sort_unstable();
            if stop {
                assert_eq!((done, back), (vec![0], vec![1, 2, 3]));
            } else {
                assert_eq!((done, back), (vec![0, 10, 20], vec![3]));
            }
            held.pool.drain();
            assert_settled(&held.pool.finished().await.unwrap());
        });
    }
}

#[test]
fn dropping_the_stream_cancels_only_the_items_of_its_sink() {
    run(async {
        let held = GatedPool::new(1, 4);
        let (mut sink, results) = held.pool.channel();
        let own = held.pool.submit(100);
        held.gate.arrived(1).await;
        for n in 0..4 {
            sink.feed(n).await.unwrap();
        }
        let waiting = held.pool.submit(200);
        let mut blocked = pin!(sink.feed(5));
        assert!(blocked.as_mut().now_or_never().is_none());
        drop(results);
        let stats = held.pool.stats();
        assert_eq!((stats.skipped, stats.in_flight, stats.queued, stats.waiting), (3, 2, 1, 0));
        assert!(matches!(blocked.await, Err(SubmitError::Closed(5))));
        held.gate.open();
        assert_eq!([own.await.unwrap(), waiting.await.unwrap()], [1000, 2000]);
        assert_eq!(held.begun(), [100, 200]);
        held.pool.drain();
        assert_settled(&held.pool.finished().await.unwrap());
    });
}

#[test]
fn dropping_the_stream_returns_the_permits_of_unread_results() {
    run(async {
        let held = GatedPool::new(1, 2);
        held.gate.open();
        let (mut sink, results) = held.pool.channel();
        sink.send(0).await.unwrap();
        sink.send(1).await.unwrap();
        held.gate.arrived(2).await;
        let waiting = held.pool.submit(2);
        settle().await;
        assert_eq!(held.pool.stats().waiting, 1);
        drop(results);
        assert_eq!(waiting.await.unwrap(), 20);
        held.pool.drain();
        let stats = held.pool.finished().await.unwrap();
        assert_eq!((stats.completed, stats.emitted), (3, 1));
    });
}

#[test]
fn channels_and_submits_share_a_pool() {
    run(async {
        let squares = pool().workers(2).window(5).map(|n: u64| n * n).unwrap();
        let pairs = (0..3u64).map(|k| {
            let (sink, results) = squares.channel();
            actix::spawn(stream::iter(0..100).map(move |n| Ok(1000 * k + n)).forward(sink));
            results.map(Result::unwrap).fold(0, async |sum, square| sum + square)
        });
        let alone = squares.submit(7);
        let sums = futures::future::join_all(pairs).await;
        let expected: Vec<u64> = (0..3).map(|k| (0..100).map(|n| (1000 * k + n) * (1000 * k + n)).sum()).collect();
        assert_eq!(sums, expected);
        assert_eq!(alone.await.unwrap(), 49);
    });
}

#[test]
fn a_channel_keeps_the_pool_open_and_its_end_closes_it() {
    run(async {
        let item = Arc::new(());
        let pool = pool().workers(1).map(|item: Arc<()>| Arc::strong_count(&item)).unwrap();
        let handle = pool.stop_handle();
        let (mut sink, mut results) = pool.channel();
        drop(pool);
        sink.send(Arc::clone(&item)).await.unwrap();
        assert_eq!(results.next().await.unwrap().unwrap(), 2);
        drop(sink);
        assert!(results.next().await.is_none());
        drop(results);
        handle.workers_stopped().await;
        assert_eq!(Arc::strong_count(&item), 1);
    });
}

#[test]
fn a_pool_that_is_closed_while_a_stream_is_dropped_ends_without_an_error() {
    struct Item(Option<Gate>);
    impl Drop for Item {
        fn drop(&mut self) {
            if let Some(gate) = &self.0 {
                gate.pass();
            }
        }
    }
    run(async {
        let (work, dropping) = (Gate::new(), Gate::new());
        let pass = work.clone();
        let pool = pool().workers(1).window(3).map(move |_: Item| pass.pass()).unwrap();
        let (mut sink, results) = pool.channel();
        sink.send(Item(None)).await.unwrap();
        work.arrived(1).await;
        for _ in 0..2 {
            sink.send(Item(Some(dropping.clone()))).await.unwrap();
        }
        // Both are out of the queue, and the permit of the second is still to be returned.
        let dropped = std::thread::spawn(move || drop(results));
        dropping.arrived(1).await;
        pool.drain();
        work.open();
        pool.stop_handle().workers_stopped().await;
        settle().await;
        dropping.open();
        pool.drain();
        let stats = pool.finished().await.expect("the System runs");
        assert_settled(&stats);
        assert_eq!((stats.completed, stats.skipped), (1, 2));
        dropped.join().unwrap();
    });
}

#[test]
fn dropping_a_stream_costs_time_for_its_own_items_only() {
    run(async {
        let held = GatedPool::new(1, 200_000);
        let others: Vec<_> = (0..100_000).map(|n| held.pool.submit(n)).collect();
        held.gate.arrived(1).await;
        // Minutes, if each drop looked at the whole queue.
        for round in 0..10_000 {
            let (mut sink, results) = held.pool.channel();
            if round % 2 == 0 {
                sink.feed(round).await.unwrap();
            }
            drop((sink, results));
            assert_eq!(held.pool.stats().in_flight, 100_000);
            tokio::task::yield_now().await;
        }
        held.pool.stop();
        held.gate.open();
        drop(others);
        held.pool.drain();
        let stats = held.pool.finished().await.unwrap();
        assert_settled(&stats);
        assert_eq!((stats.taken, stats.completed), (105_000, 1));
    });
}

#[test]
fn a_dropped_stream_removes_only_its_own_items_from_the_queue() {
    for closed in [false, true] {
        run(async move {
            let (counter, gate) = (crate::support::DropCounter::new(), Gate::new());
            let pass = gate.clone();
            let pool = pool().workers(1).window(6).map(move |item| {
                pass.pass();
                drop(item);
            });
            let pool = pool.unwrap();
            let running = pool.submit(None);
            gate.arrived(1).await;
            let channels = [(); 2].map(|()| pool.channel());
            let [(mut one, first), (mut other, second)] = channels;
            for _ in 0..2 {
                one.feed(Some(counter.track())).await.unwrap();
                other.feed(Some(counter.track())).await.unwrap();
            }
            let queued = pool.submit(None);
            // These two wait for permits until the close returns them.
            one.feed(Some(counter.track())).await.unwrap();
            other.feed(Some(counter.track())).await.unwrap();
            let stats = pool.stats();
            assert_eq!((stats.queued, stats.waiting, counter.alive()), (5, 2, 6));
            if closed {
                pool.drain();
            }
            drop(first);
            let stats = pool.stats();
            assert_eq!((stats.skipped, counter.alive()), (2, 3), "three of the first's are gone");
            assert_eq!((stats.queued, stats.waiting), if closed { (3, 0) } else { (4, 0) });
            drop(second);
            assert_eq!((pool.stats().queued, pool.stats().waiting, counter.alive()), (1, 0, 0));
            gate.open();
            running.await.unwrap();
            queued.await.unwrap();
            drop((one, other));
            pool.drain();
            let stats = pool.finished().await.unwrap();
            assert_settled(&stats);
            assert_eq!(stats.completed, 2);
        });
    }
}

#[test]
fn unread_results_of_a_drained_pool_count_as_in_flight() {
    run(async {
        let doubles = pool().workers(2).map(|n: u64| 2 * n).unwrap();
        let (mut sink, mut results) = doubles.channel();
        for n in 0..3 {
            sink.feed(n).await.unwrap();
        }
        drop(sink);
        doubles.drain();
        let stats = doubles.finished().await.unwrap();
        assert_eq!((stats.taken, stats.completed, stats.in_flight), (3, 0, 3));
        assert_balanced(&stats);
        assert!(results.next().await.unwrap().is_ok());
        assert_eq!(doubles.stats().in_flight, 2);
        drop(results);
        assert_settled(&doubles.stats());
        assert_eq!(doubles.stats().completed, 3);
    });
}
