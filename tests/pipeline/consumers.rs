//! Consumers that stop polling, panic or leave: whatever they hold, the pipeline ends and nothing is left.

use std::thread;

use actix::{Actor, AsyncContext, Context, Handler, Message, StreamHandler};
use actix_fan::{Chunk, FanIn, FanOutExt, ItemError, PipelineError, StopHandle};
use futures::executor::block_on;
use futures::{FutureExt, StreamExt};

use crate::support::{Census, Citizen, Count, assert_settled, quiet_panic, run, settle};

const WINDOW: usize = 8;

/// An endless pipeline of citizens in batches of four, and the count of those whose work is done.
fn endless(census: &Census) -> (FanIn<Citizen>, Count) {
    let (births, done) = (census.clone(), Count::new());
    let count = done.clone();
    let source = std::iter::repeat_with(move || births.citizen());
    let results = source.fan_out().workers(2).window(WINDOW).batch(4).map(move |citizen| {
        count.add();
        citizen
    });
    (results.unwrap(), done)
}

async fn assert_over(stop: &StopHandle, census: &Census) {
    stop.workers_stopped().await;
    settle().await;
    assert!(stop.is_stopped());
    let stats = stop.stats();
    assert_settled(&stats);
    assert_eq!((stats.taken, census.living()), (census.born() as u64, 0));
}

#[test]
fn one_that_stops_polling_and_leaves_takes_everything_along_wherever_it_was() {
    for taken in [0, 1, 3, 4, 5, 20] {
        run(async move {
            let census = Census::new();
            let (mut results, done) = endless(&census);
            let stop = results.stop_handle();
            for _ in 0..taken {
                results.next().await.unwrap().unwrap();
            }
            // A batch keeps its credit until its last result was taken.
            done.reached(taken / 4 * 4 + WINDOW as u64).await;
            settle().await;
            let stats = stop.stats();
            assert_eq!((stats.in_flight, stats.taken), (WINDOW, done.get()), "the window is full");
            assert!(census.most() <= WINDOW + 1, "the one in our hand besides: {}", census.most());
            drop(results);
            assert_over(&stop, &census).await;
            assert_eq!((stop.stats().emitted, stop.stats().taken), (taken, stats.taken));
        });
    }
}

#[test]
fn one_that_never_polls_may_leave_at_once() {
    run(async {
        let census = Census::new();
        let (results, _) = endless(&census);
        let stop = results.stop_handle();
        drop(results);
        assert_over(&stop, &census).await;
        assert_eq!(stop.stats().taken, 0);
    });
}

#[test]
fn a_panic_while_the_stream_is_held_stops_the_pipeline() {
    for chunks in [false, true] {
        for elsewhere in [false, true] {
            run(async move {
                let census = Census::new();
                let (mut results, _) = endless(&census);
                let stop = results.stop_handle();
                let consumer = async move {
                    let _result = results.next().await.unwrap().unwrap();
                    let _chunk: Option<Chunk<Citizen>> = if chunks { results.next_chunk().await } else { None };
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
                assert_over(&stop, &census).await;
            });
        }
    }
}

#[test]
fn a_panic_while_a_chunk_is_held_gives_its_credit_back_and_the_pipeline_goes_on() {
    run(async {
        let census = Census::new();
        let (mut results, _) = endless(&census);
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
        assert_over(&stop, &census).await;
    });
}

#[test]
fn a_chunk_may_outlive_its_stream_and_keeps_its_items_in_flight_until_then() {
    run(async {
        let census = Census::new();
        let (mut results, _) = endless(&census);
        let chunk = results.next_chunk().await.unwrap();
        let stop = results.stop_handle();
        drop(results);
        stop.workers_stopped().await;
        settle().await;
        assert_eq!((stop.stats().in_flight, census.living()), (4, 4));
        drop(chunk);
        assert_over(&stop, &census).await;
    });
}

#[test]
fn a_next_that_is_given_up_loses_no_result() {
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

struct Found(Result<Citizen, ItemError>);

impl Message for Found {
    type Result = ();
}

/// An actor that panics at the third result, be it a message or of a stream of its own.
struct Panics(u64);

impl Panics {
    fn take(&mut self, result: Result<Citizen, ItemError>) {
        let _citizen = result.unwrap();
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

impl StreamHandler<Result<Citizen, ItemError>> for Panics {
    fn handle(&mut self, result: Result<Citizen, ItemError>, _: &mut Context<Self>) {
        self.take(result);
    }
}

#[test]
fn a_recipient_that_panics_is_gone_and_stops_the_pipeline() {
    run(async {
        let census = Census::new();
        let (results, _) = endless(&census);
        let stop = results.stop_handle();
        let error = results.deliver_with(Panics(0).start().recipient(), Found).await.unwrap_err();
        assert_eq!(error, PipelineError::RecipientGone);
        assert_over(&stop, &census).await;
    });
}

#[test]
fn an_actor_that_panics_over_its_stream_takes_the_pipeline_along() {
    run(async {
        let census = Census::new();
        let (results, _) = endless(&census);
        let stop = results.stop_handle();
        let actor = Panics::create(|ctx| {
            ctx.add_stream(results);
            Panics(0)
        });
        assert_over(&stop, &census).await;
        assert!(!actor.connected());
    });
}
