//! Pipelines that an actor owns, stops and starts anew.

use std::mem;

use actix::prelude::*;
use actix_fan::{BoxError, FanOutExt, ItemError, Job, PipelineError, Stats, StopHandle, Work};
use futures::StreamExt;

use crate::support::{Count, Gate, assert_settled, run, settle};

/// Owns one pipeline at a time, whose results are the number of its run.
struct Owner {
    run: u64,
    running: Option<StopHandle>,
    asked: bool,
    /// Where the items wait.
    gate: Gate,
    handled: Count,
    ended: Count,
}

/// Asks for a pipeline in place of the one that runs.
#[derive(Message)]
#[rtype(result = "()")]
struct Restart;

/// Makes the actor fail: its supervisor starts it again.
#[derive(Message)]
#[rtype(result = "Option<StopHandle>")]
struct Fail;

#[derive(Message)]
#[rtype(result = "()")]
struct Found {
    run: u64,
    result: Result<u64, ItemError>,
}

impl Owner {
    fn new(gate: &Gate) -> Self {
        let (handled, ended) = (Count::new(), Count::new());
        Self { run: 0, running: None, asked: false, gate: gate.clone(), handled, ended }
    }

    fn start(&mut self, ctx: &mut Context<Self>) {
        self.run += 1;
        let (run, gate) = (self.run, self.gate.clone());
        let results = (0u64..).fan_out().workers(2).window(16).map(move |_| {
            gate.pass();
            run
        });
        let results = results.unwrap();
        self.running = Some(results.stop_handle());
        let delivery = results.deliver_with(ctx.address().recipient(), move |result| Found { run, result });
        ctx.spawn(delivery.into_actor(self).map(Self::end));
    }

    fn end(end: Result<Stats, PipelineError>, owner: &mut Self, ctx: &mut Context<Self>) {
        assert_settled(&end.unwrap());
        owner.ended.add();
        owner.running = None;
        if mem::take(&mut owner.asked) {
            owner.start(ctx);
        }
    }
}

impl Actor for Owner {
    type Context = Context<Self>;
}

impl Supervised for Owner {
    fn restarting(&mut self, ctx: &mut Context<Self>) {
        self.start(ctx);
    }
}

impl Handler<Restart> for Owner {
    type Result = ();

    fn handle(&mut self, _: Restart, ctx: &mut Context<Self>) {
        match &self.running {
            Some(running) => {
                self.asked = true;
                running.stop();
            }
            None => self.start(ctx),
        }
    }
}

impl Handler<Fail> for Owner {
    type Result = Option<StopHandle>;

    fn handle(&mut self, _: Fail, ctx: &mut Context<Self>) -> Self::Result {
        ctx.stop();
        self.running.take()
    }
}

impl Handler<Found> for Owner {
    type Result = ();

    fn handle(&mut self, Found { run, result }: Found, _: &mut Context<Self>) {
        assert_eq!((run, result.unwrap()), (self.run, self.run), "a result of another run");
        self.handled.add();
    }
}

#[test]
fn results_of_a_pipeline_never_come_after_the_start_of_the_next() {
    run(async {
        let gate = Gate::new();
        gate.open();
        let owner = Owner::new(&gate);
        let (handled, ended) = (owner.handled.clone(), owner.ended.clone());
        let owner = owner.start();
        for restart in 0..=50 {
            owner.send(Restart).await.unwrap();
            // Before the first result, with those in flight at the stop, and after results of the next.
            handled.reached(handled.get() + restart % 7 * 10).await;
        }
        // Some were asked for while another was awaited already.
        assert!((30..=50).contains(&ended.get()), "{}", ended.get());
    });
}

#[test]
fn the_next_pipeline_starts_when_every_worker_of_the_last_has_returned() {
    run(async {
        let gate = Gate::new();
        let owner = Owner::new(&gate);
        let ended = owner.ended.clone();
        let owner = owner.start();
        owner.send(Restart).await.unwrap();
        gate.arrived(2).await;
        for _ in 0..3 {
            owner.send(Restart).await.unwrap(); // asked more than once, it starts once
        }
        gate.let_through(1);
        settle().await;
        assert_eq!((ended.get(), gate.arrivals()), (0, 2), "one still runs");
        gate.let_through(1);
        gate.arrived(4).await;
        assert_eq!(ended.get(), 1);
        gate.open();
    });
}

/// Work whose end waits at a gate.
struct Leaving(Gate);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.pass();
    }
}

impl Work<u64> for Leaving {
    type Output = u64;

    fn run(&mut self, n: u64, job: &mut Job<'_, u64>) -> Result<(), BoxError> {
        job.emit(n);
        Ok(())
    }
}

#[test]
fn a_delivery_is_over_when_every_worker_has_dropped_its_work() {
    run(async {
        let gate = Gate::new();
        let leaving = gate.clone();
        let mut owner = Owner::new(&gate);
        owner.run = 7;
        let recipient = owner.start().recipient();
        let results = [7u64; 10].fan_out().workers(2).with(move || Leaving(leaving.clone())).unwrap();
        let delivery = results.deliver_with(recipient, |result| Found { run: 7, result });
        let delivery = actix::spawn(delivery);
        gate.arrived(1).await;
        settle().await;
        assert!(!delivery.is_finished());
        gate.open();
        assert_eq!(delivery.await.unwrap().unwrap().emitted, 10);
    });
}

#[test]
fn an_owner_that_fails_takes_its_pipeline_along_and_may_start_another() {
    run(async {
        let gate = Gate::new();
        gate.open();
        let owner = Owner::new(&gate);
        let handled = owner.handled.clone();
        let owner = Supervisor::start(|_| owner);
        owner.send(Restart).await.unwrap();
        for _ in 0..10 {
            handled.reached(handled.get() + 20).await;
            let old = owner.send(Fail).await.unwrap().unwrap();
            old.workers_stopped().await;
            assert!(old.is_stopped());
            handled.reached(handled.get() + 20).await;
        }
    });
}

#[test]
fn an_actor_tells_pipelines_apart_that_run_at_a_time() {
    struct Sums([u64; 3], u64);
    impl Actor for Sums {
        type Context = Context<Self>;
    }
    impl Handler<Found> for Sums {
        type Result = ();
        fn handle(&mut self, Found { run, result }: Found, _: &mut Context<Self>) {
            match result {
                Ok(n) => self.0[run as usize] += n,
                Err(error) => self.1 += run * 100 + error.index(),
            }
        }
    }
    #[derive(Message)]
    #[rtype(result = "([u64; 3], u64)")]
    struct Tell;
    impl Handler<Tell> for Sums {
        type Result = MessageResult<Tell>;
        fn handle(&mut self, _: Tell, _: &mut Context<Self>) -> Self::Result {
            MessageResult((self.0, self.1))
        }
    }
    run(async {
        let sums = Sums([0; 3], 0).start();
        let deliveries = futures::stream::iter(0..3u64).for_each_concurrent(None, async |run| {
            let fails = move |n| if n == run { Err("not this one") } else { Ok(n * run) };
            let results = (0..10u64).fan_out().workers(1).try_map(fails).unwrap();
            let stats = results.deliver_with(sums.clone().recipient(), |result| Found { run, result }).await.unwrap();
            assert_eq!((stats.emitted, stats.failed), (9, 1));
        });
        deliveries.await;
        assert_eq!(sums.send(Tell).await.unwrap(), ([0, 44, 86], 101 + 202));
    });
}
