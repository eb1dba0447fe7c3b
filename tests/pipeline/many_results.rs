//! Items with many results, also from iterators that claim a wrong number.

use std::iter;

use actix_fan::{FanOutExt, Job, pool, work_fn};
use futures::StreamExt;

use crate::support::{Bomb, Count, assert_settled, run};

/// What an iterator claims and what it has are two things.
struct Claims<I>(I, (usize, Option<usize>));

impl<I: Iterator> Iterator for Claims<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.1
    }
}

/// An iterator that holds a value beside its results.
struct Holding<I, T>(I, T);

impl<I: Iterator, T> Iterator for Holding<I, T> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        self.0.next()
    }
}

#[test]
fn an_iterator_whose_drop_panics_at_a_stop_leaves_its_item_skipped() {
    run(async {
        let pulled = Count::new();
        let count = pulled.clone();
        let held = move |_| {
            let count = count.clone();
            Holding(iter::repeat_with(move || count.add()), Bomb)
        };
        let mut results = [0].fan_out().workers(1).flat_map(held).unwrap();
        pulled.reached(1).await;
        results.stop();
        assert!(results.by_ref().all(async |result| result.is_ok()).await, "no failure in its place");
        let stats = results.finished().await.unwrap();
        assert_settled(&stats);
        assert_eq!((stats.completed, stats.failed, stats.skipped), (0, 0, 1));
        assert_eq!(stats.workers[0].rebuilt, 0, "the work was not rebuilt");
    });
}

#[test]
fn a_wrong_size_hint_is_harmless() {
    for claim in [(0, None), (0, Some(0)), (usize::MAX, None), (usize::MAX, Some(usize::MAX)), (7, Some(3))] {
        run(async move {
            let results = (0..10u64).fan_out().workers(2).ordered().flat_map(move |n| Claims(0..n, claim)).unwrap();
            let got: Vec<u64> = results.map(Result::unwrap).collect().await;
            assert_eq!(got, (0..10).flat_map(|n| 0..n).collect::<Vec<_>>());
        });
    }
}

#[test]
fn a_work_that_emits_endlessly_sees_stops_and_cancellations() {
    run(async {
        let pulled = Count::new();
        let count = pulled.clone();
        let pool = pool()
            .workers(1)
            .with(move || {
                let count = count.clone();
                work_fn(move |n: u64, job: &mut Job<'_, u64>| Ok(job.emit_all((n..).inspect(|_| _ = count.add()))?))
            })
            .unwrap();
        let submission = pool.submit(1);
        pulled.reached(1000).await;
        drop(submission);
        pool.drain();
        let stats = pool.finished().await.unwrap();
        assert_eq!((stats.completed, stats.failed, stats.skipped), (0, 0, 1));
    });
}
