//! Sources that panic, fail, never yield or never end, and what becomes of the items they gave.

use std::task::Poll;

use actix::System;
use actix_fan::{FanIn, FanOutExt, PipelineError, blocking};
use futures::executor::block_on;
use futures::{Stream, StreamExt, stream};

use crate::support::{Bomb, Census, Citizen, Gate, assert_settled, quiet_panic, run, settle};

/// Items until this one, at which it panics. It panics once more when it is dropped.
fn panics_at(at: u64, census: &Census) -> impl Iterator<Item = (u64, Citizen)> + Send + use<> {
    let (census, bomb) = (census.clone(), Bomb);
    (0..).map(move |n| {
        let Bomb = &bomb;
        if n == at { quiet_panic("out of numbers") } else { (n, census.citizen()) }
    })
}

/// Starts a pipeline of any of the three kinds of source.
fn start(kind: usize, ordered: bool, source: impl Iterator<Item = (u64, Citizen)> + Send + 'static) -> FanIn<u64> {
    fn map<S>(source: actix_fan::FanOut<S>, ordered: bool) -> FanIn<u64>
    where
        S: Stream<Item = Result<(u64, Citizen), actix_fan::ItemError>> + Unpin + 'static,
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
fn a_panic_at_the_first_poll_or_later_comes_after_what_the_source_gave() {
    for at in [0, 1, 3, 20] {
        for kind in 0..3 {
            for ordered in [false, true] {
                run(async move {
                    let census = Census::new();
                    let mut results = start(kind, ordered, panics_at(at, &census));
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
                    assert_eq!((census.born() as u64, census.living()), (at, 0));
                });
            }
        }
    }
}

#[test]
fn a_source_whose_drop_panics_has_ended_stopped_or_drained_all_the_same() {
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
                let census = Census::new();
                let births = census.clone();
                let items = if end == 0 { 30 } else { u64::MAX };
                let mut results = start(kind, true, Brittle((0..items).map(move |n| (n, births.citizen())), Bomb));
                assert_eq!(results.next().await.unwrap().unwrap(), 0);
                let stop = results.stop_handle();
                match end {
                    0 => {}
                    1 => stop.now(),
                    2 => stop.drain(),
                    _ => drop(std::mem::replace(&mut results, start(0, false, std::iter::empty()))),
                }
                assert_settled(&results.finished().await.unwrap());
                stop.workers_stopped().await;
                settle().await;
                assert_settled(&stop.stats());
                // A thread that waits for room sees the end by itself.
                while census.living() > 0 {
                    tokio::task::yield_now().await;
                }
                assert!(matches!(end, 1 | 3) || stop.stats().skipped == 0);
            });
        }
    }
}

#[test]
fn a_source_whose_drop_panics_at_the_systems_end_does_not_keep_the_consumer_waiting() {
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
fn errors_at_the_first_the_last_some_or_every_item_take_their_places() {
    const ITEMS: u64 = 30;
    let sets: [fn(u64) -> bool; 4] = [|n| n == 0, |n| n == ITEMS - 1, |n| n % 5 == 2, |_| true];
    for fails in sets {
        for (workers, batch) in [(1, 1), (1, 10), (3, 4)] {
            run(async move {
                let census = Census::new();
                let births = census.clone();
                let items = (0..ITEMS).map(move |n| {
                    let item = births.citizen();
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
                    assert!(results.stats().in_flight <= 10, "a failure has its credit too");
                }
                assert!(results.next().await.is_none());
                let stats = results.finished().await.unwrap();
                assert_settled(&stats);
                let failed = (0..ITEMS).filter(|n| fails(*n)).count() as u64;
                assert_eq!((stats.completed, stats.failed, census.living()), (ITEMS - failed, failed, 0));
            });
        }
    }
}

#[test]
fn an_iterator_that_blocks_for_good_keeps_its_own_thread_and_nobody_else() {
    for drain in [false, true] {
        run(async move {
            let gate = Gate::new();
            let (census, pass) = (Census::new(), gate.clone());
            let births = census.clone();
            let items = std::iter::repeat_with(move || {
                pass.pass();
                births.citizen()
            });
            let mut results = blocking(items).unwrap().fan_out().workers(2).map(drop).unwrap();
            gate.let_through(1);
            results.next().await.unwrap().unwrap();
            gate.arrived(2).await;
            let stop = results.stop_handle();
            if drain {
                stop.drain()
            } else {
                stop.now()
            }
            assert!(results.next().await.is_none());
            let stats = results.finished().await.unwrap();
            assert_settled(&stats);
            assert_eq!((stats.taken, stats.completed), (1, 1));
            gate.let_through(1);
            // It gave its item to nobody, and ended.
            while census.born() < 2 || census.living() > 0 {
                tokio::task::yield_now().await;
            }
            settle().await;
            assert_eq!(gate.arrivals(), 2);
        });
    }
}
