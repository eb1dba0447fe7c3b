use std::task::{Context, Poll};

use actix::Actor;
use actix_fan::{FanOutExt, Job, Stop, Stopped, work_fn};
use futures::task::noop_waker;
use futures::{FutureExt, StreamExt, stream};

use crate::counting_source::CountingSource;
use crate::support::{Count, Gate, assert_settled, run, settle};

#[test]
fn stop_now_begins_no_further_item() {
    for batch in [1, 5] {
        run(async move {
            let (source, gate, begun) = (CountingSource::new(), Gate::new(), Count::new());
            let (pass, count) = (gate.clone(), begun.clone());
            let mut results = source
                .clone()
                .fan_out()
                .workers(2)
                .batch(batch)
                .map(move |n| {
                    count.add();
                    pass.pass();
                    n
                })
                .unwrap();
            gate.arrived(2).await;
            settle().await;
            let taken = source.taken();
            results.stop();
            gate.open();
            let mut delivered = 0;
            while let Some(result) = results.next().await {
                result.unwrap();
                delivered += 1;
            }
            let stats = results.finished().await.unwrap();
            assert_eq!((begun.get(), delivered, stats.completed), (2, 2, 2), "the items that ran arrive");
            assert_eq!((source.taken(), stats.skipped), (taken, taken - 2));
            assert_settled(&stats);
        });
    }
}

#[test]
fn a_drain_delivers_everything_in_flight_and_takes_no_more() {
    for ordered in [false, true] {
        run(async move {
            let (source, gate) = (CountingSource::new(), Gate::new());
            let pass = gate.clone();
            let mut builder = source.clone().fan_out().workers(2).window(20).batch(3);
            if ordered {
                builder = builder.ordered();
            }
            let mut results = builder
                .map(move |n| {
                    pass.pass();
                    n
                })
                .unwrap();
            gate.arrived(2).await;
            settle().await;
            let taken = source.taken();
            results.drain();
            gate.open();
            let mut got: Vec<u64> = results.by_ref().map(Result::unwrap).collect().await;
            if !ordered {
                got.sort_unstable();
            }
            assert_eq!(got, (0..taken).collect::<Vec<_>>());
            assert_eq!(source.taken(), taken);
            let stats = results.finished().await.unwrap();
            assert_eq!((stats.completed, stats.skipped), (taken, 0));
        });
    }
}

#[test]
fn stop_wakes_a_generator_waiting_for_permits() {
    for stop in [Stop::Now, Stop::Drain] {
        run(async move {
            let done = Count::new();
            let count = done.clone();
            let mut results =
                CountingSource::new().fan_out().workers(1).window(4).batch(1).map(move |_| count.add()).unwrap();
            done.reached(4).await;
            settle().await;
            results.generator().send(stop).await.unwrap();
            results.stop_handle().workers_stopped().await;
            assert_eq!(results.by_ref().count().await, 4, "what was finished arrives");
            assert_settled(&results.finished().await.unwrap());
        });
    }
}

#[test]
fn stop_wakes_a_generator_waiting_for_its_source() {
    for stop in [Stop::Now, Stop::Drain] {
        run(async move {
            let mut results = stream::pending::<u64>().fan_out().workers(2).map(|n| n).unwrap();
            settle().await;
            results.generator().do_send(stop);
            assert!(results.next().await.is_none());
            let stats = results.finished().await.unwrap();
            assert_eq!(stats.taken, 0);
        });
    }
}

#[test]
fn stop_before_the_first_poll_after_the_end_and_twice_is_harmless() {
    run(async {
        let source = CountingSource::new();
        let mut results = source.clone().fan_out().workers(2).map(|n| n).unwrap();
        let stop = results.stop_handle();
        stop.stop();
        stop.stop();
        stop.drain();
        assert!(stop.is_stopped());
        assert!(results.next().await.is_none());
        assert!(results.next().await.is_none());
        assert_eq!(source.taken(), 0);
        results.finished().await.unwrap();
        stop.stop();
        results.generator().do_send(Stop::Now);
        let stats = results.finished().await.unwrap();
        assert_eq!(stats.taken, 0);
    });
}

#[test]
fn stop_now_shortens_a_drain() {
    run(async {
        let (gate, begun) = (Gate::new(), Count::new());
        let (pass, count) = (gate.clone(), begun.clone());
        let mut results = CountingSource::new()
            .fan_out()
            .workers(1)
            .window(10)
            .batch(10)
            .map(move |_| {
                count.add();
                pass.pass();
            })
            .unwrap();
        gate.arrived(1).await;
        results.drain();
        let taken = results.stats().taken;
        assert!(!results.stop_handle().is_stopped());
        results.stop();
        gate.open();
        assert_eq!(results.by_ref().count().await, 1);
        assert_eq!(begun.get(), 1);
        let stats = results.finished().await.unwrap();
        assert_eq!((stats.taken, stats.skipped), (taken, taken - 1));
    });
}

