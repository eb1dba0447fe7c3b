//! Answers that workers hold back to send several at a time: none waits for an item that is long.

use std::future::{Future, ready};
use std::task::Context;
use std::thread;

use actix_fan::{Pool, PoolBuilder, Workers, pool};
use futures::future::join_all;
use futures::{FutureExt, SinkExt, StreamExt, stream};

use crate::support::{Count, Gate, assert_settled, panicking_waker, run};

const SLOW: u64 = 1_000_000;

/// Before the slow item: so many that one at the gate before them is forgotten.
const QUICK: u64 = 3_000;

/// With those after it, which are queued meanwhile: otherwise nothing would be held back.
const ALL: u64 = 4_000;

const SUBMITTERS: u64 = 50;

/// A pool whose slow items wait at the gate. It has run many quick ones, so that it expects others and holds answers
/// back.
async fn used_to_quick_items(gate: &Gate, builder: PoolBuilder) -> Pool<u64, u64> {
    let pass = gate.clone();
    let work = move |n| {
        if n == SLOW {
            pass.pass();
        }
        n
    };
    let pool = builder.window(2 * ALL as usize).map(work).unwrap();
    let quick = stream::iter(0..5_000).map(|n| pool.submit(n)).buffer_unordered(64);
    assert_eq!(quick.filter(|result| ready(result.is_ok())).count().await, 5_000);
    pool
}

fn items() -> impl Iterator<Item = u64> {
    (0..QUICK).chain([SLOW]).chain(QUICK..ALL)
}

/// Keeps the worker from other items until one is let through at the gate.
async fn blocked(pool: &Pool<u64, u64>, gate: &Gate) -> impl Future<Output = ()> + use<> {
    let first = pool.submit(SLOW);
    gate.arrived(1).await;
    first.map(|result| assert_eq!(result.unwrap(), SLOW))
}

async fn ends(pool: &Pool<u64, u64>) {
    pool.drain();
    assert_settled(&pool.finished().await.unwrap());
}

#[test]
fn results_of_submits_do_not_wait_for_an_item_that_is_unexpectedly_slow() {
    run(async {
        let gate = Gate::new();
        let pool = used_to_quick_items(&gate, pool().workers(1)).await;
        let first = blocked(&pool, &gate).await;
        let mut submissions: Vec<_> = items().map(|n| pool.submit(n)).collect();
        let after = submissions.split_off(QUICK as usize);
        gate.let_through(1);
        first.await;
        gate.arrived(2).await;
        // By itself, before any other: a caller that takes an answer sends all that are held back.
        let last = submissions.pop().unwrap();
        assert_eq!(last.await.unwrap(), QUICK - 1);
        assert!(join_all(submissions).await.into_iter().map(Result::unwrap).eq(0..QUICK - 1));
        gate.open();
        assert!(join_all(after).await.into_iter().map(Result::unwrap).eq(items().skip(QUICK as usize)));
        ends(&pool).await;
    });
}

#[test]
fn results_of_a_channel_do_not_wait_for_an_item_that_is_unexpectedly_slow() {
    run(async {
        let gate = Gate::new();
        let pool = used_to_quick_items(&gate, pool().workers(1)).await;
        let (mut sink, mut results) = pool.channel();
        let first = blocked(&pool, &gate).await;
        sink.send_all(&mut stream::iter(items()).map(Ok)).await.unwrap();
        gate.let_through(1);
        first.await;
        let before: Vec<u64> = results.by_ref().take(QUICK as usize).map(Result::unwrap).collect().await;
        assert!(before.into_iter().eq(0..QUICK));
        gate.open();
        drop(sink);
        assert_eq!(results.count().await as u64, ALL - QUICK + 1);
        ends(&pool).await;
    });
}

#[test]
fn a_thread_that_blocks_for_a_result_does_not_wait_for_an_item_that_is_unexpectedly_slow() {
    run(async {
        let gate = Gate::new();
        let pool = used_to_quick_items(&gate, pool().workers(2)).await;
        let slow = [pool.submit(SLOW), pool.submit(SLOW)];
        gate.arrived(2).await;
        let threads: Vec<_> = (0..SUBMITTERS)
            .map(|n| {
                let pool = pool.clone();
                thread::spawn(move || pool.blocking_submit(n).unwrap())
            })
            .collect();
        // One of the two goes on; the other stays.
        gate.let_through(1);
        let results = threads.into_iter().map(|thread| thread.join().unwrap());
        assert!(results.eq(0..SUBMITTERS));
        gate.open();
        assert!(join_all(slow).await.into_iter().all(|result| result.unwrap() == SLOW));
        ends(&pool).await;
    });
}

#[test]
fn results_do_not_wait_while_their_thread_serves_another_run() {
    run(async {
        let workers = Workers::builder().threads(1).build().unwrap();
        let gate = Gate::new();
        let quick = used_to_quick_items(&gate, pool().on(&workers)).await;
        let slow = used_to_quick_items(&gate, pool().on(&workers)).await;
        let mut submissions: Vec<_> = (0..10_000).map(|n| quick.submit(n)).collect();
        // It has had as much service, so it is served long before the others are through.
        let last = slow.submit(SLOW);
        gate.arrived(1).await;
        let ended = quick.stats().completed - 5_000;
        // They began in order, by one thread.
        let after = submissions.split_off(ended as usize);
        assert!(join_all(submissions).await.into_iter().map(Result::unwrap).eq(0..ended));
        gate.open();
        assert_eq!(last.await.unwrap(), SLOW);
        assert!(join_all(after).await.into_iter().all(|result| result.is_ok()));
        ends(&quick).await;
        ends(&slow).await;
    });
}

#[test]
fn a_waker_that_panics_costs_no_other_submitter_its_answer() {
    run(async {
        let (gate, woken) = (Gate::new(), Count::new());
        let pool = used_to_quick_items(&gate, pool().workers(1)).await;
        let slow = pool.submit(SLOW);
        gate.arrived(1).await;
        let waker = panicking_waker(&woken);
        let mut faulty: Vec<_> = (0..SUBMITTERS).map(|n| pool.submit(n)).collect();
        for submission in &mut faulty {
            assert!(submission.poll_unpin(&mut Context::from_waker(&waker)).is_pending());
        }
        let good: Vec<_> = (0..SUBMITTERS).map(|n| pool.submit(n)).collect();
        gate.open();
        assert!(join_all(good).await.into_iter().map(Result::unwrap).eq(0..SUBMITTERS));
        woken.reached(SUBMITTERS).await;
        assert!(join_all(faulty).await.into_iter().map(Result::unwrap).eq(0..SUBMITTERS));
        assert_eq!(slow.await.unwrap(), SLOW);
        ends(&pool).await;
    });
}
