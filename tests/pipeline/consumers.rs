//! Consumers that stop polling, panic or drop the stream: the pipeline ends, and nothing is left.

use std::thread;

use actix::{Actor, AsyncContext, Context, Handler, Message, StreamHandler};
use actix_fan::{Chunk, FanIn, FanOutExt, ItemError, PipelineError, StopHandle};
use futures::executor::block_on;
use futures::{FutureExt, StreamExt};

use crate::support::{Count, DropCounter, Tracked, assert_settled, quiet_panic, run, settle};

const WINDOW: usize = 8;

/// An endless pipeline of tracked items in batches of four, and the count of completed ones.
fn endless(counter: &DropCounter) -> (FanIn<Tracked>, Count) {
    let (tracker, done) = (counter.clone(), Count::new());
    let count = done.clone();
    let source = std::iter::repeat_with(move || tracker.track());
    let results = source.fan_out().workers(2).window(WINDOW).batch(4).map(move |tracked| {
        count.add();
        tracked
    });
    (results.unwrap(), done)
}

async fn assert_over(stop: &StopHandle, counter: &DropCounter) {
    stop.workers_stopped().await;
    settle().await;
    assert!(stop.is_stopped());
    let stats = stop.stats();
    assert_settled(&stats);
    assert_eq!((stats.taken, counter.alive()), (counter.created() as u64, 0));
}

#[test]
fn a_consumer_that_stops_polling_and_drops_the_stream_leaves_nothing_behind() {
    for taken in [0, 1, 3, 4, 5, 20] {
        run(async move {
            let counter = DropCounter::new();
            let (mut results, done) = endless(&counter);
            let stop = results.stop_handle();
            for _ in 0..taken {
                results.next().await.unwrap().unwrap();
            }
            // The window is full and all of it done. How many were taken for that depends on the batches' sizes, since
            // a batch keeps its permits until its last result is taken.
            while stop.stats().in_flight < WINDOW || stop.stats().taken > done.get() {
                tokio::task::yield_now().await;
            }
            settle().await;
            let stats = stop.stats();
            assert_eq!((stats.in_flight, stats.taken), (WINDOW, done.get()), "no more are taken");
            assert!(counter.peak() <= WINDOW + 1, "the one in our hand besides: {}", counter.peak());
            drop(results);
            assert_over(&stop, &counter).await;
            assert_eq!((stop.stats().emitted, stop.stats().taken), (taken, stats.taken));
        });
    }
}

#[test]
fn dropping_a_stream_that_was_never_polled_leaves_nothing_behind() {
    run(async {
        let counter = DropCounter::new();
        let (results, _) = endless(&counter);
        let stop = results.stop_handle();
        drop(results);
        assert_over(&stop, &counter).await;
        assert_eq!(stop.stats().taken, 0);
    });
}

#[test]
fn a_panic_while_the_stream_is_held_stops_the_pipeline() {
    for chunks in [false, true] {
        for elsewhere in [false, true] {
            run(async move {
                let counter = DropCounter::new();
                let (mut results, _) = endless(&counter);
                let stop = results.stop_handle();
                let consumer = async move {
                    let _result = results.next().await.unwrap().unwrap();
                    let _chunk: Option<Chunk<Tracked>> = if chunks { results.next_chunk().await } else { None };
                    quiet_panic("the consumer has enough");
                };
                if elsewhere {
                    let (gone, end) = tokio::sync::oneshot::channel::<()>();
                    let thread = thread::spawn(move || {
                        let _gone = gone;
                        block_on(consumer)
                    });
                    end.await.unwrap_err();
                    assert!(thread.join().is_err());
                } else {
                    assert!(actix::spawn(consumer).await.unwrap_err().is_panic());
                }
                assert_over(&stop, &counter).await;
            });
        }
    }
}

#[test]
fn a_panic_while_a_chunk_is_held_returns_its_permits_and_the_pipeline_continues() {
    run(async {
        let counter = DropCounter::new();
        let (mut results, _) = endless(&counter);
        for _ in 0..10 {
            let mut chunk = results.next_chunk().await.unwrap();
            let consumer = async move {
                let _result = chunk.next().unwrap().unwrap();
                quiet_panic("not this one");
            };
            assert!(actix::spawn(consumer).await.unwrap_err().is_panic());
        }
        results.next().await.unwrap().unwrap();
        let stop = results.stop_handle();
        drop(results);
        assert_over(&stop, &counter).await;
    });
}

#[test]
fn a_chunk_that_outlives_its_stream_keeps_its_items_in_flight_until_it_is_dropped() {
    run(async {
        let counter = DropCounter::new();
        let (mut results, _) = endless(&counter);
        let chunk = results.next_chunk().await.unwrap();
        let held = chunk.len();
        let stop = results.stop_handle();
        drop(results);
        stop.workers_stopped().await;
        settle().await;
        assert_eq!((stop.stats().in_flight, counter.alive()), (held, held));
        drop(chunk);
        assert_over(&stop, &counter).await;
    });
}

#[test]
fn cancelling_next_loses_no_result() {
    run(async {
        let mut results = (0..200u64).fan_out().workers(2).window(4).ordered().map(|n| n).unwrap();
        let mut got = Vec::new();
        while got.len() < 200 {
            match results.next().now_or_never() {
                Some(result) => got.push(result.unwrap().unwrap()),
                None => tokio::task::yield_now().await,
            }
        }
        assert_eq!(got, (0..200).collect::<Vec<_>>());
        assert_settled(&results.finished().await.unwrap());
    });
}

struct Found(Result<Tracked, ItemError>);

impl Message for Found {
    type Result = ();
}

/// An actor that panics at the third result, be it a message or of a stream of its own.
struct Panics(u64);

impl Panics {
    fn take(&mut self, result: Result<Tracked, ItemError>) {
        let _tracked = result.unwrap();
        self.0 += 1;
        if self.0 == 3 {
            quiet_panic("the actor has enough");
        }
    }
}

impl Actor for Panics {
    type Context = Context<Self>;
}

impl Handler<Found> for Panics {
    type Result = ();

    fn handle(&mut self, Found(result): Found, _: &mut Context<Self>) {
        self.take(result);
    }
}

impl StreamHandler<Result<Tracked, ItemError>> for Panics {
    fn handle(&mut self, result: Result<Tracked, ItemError>, _: &mut Context<Self>) {
        self.take(result);
    }
}

#[test]
fn a_recipient_that_panics_stops_the_pipeline() {
    run(async {
        let counter = DropCounter::new();
        let (results, _) = endless(&counter);
        let stop = results.stop_handle();
        let error = results.deliver_with(Panics(0).start().recipient(), Found).await.unwrap_err();
        assert_eq!(error, PipelineError::RecipientGone);
        assert_over(&stop, &counter).await;
    });
}

#[test]
fn an_actor_that_panics_on_its_stream_stops_the_pipeline() {
    run(async {
        let counter = DropCounter::new();
        let (results, _) = endless(&counter);
        let stop = results.stop_handle();
        let actor = Panics::create(|ctx| {
            ctx.add_stream(results);
            Panics(0)
        });
        assert_over(&stop, &counter).await;
        assert!(!actor.connected());
    });
}