#[test]
fn a_long_item_can_see_that_it_was_stopped() {
    run(async {
        let begun = Count::new();
        let count = begun.clone();
        let mut results = (0..2u64)
            .fan_out()
            .workers(2)
            .with(move || {
                let count = count.clone();
                work_fn(move |_: u64, job: &mut Job<'_, ()>| {
                    count.add();
                    while !job.is_stopped() {
                        std::thread::yield_now();
                    }
                    Ok(())
                })
            })
            .unwrap();
        begun.reached(2).await;
        results.stop();
        assert_eq!(results.finished().await.unwrap().completed, 2);
    });
}

#[test]
fn an_item_that_returns_stopped_is_skipped_after_a_stop_and_failed_before_one() {
    run(async {
        let gate = Gate::new();
        let pass = gate.clone();
        let mut results = (0..2u64)
            .fan_out()
            .workers(1)
            .batch(1)
            .with(move || {
                let pass = pass.clone();
                work_fn(move |n: u64, job: &mut Job<'_, u64>| {
                    job.emit(n);
                    if n == 1 {
                        pass.pass();
                    }
                    Err(Stopped.into())
                })
            })
            .unwrap();
        let error = results.next().await.unwrap().unwrap_err();
        assert!(error.work_error().unwrap().is::<Stopped>());
        gate.arrived(1).await;
        results.stop();
        gate.open();
        assert!(results.next().await.is_none());
        let stats = results.finished().await.unwrap();
        assert_eq!((stats.completed, stats.failed, stats.skipped), (0, 1, 1));
    });
}

#[test]
fn dropping_the_stream_stops_the_workers() {
    run(async {
        let (source, gate, begun) = (CountingSource::new(), Gate::new(), Count::new());
        let (pass, count) = (gate.clone(), begun.clone());
        let results = source
            .clone()
            .fan_out()
            .workers(2)
            .batch(4)
            .map(move |_| {
                count.add();
                pass.pass();
            })
            .unwrap();
        let stop = results.stop_handle();
        gate.arrived(2).await;
        drop(results);
        assert!(stop.is_stopped());
        gate.open();
        stop.workers_stopped().await;
        settle().await;
        assert_eq!(begun.get(), 2);
        assert_settled(&stop.stats());
        assert_eq!(stop.stats().taken, source.taken());
    });
}

#[test]
fn take_stops_an_endless_pipeline() {
    run(async {
        let results = CountingSource::new().fan_out().workers(2).ordered().map(|n| n * n).unwrap();
        let stop = results.stop_handle();
        let squares: Vec<u64> = results.take(4).map(Result::unwrap).collect().await;
        assert_eq!(squares, [0, 1, 4, 9]);
        stop.workers_stopped().await;
        assert!(stop.is_stopped());
    });
}

#[test]
fn the_stream_ends_within_the_poll_after_the_last_running_item() {
    run(async {
        let gate = Gate::new();
        let pass = gate.clone();
        let mut results = CountingSource::new().fan_out().workers(1).batch(1).map(move |_| pass.pass()).unwrap();
        gate.arrived(1).await;
        let waker = noop_waker();
        let mut cx = Context::from_waker(&waker);
        assert!(matches!(results.poll_next_unpin(&mut cx), Poll::Pending));
        results.stop();
        settle().await;
        assert!(matches!(results.poll_next_unpin(&mut cx), Poll::Pending), "one item still runs");
        gate.open();
        results.stop_handle().workers_stopped().await;
        settle().await;
        assert!(matches!(results.poll_next_unpin(&mut cx), Poll::Ready(Some(Ok(())))));
        assert!(matches!(results.poll_next_unpin(&mut cx), Poll::Ready(None)));
    });
}

#[test]
fn any_actor_can_stop_a_generator_whose_address_it_was_given() {
    struct Supervisor;
    impl Actor for Supervisor {
        type Context = actix::Context<Self>;
    }
    impl actix::Handler<Watch> for Supervisor {
        type Result = ();
        fn handle(&mut self, Watch(generator): Watch, _: &mut Self::Context) {
            generator.do_send(Stop::Now);
        }
    }
    struct Watch(actix::Addr<actix_fan::Generator>);
    impl actix::Message for Watch {
        type Result = ();
    }
    run(async {
        let mut results = CountingSource::new().fan_out().workers(2).map(|n| n).unwrap();
        Supervisor.start().send(Watch(results.generator().clone())).await.unwrap();
        while let Some(result) = results.next().await {
            result.unwrap();
        }
        assert_settled(&results.finished().await.unwrap());
        assert!(results.next().now_or_never().unwrap().is_none());
    });
}
