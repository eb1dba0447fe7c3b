//! Submitters that panic or drop what they hold: other submitters are not affected.

use std::thread;

use futures::{SinkExt, StreamExt};

use super::gated_pool::GatedPool;
use crate::support::{assert_settled, quiet_panic, run, settle};

#[test]
fn a_panic_of_the_submitter_cancels_its_submits() {
    for elsewhere in [false, true] {
        run(async move {
            let held = GatedPool::new(1, 2);
            let running = held.pool.submit(0);
            held.gate.arrived(1).await;
            let pool = held.pool.clone();
            let panics = move || {
                let _submissions = [1, 2, 3].map(|n| pool.submit(n));
                assert_eq!((pool.stats().queued, pool.stats().waiting), (1, 2));
                quiet_panic("the submitter has enough");
            };
            if elsewhere {
                assert!(thread::spawn(panics).join().is_err());
            } else {
                assert!(actix::spawn(async move { panics() }).await.unwrap_err().is_panic());
            }
            let stats = held.pool.stats();
            assert_eq!(
                (stats.in_flight, stats.queued, stats.waiting, stats.skipped),
                (1, 0, 0, 3),
                "each had the permit in turn"
            );
            held.gate.open();
            assert_eq!(running.await.unwrap(), 0);
            assert_eq!(held.pool.submit(4).await.unwrap(), 40);
            held.pool.drain();
            assert_settled(&held.pool.finished().await.unwrap());
            assert_eq!(held.begun(), [0, 4]);
        });
    }
}

#[test]
fn a_panic_while_the_stream_is_held_cancels_the_items_of_its_sink() {
    run(async {
        let held = GatedPool::new(1, 3);
        let (mut sink, mut results) = held.pool.channel();
        for n in 0..4 {
            sink.feed(n).await.unwrap();
        }
        held.gate.let_through(1);
        let consumer = async move {
            results.next().await.unwrap().unwrap();
            quiet_panic("the consumer has enough");
        };
        assert!(actix::spawn(consumer).await.unwrap_err().is_panic());
        assert!(sink.feed(9).await.unwrap_err().is_closed());
        held.gate.open();
        assert_eq!(held.pool.submit(5).await.unwrap(), 50);
        held.pool.drain();
        let stats = held.pool.finished().await.unwrap();
        assert_settled(&stats);
        assert_eq!(stats.taken, 5);
        assert_eq!((held.begun()[0], held.begun().len() as u64), (0, stats.taken - stats.skipped));
    });
}

#[test]
fn an_unpolled_submit_blocks_no_other_and_keeps_its_result() {
    run(async {
        let held = GatedPool::new(1, 1);
        held.gate.open();
        let never_polled = held.pool.submit(0);
        for n in 1..20 {
            assert_eq!(held.pool.submit(n).await.unwrap(), 10 * n, "its permit returned with its work");
        }
        settle().await;
        assert_eq!(held.pool.stats().in_flight, 0);
        assert_eq!(never_polled.await.unwrap(), 0);
        held.pool.drain();
        assert_settled(&held.pool.finished().await.unwrap());
    });
}
