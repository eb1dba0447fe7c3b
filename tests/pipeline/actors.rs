use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message, StreamHandler};
use actix_fan::{FanOutExt, ItemError, PipelineError, Snapshot, Stop};
use futures::StreamExt;
use tokio::sync::oneshot;

use crate::counting_source::CountingSource;
use crate::support::{Count, Gate, assert_balanced, assert_settled, run, settle};

#[test]
fn generator_and_aggregator_answer_snapshots() {
    run(async {
        let done = Count::new();
        let count = done.clone();
        let results = CountingSource::new().fan_out().workers(1).window(8).batch(2).map(move |_| count.add()).unwrap();
        done.reached(8).await;
        let generator = results.generator().send(Snapshot).await.unwrap();
        let aggregator = results.aggregator().send(Snapshot).await.unwrap();
        for stats in [generator, aggregator] {
            assert_balanced(&stats);
            assert_eq!((stats.taken, stats.in_flight, stats.batch_size), (8, 8, 2));
        }
    });
}

/// With actix's feature `mailbox_assert`, for which any dependency of an application may ask, an actor that handles 256
/// messages in one go panics: the gate builds this suite with it.
#[test]
fn actors_that_are_flooded_with_messages_survive() {
    run(async {
        let results = CountingSource::new().fan_out().workers(1).window(8).map(|n| n).unwrap();
        for _ in 0..1000 {
            results.generator().do_send(Snapshot);
            results.aggregator().do_send(Snapshot);
        }
        let generator = results.generator().send(Snapshot).await.unwrap();
        let aggregator = results.aggregator().send(Snapshot).await.unwrap();
        [generator, aggregator].iter().for_each(assert_balanced);
        // It may end before the last of them, which is harmless.
        for _ in 0..1000 {
            results.generator().do_send(Stop::Drain);
        }
        let mut results = results;
        assert_settled(&results.finished().await.unwrap());
    });
}

#[test]
fn outcomes_that_pile_up_while_the_arbiter_is_blocked_all_arrive() {
    const WORKERS: usize = 300;
    run(async {
        let (gate, done) = (Gate::new(), Count::new());
        let (pass, count) = (gate.clone(), done.clone());
        let builder = (0..WORKERS).fan_out().workers(WORKERS).window(WORKERS).batch(1);
        let results = builder.map(move |_| {
            pass.pass();
            count.add();
        });
        let mut results = results.unwrap();
        gate.arrived(WORKERS).await;
        gate.open();
        while done.get() < WORKERS as u64 {
            std::thread::yield_now();
        }
        assert_eq!(results.by_ref().filter(|result| std::future::ready(result.is_ok())).count().await, WORKERS);
        assert_settled(&results.finished().await.unwrap());
    });
}

/// Adds up what it is given, by a stream or by messages.
struct Sum {
    total: u64,
    failures: u64,
    ended: Option<oneshot::Sender<(u64, u64)>>,
}

impl Sum {
    fn add(&mut self, result: Result<u64, ItemError>) {
        match result {
            Ok(n) => self.total += n,
            Err(_) => self.failures += 1,
        }
    }
}

impl Actor for Sum {
    type Context = Context<Self>;
}

impl StreamHandler<Result<u64, ItemError>> for Sum {
    fn handle(&mut self, result: Result<u64, ItemError>, _: &mut Context<Self>) {
        self.add(result);
    }

    fn finished(&mut self, ctx: &mut Context<Self>) {
        self.ended.take().unwrap().send((self.total, self.failures)).unwrap();
        ctx.stop();
    }
}

struct Found(Result<u64, ItemError>);

impl Message for Found {
    type Result = ();
}

impl From<Result<u64, ItemError>> for Found {
    fn from(result: Result<u64, ItemError>) -> Self {
        Self(result)
    }
}

impl Handler<Found> for Sum {
    type Result = ();

    fn handle(&mut self, Found(result): Found, _: &mut Context<Self>) {
        self.add(result);
    }
}

fn evens() -> actix_fan::FanIn<u64> {
    let source = 0..1000u64;
    source.fan_out().workers(2).try_map(|n| if n % 100 == 99 { Err("not this one") } else { Ok(n) }).unwrap()
}

#[test]
fn the_stream_can_be_added_to_an_actor() {
    run(async {
        let (ended, end) = oneshot::channel();
        Sum::create(|ctx| {
            ctx.add_stream(evens());
            Sum { total: 0, failures: 0, ended: Some(ended) }
        });
        assert_eq!(end.await.unwrap(), (499_500 - 5_490, 10));
    });
}

#[test]
fn results_can_be_delivered_to_a_recipient() {
    run(async {
        let (ended, _end) = oneshot::channel();
        let sum = Sum { total: 0, failures: 0, ended: Some(ended) }.start();
        let stats = evens().deliver_to(sum.recipient::<Found>()).await.unwrap();
        assert_settled(&stats);
        assert_eq!((stats.emitted, stats.failed), (990, 10));
    });
}

/// Answers five messages and then no more.
struct Slow(Count);

impl Actor for Slow {
    type Context = Context<Self>;
}

impl Handler<Found> for Slow {
    type Result = actix::ResponseFuture<()>;

    fn handle(&mut self, _: Found, _: &mut Context<Self>) -> Self::Result {
        let before = self.0.add();
        Box::pin(async move {
            if before >= 5 {
                std::future::pending().await
            }
        })
    }
}

#[test]
fn a_slow_recipient_keeps_the_pipeline_within_its_window() {
    run(async {
        let (source, handled) = (CountingSource::new(), Count::new());
        let slow = Slow(handled.clone()).start();
        let results = source.clone().fan_out().workers(2).window(4).batch(1).map(|n| n).unwrap();
        let delivery = actix::spawn(results.deliver_to(slow.recipient::<Found>()));
        handled.reached(6).await;
        settle().await;
        assert_eq!(handled.get(), 6, "the sixth is not answered, so no seventh is sent");
        assert!(source.taken() <= 6 + 4, "{}", source.taken());
        delivery.abort();
    });
}

struct Leaves;

impl Actor for Leaves {
    type Context = Context<Self>;
}

impl Handler<Found> for Leaves {
    type Result = ();

    fn handle(&mut self, _: Found, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}

#[test]
fn a_recipient_that_leaves_stops_the_pipeline() {
    run(async {
        let results = CountingSource::new().fan_out().workers(2).map(|n| n).unwrap();
        let stop = results.stop_handle();
        let error = results.deliver_to(Leaves.start().recipient::<Found>()).await.unwrap_err();
        assert_eq!(error, PipelineError::RecipientGone);
        assert!(stop.is_stopped());
        assert_settled(&stop.stats());
    });
}

#[test]
fn a_pipeline_can_be_started_in_an_actors_handler_and_on_another_arbiter() {
    struct Start;
    impl Message for Start {
        type Result = u64;
    }
    struct Owner;
    impl Actor for Owner {
        type Context = Context<Self>;
    }
    impl Handler<Start> for Owner {
        type Result = actix::ResponseFuture<u64>;
        fn handle(&mut self, _: Start, _: &mut Context<Self>) -> Self::Result {
            let results = (0..100u64).fan_out().workers(2).map(|n| n).unwrap();
            Box::pin(results.map(Result::unwrap).fold(0, async |a, b| a + b))
        }
    }
    run(async {
        assert_eq!(Owner.start().send(Start).await.unwrap(), 4950);
        let arbiter = actix::Arbiter::new();
        let owner = Owner::start_in_arbiter(&arbiter.handle(), |_| Owner);
        assert_eq!(owner.send(Start).await.unwrap(), 4950);
        arbiter.stop();
    });
}
