//! Sources that panic, fail, never yield or never end, and what becomes of the items they gave.

use std::task::Poll;

use actix::System;
use actix_fan::{FanIn, FanOutExt, PipelineError, blocking};
use futures::executor::block_on;
use futures::{Stream, StreamExt, stream};

use crate::support::{Bomb, DropCounter, FAILING, Gate, ITEMS, Tracked, assert_settled, quiet_panic, run, settle};

/// Items until this one, at which it panics. It panics once more when it is dropped.
fn panics_at(at: u64, counter: &DropCounter) -> impl Iterator<Item = (u64, Tracked)> + Send + use<> {
    let (counter, bomb) = (counter.clone(), Bomb);
    (0..).map(move |n| {
        let Bomb = &bomb;
        if n == at { quiet_panic("out of numbers") } else { (n, counter.track()) }
    })
}

/// Starts a pipeline of any of the three kinds of source.
fn start(kind: usize, ordered: bool, source: impl Iterator<Item = (u64, Tracked)> + Send + 'static) -> FanIn<u64> {
    fn map<S>(source: actix_fan::FanOut<S>, ordered: bool) -> FanIn<u64>
    where
        S: Stream<Item = Result<(u64, Tracked), actix_fan::ItemError>> + Unpin + 'static,
    {
        let builder = source.workers(2).window(8).batch(3);
        let builder = if ordered { builder.ordered() } else { builder };
        builder.map(|(n, _)| n).unwrap()
    }
    match kind {
        0 => map(source.fan_out(), ordered),
        1 => map(stream::iter(source).fan_out(), ordered),
        _ => map(blocking(source).unwrap().fan_out(), ordered),
    }
}

#[test]
fn a_panic_of_the_source_is_reported_after_its_items() {
    for at in [0, 1, 3, 20] {
        for kind in 0..3 {
            for ordered in [false, true] {
                run(async move {
                    let counter = DropCounter::new();
                    let mut results = start(kind, ordered, panics_at(at, &counter));
                    let mut got = Vec::new();
                    let expected = PipelineError::SourcePanicked { message: "out of numbers".into() };
                    loop {
                        match results.next().await.expect("the error is the last") {
                            Ok(n) => got.push(n),
                            Err(last) => {
                                assert_eq!((last.index(), last.pipeline_error()), (at, Some(&expected)));
                                break;
                            }
                        }
                    }
                    assert!(results.next().await.is_none());
                    got.sort_unstable();
                    assert_eq!(got, (0..at).collect::<Vec<_>>());
                    assert_eq!(results.finished().await.unwrap_err(), expected);
                    let stats = results.stats();
                    assert_settled(&stats);
                    assert_eq!((stats.taken, stats.completed), (at, at));
                    assert_eq!((counter.created() as u64, counter.alive()), (at, 0));
                });
            }
        }
    }
}

#[test]
fn a_source_whose_drop_panics_still_ends_stops_or_drains() {
    struct Brittle<I>(I, Bomb);
    impl<I: Iterator> Iterator for Brittle<I> {
        type Item = I::Item;
        fn next(&mut self) -> Option<I::Item> {
            self.0.next()
        }
    }
    for kind in 0..3 {
        for end in 0..4 {
            run(async move {
                let counter = DropCounter::new();
                let tracker = counter.clone();
                let items = if end == 0 { 30 } else { u64::MAX };
                let mut results = start(kind, true, Brittle((0..items).map(move |n| (n, tracker.track())), Bomb));
                assert_eq!(results.next().await.unwrap().unwrap(), 0);
                let stop = results.stop_handle();
                match end {
                    0 => {}
                    1 => stop.stop(),
                    2 => stop.drain(),
                    _ => drop(std::mem::replace(&mut results, start(0, false, std::iter::empty()))),
                }
                assert_settled(&results.finished().await.unwrap());
                stop.workers_stopped().await;
                settle().await;
                assert_settled(&stop.stats());
                // A thread that waits for room sees the end by itself.
                counter.are_left(0).await;
                assert!(matches!(end, 1 | 3) || stop.stats().skipped == 0);
            });
        }
    }
}

#[test]
fn a_source_whose_drop_panics_when_the_system_stops_does_not_block_the_consumer() {
    struct Never(Bomb);
    impl Stream for Never {
        type Item = u64;
        fn poll_next(self: std::pin::Pin<&mut Self>, _: &mut std::task::Context<'_>) -> Poll<Option<u64>> {
            let Self(Bomb) = *self;
            Poll::Pending
        }
    }
    let system = System::new();
    let mut results = system.block_on(async {
        let results = Never(Bomb).fan_out().workers(2).map(|n| n).unwrap();
        settle().await;
        System::current().stop();
        results
    });
    system.run().unwrap();
    // What the arbiter holds is dropped with it.
    assert_eq!(block_on(results.finished()).unwrap_err(), PipelineError::SystemStopped);
    assert_settled(&results.stats());
}

#[test]
fn errors_at_the_first_the_last_some_or_every_item_keep_their_positions() {
    for fails in FAILING {
        for (workers, batch) in [(1, 1), (1, 10), (3, 4)] {
            run(async move {
                let counter = DropCounter::new();
                let tracker = counter.clone();
                let items = (0..ITEMS).map(move |n| {
                    let item = tracker.track();
                    if fails(n) { Err(format!("bad {n}")) } else { Ok((n, item)) }
                });
                let builder = stream::iter(items).try_fan_out().workers(workers).batch(batch).window(10).ordered();
                let mut results = builder.map(|(n, _)| n).unwrap();
                for n in 0..ITEMS {
                    match results.next().await.unwrap() {
                        Ok(same) => assert_eq!((same, fails(n)), (n, false)),
                        Err(error) => {
                            assert_eq!((error.index(), fails(n)), (n, true));
                            assert_eq!(error.source_error().unwrap().to_string(), format!("bad {n}"));
                        }
                    }
                    assert!(results.stats().in_flight <= 10, "a failure holds a permit too");
                }
                assert!(results.next().await.is_none());
                let stats = results.finished().await.unwrap();
                assert_settled(&stats);
                let failed = (0..ITEMS).filter(|n| fails(*n)).count() as u64;
                assert_eq!((stats.completed, stats.failed, counter.alive()), (ITEMS - failed, failed, 0));
            });
        }
    }
}

#[test]
fn an_iterator_that_blocks_forever_blocks_only_its_own_thread() {
    for drain in [false, true] {
        run(async move {
            let gate = Gate::new();
            let (counter, pass) = (DropCounter::new(), gate.clone());
            let tracker = counter.clone();
            let items = std::iter::repeat_with(move || {
                pass.pass();
                tracker.track()
            });
            let mut results = blocking(items).unwrap().fan_out().workers(2).map(drop).unwrap();
            gate.let_through(1);
            results.next().await.unwrap().unwrap();
            gate.arrived(2).await;
            let stop = results.stop_handle();
            if drain {
                stop.drain()
            } else {
                stop.stop()
            }
            assert!(results.next().await.is_none());
            let stats = results.finished().await.unwrap();
            assert_settled(&stats);
            assert_eq!((stats.taken, stats.completed), (1, 1));
            gate.let_through(1);
            // The thread drops the item that was not taken, and ends.
            counter.have_been_created(2).await;
            counter.are_left(0).await;
            settle().await;
            assert_eq!(gate.arrivals(), 2);
        });
    }
}
