//! Observers with faults cost no item.

use std::sync::Arc;

use actix_fan::observe::{Begun, Context, Ended, Observer, RunInfo, SkipReason, ThreadInfo};
use actix_fan::{FanOutExt, ItemError, Stats, pool};
use futures::StreamExt;

use crate::counting::Counting;
use crate::support::{assert_settled, quiet_panic, run};

/// Panics wherever it is called.
struct Panics;

impl Observer for Panics {
    fn run_started(&self, _: &RunInfo) {
        quiet_panic("run_started");
    }

    fn context(&self, _: &RunInfo) -> Option<Context> {
        quiet_panic("context")
    }

    fn taken(&self, _: &RunInfo, _: usize) {
        quiet_panic("taken");
    }

    fn handed_over(&self, _: &RunInfo, _: u64, _: usize) {
        quiet_panic("handed_over");
    }

    fn begun(&self, _: &RunInfo, _: &Begun) {
        quiet_panic("begun");
    }

    fn in_scope(&self, _: &RunInfo, begun: &Begun, work: &mut dyn FnMut()) {
        if begun.first.is_multiple_of(2) {
            work();
        }
        quiet_panic("in_scope");
    }

    fn failed(&self, _: &RunInfo, _: &ItemError) {
        quiet_panic("failed");
    }

    fn ended(&self, _: &RunInfo, _: &Ended) {
        quiet_panic("ended");
    }

    fn skipped(&self, _: &RunInfo, _: usize, _: SkipReason) {
        quiet_panic("skipped");
    }

    fn run_ended(&self, _: &RunInfo, _: &Stats) {
        quiet_panic("run_ended");
    }

    fn thread_started(&self, _: &ThreadInfo) {
        quiet_panic("thread_started");
    }

    fn thread_stopped(&self, _: &ThreadInfo) {
        quiet_panic("thread_stopped");
    }

    fn wants_items(&self) -> bool {
        quiet_panic("wants_items")
    }
}

impl Drop for Panics {
    fn drop(&mut self) {
        quiet_panic("dropped");
    }
}

/// Does not run the work, or runs it several times.
struct Careless {
    times: usize,
}

impl Observer for Careless {
    fn in_scope(&self, _: &RunInfo, _: &Begun, work: &mut dyn FnMut()) {
        (0..self.times).for_each(|_| work());
    }
}

#[test]
fn whatever_an_observer_does_each_item_runs_once_and_the_others_see_it() {
    for wants_items in [false, true] {
        for times in [0, 3] {
            run(async move {
                let counting = Counting::new(wants_items);
                let builder = (0..500u64).fan_out().workers(2).batch(3);
                let builder = builder.observe(Careless { times }).observe(Arc::clone(&counting)).observe(Panics);
                let work = |n: u64| if n.is_multiple_of(5) { Err("five") } else { Ok(n) };
                let mut results = builder.try_map(work).unwrap();
                let mut good = 0;
                while let Some(result) = results.next().await {
                    good += u64::from(result.is_ok());
                }
                let stats = results.finished().await.unwrap();
                assert_settled(&stats);
                assert_eq!((good, stats.failed), (400, 100));
                counting.told().assert_agrees(&stats);

                let counting = Counting::new(wants_items);
                let builder = pool().workers(1);
                let builder = builder.observe(Panics).observe(Arc::clone(&counting)).observe(Careless { times });
                let pool = builder.try_map(work).unwrap();
                for n in 0..10 {
                    assert_eq!(pool.submit(n).await.is_ok(), n % 5 != 0);
                }
                pool.drain();
                let stats = pool.finished().await.unwrap();
                assert_settled(&stats);
                counting.told().assert_agrees(&stats);
            });
        }
    }
}
