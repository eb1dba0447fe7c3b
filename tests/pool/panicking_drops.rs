//! Items, results and works whose `Drop` panics: the panic is contained.

use actix::System;
use actix_fan::{BoxError, Job, Pool, PoolBuilder, StartError, SubmitError, Work, pool};
use futures::future::join_all;
use futures::{FutureExt, SinkExt};

use crate::support::{Bomb, DropCounter, Gate, TrackedBomb, assert_settled, quiet_panic, run, settle};

/// A pool of one worker that waits at the gate and drops what it was given with a panic, if that was a bomb.
fn held(gate: &Gate, window: usize) -> Pool<Option<TrackedBomb>, ()> {
    let pass = gate.clone();
    let builder = pool().workers(1).window(window);
    builder
        .map(move |item: Option<TrackedBomb>| {
            pass.pass();
            drop(item);
        })
        .unwrap()
}

#[test]
fn an_item_that_panics_when_the_work_drops_it_fails_alone() {
    run(async {
        let (counter, gate) = (DropCounter::new(), Gate::new());
        gate.open();
        let pool = held(&gate, 10);
        let submissions = (0..10u64).map(|n| pool.submit((n % 3 == 1).then(|| TrackedBomb::new(&counter))));
        for (n, result) in (0..).zip(join_all(submissions).await) {
            match result {
                Ok(()) => assert_ne!(n % 3, 1),
                Err(error) => assert_eq!(error.item_error().map(|item| item.index()), Some(n)),
            }
        }
        pool.drain();
        let stats = pool.finished().await.unwrap();
        assert_settled(&stats);
        assert_eq!((stats.completed, stats.failed, counter.alive()), (7, 3, 0));
    });
}

#[test]
fn waiting_queued_and_returned_items_may_panic_on_drop() {
    run(async {
        let (counter, gate) = (DropCounter::new(), Gate::new());
        let pool = held(&gate, 2);
        let running = pool.submit(None);
        gate.arrived(1).await;
        let [queued, waiting] = [0, 1].map(|_| pool.submit(Some(TrackedBomb::new(&counter))));
        let stats = pool.stats();
        assert_eq!((stats.queued, stats.waiting), (1, 1));
        drop(waiting);
        drop(queued);
        assert_eq!(counter.alive(), 0);
        let [queued, waiting] = [0, 1].map(|_| pool.submit(Some(TrackedBomb::new(&counter))));
        pool.stop();
        let refused = pool.submit(Some(TrackedBomb::new(&counter)));
        // Their items were returned, and are dropped unseen.
        drop(waiting);
        drop(queued);
        drop(refused);
        assert_eq!(counter.alive(), 0);
        gate.open();
        running.await.unwrap();
        pool.drain();
        let stats = pool.finished().await.unwrap();
        assert_settled(&stats);
        assert_eq!((stats.completed, stats.skipped), (1, 2));
    });
}

#[test]
fn a_refused_start_contains_a_panic_in_the_drop_of_the_factory() {
    fn refused(builder: PoolBuilder) -> StartError {
        let factory = Bomb;
        builder.map(move |n: u64| (&factory, n).1).unwrap_err()
    }
    assert!(matches!(refused(pool().thread_name("a\0b")), StartError::ThreadName(_)));
    run(async {
        assert!(matches!(refused(pool().workers(0)), StartError::Workers(0)));
        System::current().stop();
        settle().await;
        assert!(matches!(refused(pool()), StartError::SystemStopped));
    });
}

#[test]
fn items_of_a_sink_are_dropped_one_by_one_with_its_stream() {
    run(async {
        let (counter, gate) = (DropCounter::new(), Gate::new());
        let pool = held(&gate, 3);
        let running = pool.submit(None);
        gate.arrived(1).await;
        let (mut sink, results) = pool.channel();
        for _ in 0..3 {
            sink.feed(Some(TrackedBomb::new(&counter))).await.unwrap();
        }
        let stats = pool.stats();
        assert_eq!((stats.queued, stats.waiting, counter.alive()), (2, 1, 3));
        drop(results);
        assert_eq!(counter.alive(), 0);
        gate.open();
        running.await.unwrap();
        pool.drain();
        let stats = pool.finished().await.unwrap();
        assert_settled(&stats);
        assert_eq!((stats.completed, stats.skipped), (1, 2));
    });
}

