use std::pin::pin;
use std::task::{Context, Poll};

use actix_fan::{FanOutExt, fan_in};
use futures::channel::mpsc;
use futures::stream::{self, FusedStream};
use futures::task::noop_waker;
use futures::{FutureExt, Stream, StreamExt};

use crate::counted::Counted;
use crate::support::{assert_balanced, assert_settled, run, settle};

#[test]
fn it_ends_when_all_have_ended_and_keeps_each_ones_order() {
    run(async {
        let streams: Vec<_> = (0..4u64)
            .map(|k| (0..k * 100).map(move |n| (k, n)).fan_out().workers(1).ordered().map(|n| n).unwrap())
            .collect();
        let mut merged = fan_in(streams);
        let mut next = [0; 4];
        while let Some(result) = merged.next().await {
            let (k, n) = result.unwrap();
            assert_eq!(n, next[k as usize]);
            next[k as usize] += 1;
            assert_balanced(&merged.stats());
        }
        assert_eq!(next, [0, 100, 200, 300]);
        let stats = merged.stats();
        assert_eq!((stats.taken, stats.completed, stats.emitted), (600, 600, 600));
        assert_settled(&stats);
        assert!(merged.is_terminated());
        assert_eq!(merged.size_hint(), (0, Some(0)));
    });
}

#[test]
fn none_is_an_empty_stream() {
    let mut merged = fan_in(Vec::<stream::Empty<u8>>::new());
    assert!(merged.next().now_or_never().unwrap().is_none());
}

#[test]
fn a_stream_that_is_always_ready_does_not_starve_the_others() {
    run(async {
        let (sender, receiver) = mpsc::unbounded();
        let mut merged = fan_in([stream::repeat(0u8).boxed(), receiver.boxed()]);
        for _ in 0..1000 {
            assert_eq!(merged.next().await, Some(0));
        }
        for n in 1..=10 {
            sender.unbounded_send(n).unwrap();
            let mut others = 0;
            while merged.next().await != Some(n) {
                others += 1;
                assert!(others <= 200, "item {n} does not come");
            }
        }
    });
}

#[test]
fn stop_wakes_a_waiting_consumer_and_drops_the_streams() {
    run(async {
        let (sender, receiver) = mpsc::unbounded::<u8>();
        let merged = fan_in([receiver]);
        let stop = merged.stop_handle();
        let consumer = actix::spawn(merged.count());
        settle().await;
        assert!(!consumer.is_finished());
        stop.now();
        assert_eq!(consumer.await.unwrap(), 0);
        assert!(sender.is_closed());
    });
}

#[test]
fn stop_stops_the_pipelines_it_is_made_from() {
    run(async {
        let pipelines: Vec<_> = (0..2).map(|_| Counted::new().fan_out().workers(1).map(|n| n).unwrap()).collect();
        let handles: Vec<_> = pipelines.iter().map(|pipeline| pipeline.stop_handle()).collect();
        let mut merged = fan_in(pipelines);
        merged.next().await.unwrap().unwrap();
        merged.stop_handle().now();
        assert!(merged.next().await.is_none());
        for handle in handles {
            assert!(handle.is_stopped());
            handle.workers_gone().await;
        }
        assert_settled(&merged.stats());
    });
}

#[test]
fn a_drain_yields_what_was_taken() {
    let merged = fan_in([stream::iter(0..100)]);
    let stop = merged.stop_handle();
    let mut merged = pin!(merged);
    let waker = noop_waker();
    let mut cx = Context::from_waker(&waker);
    assert!(matches!(merged.as_mut().poll_next(&mut cx), Poll::Ready(Some(0))));
    stop.drain();
    let rest: Vec<i32> = merged.as_mut().collect::<Vec<_>>().now_or_never().unwrap();
    assert_eq!(rest.len() as u64 + 1, stop.stats().taken);
    assert!(rest.iter().copied().eq(1..=rest.len() as i32));
    assert_settled(&stop.stats());
}

#[test]
fn a_stop_now_does_not_yield_what_was_taken() {
    let mut merged = fan_in([stream::iter(0..100)]);
    assert_eq!(merged.next().now_or_never().unwrap(), Some(0));
    merged.stop_handle().now();
    assert_eq!(merged.next().now_or_never().unwrap(), None);
    assert_settled(&merged.stats());
}

#[test]
fn a_merged_stream_that_was_dropped_is_stopped() {
    let merged = fan_in([stream::pending::<u8>()]);
    let stop = merged.stop_handle();
    drop(merged);
    assert!(stop.is_stopped());
    assert_eq!(stop.stats().elapsed, stop.stats().elapsed, "its clock stands still");
}
