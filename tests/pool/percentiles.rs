//! How long items were queued and ran. A test holds an item between two looks at the clock, and the time that was measured
//! is no shorter than the time between them.

use std::time::Instant;

use futures::{SinkExt, StreamExt};

use super::gated_pool::GatedPool;
use crate::support::{run, settle};

#[test]
fn the_wait_is_from_the_submit_with_that_for_a_permit_and_the_run_is_that_of_the_item() {
    run(async {
        let held = GatedPool::new(1, 1);
        assert_eq!((held.pool.stats().queue_wait, held.pool.stats().run_time), (None, None));
        let first = held.pool.submit(0);
        held.gate.arrived(1).await;
        let second = held.pool.submit(1);
        let submitted = Instant::now();
        assert_eq!(held.pool.stats().waiting, 1);
        settle().await;
        let least = submitted.elapsed();
        held.gate.let_through(1);
        first.await.unwrap();
        held.gate.open();
        second.await.unwrap();
        let stats = held.pool.stats();
        let (waited, ran) = (stats.queue_wait.unwrap(), stats.run_time.unwrap());
        assert_eq!((waited.items, ran.items), (2, 2));
        // The first one ran for at least as long as the second one waited.
        assert!(waited.max >= least && ran.max >= least, "{stats:?} {least:?}");
        assert!(waited.max <= stats.elapsed && ran.max <= stats.elapsed, "{stats:?}");
    });
}

#[test]
fn an_item_that_never_began_is_in_neither_and_those_of_a_channel_are_in_both() {
    run(async {
        let held = GatedPool::new(1, 8);
        let (mut sink, results) = held.pool.channel();
        sink.send(0).await.unwrap();
        held.gate.arrived(1).await;
        drop(held.pool.submit(1));
        sink.send(2).await.unwrap();
        held.gate.open();
        drop(sink);
        assert_eq!(results.count().await, 2);
        let stats = held.pool.stats();
        assert_eq!(stats.skipped, 1);
        assert_eq!([stats.queue_wait, stats.run_time].map(|times| times.unwrap().items), [2, 2]);
    });
}
