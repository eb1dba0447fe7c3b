use std::thread;

use actix::{Actor, Arbiter, Context, Handler, Message, ResponseFuture};
use actix_fan::{Pool, pool};
use futures::executor::block_on;
use futures::future::join_all;

use crate::support::{assert_settled, run};

struct Ask(u64);

impl Message for Ask {
    type Result = u64;
}

/// An actor that keeps the pool in a field.
struct Asker(Pool<u64, u64>);

impl Actor for Asker {
    type Context = Context<Self>;
}

impl Handler<Ask> for Asker {
    type Result = ResponseFuture<u64>;

    fn handle(&mut self, Ask(n): Ask, _: &mut Self::Context) -> Self::Result {
        let square = self.0.submit(n);
        Box::pin(async move { square.await.unwrap() })
    }
}

#[test]
fn one_pool_serves_actors_on_many_arbiters_and_threads_without_any() {
    run(async {
        let squares = pool().workers(2).window(3).map(|n: u64| n * n).unwrap();
        let arbiters: Vec<Arbiter> = (0..3).map(|_| Arbiter::new()).collect();
        let askers: Vec<_> = arbiters
            .iter()
            .map(|arbiter| {
                let squares = squares.clone();
                Asker::start_in_arbiter(&arbiter.handle(), move |_| Asker(squares))
            })
            .collect();
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let squares = squares.clone();
                thread::spawn(move || (0..200).map(|n| block_on(squares.submit(n)).unwrap()).sum::<u64>())
            })
            .collect();
        let asked = (0..200u64).flat_map(|n| askers.iter().map(move |asker| (n, asker.send(Ask(n)))));
        let answers = join_all(asked.map(async |(n, answer)| (n, answer.await.unwrap()))).await;
        assert!(answers.iter().all(|(n, square)| *square == n * n));
        let sum: u64 = (0..200).map(|n| n * n).sum();
        assert!(threads.into_iter().all(|thread| thread.join().unwrap() == sum));
        squares.drain();
        let stats = squares.finished().await.unwrap();
        assert_settled(&stats);
        assert_eq!(stats.completed, 5 * 200);
        arbiters.iter().for_each(|arbiter| _ = arbiter.stop());
    });
}

#[test]
fn a_blocked_arbiter_does_not_delay_other_threads() {
    run(async {
        let squares = pool().workers(1).map(|n: u64| n * n).unwrap();
        // This thread is the System's first arbiter, and started the pool; its event loop doesn't run until the others
        // have finished.
        let elsewhere = squares.clone();
        let others = thread::spawn(move || {
            let first: u64 = (0..50).map(|n| elsewhere.blocking_submit(n).unwrap()).sum();
            let second = block_on(join_all((0..50).map(|n| elsewhere.submit(n))));
            (first, second.into_iter().map(Result::unwrap).sum::<u64>())
        });
        let (first, second) = others.join().unwrap();
        assert_eq!(first, second);
    });
}

#[test]
fn the_thread_that_started_the_pool_may_block_on_it() {
    run(async {
        let squares = pool().workers(1).window(1).map(|n: u64| n * n).unwrap();
        for n in 0..500 {
            assert_eq!(squares.blocking_submit(n).unwrap(), n * n);
        }
        squares.drain();
        assert_eq!(block_on(squares.finished()).unwrap().completed, 500, "nor does the end need the arbiter");
    });
}