/// A pool whose results panic when they are dropped, once the gate lets them through.
fn bombs(counter: &DropCounter, gate: &Gate) -> Pool<u64, TrackedBomb> {
    let (tracker, pass) = (counter.clone(), gate.clone());
    let builder = pool().workers(2).window(8);
    builder
        .map(move |_| {
            pass.pass();
            TrackedBomb::new(&tracker)
        })
        .unwrap()
}

#[test]
fn a_result_of_a_cancelled_submit_may_panic_on_drop() {
    run(async {
        let (counter, gate) = (DropCounter::new(), Gate::new());
        let pool = bombs(&counter, &gate);
        let early: Vec<_> = (0..2).map(|n| pool.submit(n)).collect();
        gate.arrived(2).await;
        drop(early);
        let late: Vec<_> = (2..6).map(|n| pool.submit(n)).collect();
        gate.open();
        // Their results are there, and unread.
        pool.drain();
        let stats = pool.finished().await.unwrap();
        assert_eq!((counter.created(), counter.alive()), (6, 4));
        late.into_iter().for_each(drop);
        assert_eq!(counter.alive(), 0);
        assert_settled(&stats);
        assert_eq!((stats.completed, stats.emitted), (6, 0));
    });
}

#[test]
fn unread_results_are_dropped_one_by_one_with_their_stream() {
    run(async {
        let (counter, gate) = (DropCounter::new(), Gate::new());
        gate.open();
        let pool = bombs(&counter, &gate);
        let (mut sink, results) = pool.channel();
        for n in 0..8 {
            sink.feed(n).await.unwrap();
        }
        drop(sink);
        pool.drain();
        pool.finished().await.unwrap();
        assert_eq!((counter.alive(), pool.stats().in_flight), (8, 8));
        drop(results);
        assert_eq!(counter.alive(), 0);
        let stats = pool.stats();
        assert_settled(&stats);
        assert_eq!((stats.completed, stats.emitted), (8, 0));
    });
}

#[test]
fn a_work_whose_drop_panics_is_still_rebuilt() {
    struct Brittle(Bomb);
    impl Work<u64> for Brittle {
        type Output = u64;
        fn run(&mut self, n: u64, job: &mut Job<'_, u64>) -> Result<(), BoxError> {
            let Self(Bomb) = self;
            if n.is_multiple_of(2) {
                quiet_panic("rebuild me");
            }
            job.emit(n);
            Ok(())
        }
    }
    run(async {
        let captured = Bomb;
        let brittle = pool().workers(2).with(move || {
            let Bomb = &captured;
            Brittle(Bomb)
        });
        let pool = brittle.unwrap();
        let results = join_all((0..20).map(|n| pool.submit(n))).await;
        for (n, result) in (0..).zip(results) {
            assert_eq!(result.is_ok(), n % 2 == 1);
        }
        pool.drain();
        let stats = pool.finished().await.unwrap();
        assert_settled(&stats);
        assert_eq!((stats.completed, stats.failed), (10, 10));
    });
}

#[test]
fn a_returned_item_belongs_to_its_submitter() {
    run(async {
        let (counter, gate) = (DropCounter::new(), Gate::new());
        let pool = held(&gate, 1);
        let running = pool.submit(None);
        gate.arrived(1).await;
        let full = pool.try_submit(Some(TrackedBomb::new(&counter))).unwrap_err();
        let waiting = pool.submit(Some(TrackedBomb::new(&counter)));
        pool.drain();
        let closed = waiting.now_or_never().unwrap().unwrap_err();
        assert!(matches!((&full, &closed), (SubmitError::Full(_), SubmitError::Closed(_))));
        assert_eq!(counter.alive(), 2);
        for error in [full, closed] {
            error.into_item().unwrap().unwrap().defuse();
        }
        assert_eq!(counter.alive(), 0);
        gate.open();
        running.await.unwrap();
        pool.drain();
        assert_settled(&pool.finished().await.unwrap());
    });
}
