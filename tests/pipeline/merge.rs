use std::pin::pin;
use std::task::{Context, Poll};

use actix_fan::{End, FanIn, FanOutExt, ItemError, StopHandle, fan_in};
use futures::channel::mpsc;
use futures::executor::block_on;
use futures::stream::{self, BoxStream, FusedStream};
use futures::task::noop_waker;
use futures::{FutureExt, Stream, StreamExt};

use crate::counting_source::CountingSource;
use crate::support::{Gate, assert_balanced, assert_settled, run, settle};

#[test]
fn a_merged_stream_ends_with_its_last_part_and_keeps_the_order_of_each() {
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
fn merging_no_streams_gives_an_empty_stream() {
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
        stop.stop();
        assert_eq!(consumer.await.unwrap(), 0);
        assert!(sender.is_closed());
    });
}

#[test]
fn stop_stops_the_pipelines_it_is_made_from() {
    run(async {
        let pipelines: Vec<_> =
            (0..2).map(|_| CountingSource::new().fan_out().workers(1).map(|n| n).unwrap()).collect();
        let handles: Vec<_> = pipelines.iter().map(|pipeline| pipeline.stop_handle()).collect();
        let mut merged = fan_in(pipelines);
        merged.next().await.unwrap().unwrap();
        merged.stop();
        assert!(merged.next().await.is_none());
        for handle in handles {
            assert!(handle.is_stopped());
            handle.workers_stopped().await;
        }
        assert_settled(&merged.stats());
    });
}

/// A pipeline of which one item is held at a gate.
fn held(gate: &Gate) -> FanIn<u64> {
    let pass = gate.clone();
    let results = CountingSource::new().fan_out().workers(1).batch(1).map(move |n| {
        pass.pass();
        n
    });
    results.unwrap()
}

#[test]
fn a_stop_takes_effect_at_any_depth_before_it_returns() {
    type Merge = fn([FanIn<u64>; 2]) -> (StopHandle, BoxStream<'static, Result<u64, ItemError>>);
    let merges: [Merge; 4] = [
        |pipelines| {
            let merged = fan_in(pipelines);
            (merged.stop_handle(), merged.boxed())
        },
        |[one, other]| {
            let merged = fan_in([fan_in([one.boxed(), stream::pending().boxed()]), fan_in([other.boxed()])]);
            (merged.stop_handle(), merged.boxed())
        },
        |pipelines| {
            let merged = fan_in(pipelines.map(|one| one.fan_out().workers(1).map(|n| n).unwrap().take(5)));
            (merged.stop_handle(), merged.boxed())
        },
        |[one, other]| {
            let merged = fan_in([one.chain(other).map(|result| result.map(|n| n + 1)).peekable()]);
            (merged.stop_handle(), merged.boxed())
        },
    ];
    for merge in merges {
        for polled in [false, true] {
            run(async move {
                let gate = Gate::new();
                let pipelines = [held(&gate), held(&gate)];
                let handles = [pipelines[0].stop_handle(), pipelines[1].stop_handle()];
                let (stop, mut merged) = merge(pipelines);
                gate.arrived(2).await;
                if polled {
                    assert!(merged.next().now_or_never().is_none());
                }
                // Nothing else runs on this arbiter until the next `await`.
                stop.stop();
                assert!(handles.iter().all(StopHandle::is_stopped));
                settle().await;
                assert!(stop.workers_stopped().now_or_never().is_none(), "two items run");
                assert!(stop.finished().now_or_never().is_none());
                gate.open();
                stop.workers_stopped().await;
                assert!(handles.iter().all(|handle| handle.workers_stopped().now_or_never().is_some()));
                assert_eq!(stop.finished().await.unwrap().end, Some(End::Stopped));
                assert_eq!(gate.arrivals(), 2, "no further item began");
                assert!(merged.next().await.is_none());
            });
        }
    }
}

#[test]
fn borrowed_pipelines_survive_a_drop_but_not_a_stop() {
    run(async {
        let mut pipeline = CountingSource::new().fan_out().workers(1).map(|n| n).unwrap();
        let mut merged = fan_in([pipeline.by_ref()]);
        merged.next().await.unwrap().unwrap();
        drop(merged);
        pipeline.next().await.unwrap().unwrap();
        let mut merged = fan_in([pipeline.by_ref().take(10)]);
        assert_eq!(merged.finished().await.unwrap().end, Some(End::Complete), "it doesn't wait for what goes on");
        drop(merged);
        let merged = fan_in([pipeline.by_ref()]);
        merged.stop();
        drop(merged);
        assert_eq!(pipeline.finished().await.unwrap().end, Some(End::Stopped));
    });
}

#[test]
fn a_drain_yields_items_already_taken() {
    let merged = fan_in([stream::iter(0..100)]);
    assert_eq!(merged.stats().batch_size, 32);
    let stop = merged.stop_handle();
    let mut merged = pin!(merged);
    let waker = noop_waker();
    let mut cx = Context::from_waker(&waker);
    assert!(matches!(merged.as_mut().poll_next(&mut cx), Poll::Ready(Some(0))));
    stop.drain();
    let rest: Vec<i32> = block_on(merged.as_mut().collect());
    assert_eq!(rest.len() as u64 + 1, stop.stats().taken);
    assert!(rest.iter().copied().eq(1..=rest.len() as i32));
    assert_settled(&stop.stats());
}

#[test]
fn a_stop_discards_items_already_taken() {
    let mut merged = fan_in([stream::iter(0..100)]);
    assert_eq!(merged.next().now_or_never().unwrap(), Some(0));
    merged.stop();
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
