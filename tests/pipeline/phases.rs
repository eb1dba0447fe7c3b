//! A stop in every phase of a pipeline.

use actix_fan::{End, FanIn, FanOutExt, StopHandle};
use futures::{StreamExt, stream};

use crate::support::{Count, DropCounter, Gate, Tracked, assert_balanced, assert_settled, run, settle};

const WINDOW: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    BeforeTheFirstTurn,
    SourcePending,
    WaitingForCredit,
    ItemsRun,
    HeldBackForOrder,
    TakenInPart,
    SourceEnded,
    AfterTheEnd,
}

use Phase::*;

const PHASES: [Phase; 8] = [
    BeforeTheFirstTurn,
    SourcePending,
    WaitingForCredit,
    ItemsRun,
    HeldBackForOrder,
    TakenInPart,
    SourceEnded,
    AfterTheEnd,
];

/// A pipeline of tracked items, in one of its phases.
struct Staged {
    results: FanIn<(u64, Tracked)>,
    /// Results taken already.
    taken: usize,
    counter: DropCounter,
    gate: Gate,
}

impl Staged {
    fn start(phase: Phase, batch: usize) -> (Self, Count) {
        let (counter, gate, done) = (DropCounter::new(), Gate::new(), Count::new());
        let (tracker, pass, count) = (counter.clone(), gate.clone(), done.clone());
        let items = match phase {
            SourcePending => 3,
            SourceEnded | AfterTheEnd => 5,
            _ => u64::MAX,
        };
        let source = stream::iter((0..items).map(move |n| (n, tracker.track())));
        let source = if phase == SourcePending { source.chain(stream::pending()).boxed() } else { source.boxed() };
        let mut builder = source.fan_out().workers(2).window(WINDOW).batch(batch);
        if phase == HeldBackForOrder {
            builder = builder.ordered();
        }
        let results = builder.map(move |(n, tracked)| {
            let waits = match phase {
                ItemsRun => true,
                HeldBackForOrder => n == 0,
                _ => false,
            };
            if waits {
                pass.pass();
            }
            count.add();
            (n, tracked)
        });
        (Self { results: results.unwrap(), taken: 0, counter, gate }, done)
    }

    async fn reach(phase: Phase, batch: usize) -> Self {
        let (mut staged, done) = Self::start(phase, batch);
        match phase {
            BeforeTheFirstTurn => return staged,
            SourcePending => done.reached(3).await,
            SourceEnded => done.reached(5).await,
            WaitingForCredit => done.reached(WINDOW as u64).await,
            ItemsRun => staged.gate.arrived(2).await,
            HeldBackForOrder => done.reached((WINDOW - batch) as u64).await,
            TakenInPart => {
                done.reached(WINDOW as u64).await;
                staged.results.next().await.unwrap().unwrap();
                staged.taken = 1;
            }
            AfterTheEnd => {
                staged.taken = staged.results.by_ref().count().await;
                staged.results.finished().await.unwrap();
            }
        }
        settle().await;
        staged
    }
}

type Act = fn(&StopHandle);

/// How it is stopped, whether that delivers what is in flight, and how it ends where nothing is.
const STOPS: [(Act, bool, End); 5] = [
    (StopHandle::stop, false, End::Stopped),
    (StopHandle::drain, true, End::Drained),
    (
        |stop| {
            stop.drain();
            stop.drain();
        },
        true,
        End::Drained,
    ),
    (
        |stop| {
            stop.drain();
            stop.stop();
        },
        false,
        End::Drained,
    ),
    (
        |stop| {
            stop.stop();
            stop.drain();
            stop.stop();
        },
        false,
        End::Stopped,
    ),
];

#[test]
fn a_stop_in_any_phase_ends_the_stream_and_accounts_for_every_item() {
    for phase in PHASES {
        for batch in [1, 4] {
            for (end, drains, at_rest) in STOPS {
                run(async move {
                    let Staged { mut results, taken, counter, gate } = Staged::reach(phase, batch).await;
                    let (stop, begun) = (results.stop_handle(), gate.arrivals());
                    end(&stop);
                    let born = counter.created();
                    assert_balanced(&stop.stats());
                    gate.open();
                    let rest: Vec<u64> = results.by_ref().map(|result| result.unwrap().0).collect().await;
                    assert!(results.next().await.is_none());
                    let stats = results.finished().await.unwrap();
                    assert_settled(&stats);
                    let what = format!("{phase:?}, batches of {batch}, {drains}: {stats:?}");
                    assert_eq!((stats.taken, counter.created(), counter.alive()), (born as u64, born, 0), "{what}");
                    assert_eq!((taken + rest.len()) as u64, stats.completed, "what was finished arrives: {what}");
                    let expected = match (phase, drains) {
                        (AfterTheEnd, _) | (SourceEnded, true) => End::Complete,
                        (BeforeTheFirstTurn, _) => at_rest,
                        (_, true) => End::Drained,
                        (_, false) => End::Stopped,
                    };
                    assert_eq!(stats.end, Some(expected), "{what}");
                    if drains {
                        assert_eq!(stats.skipped, 0, "{what}");
                    } else if phase == ItemsRun {
                        assert_eq!((gate.arrivals(), stats.completed), (begun, 2), "{what}");
                    }
                    if phase == HeldBackForOrder {
                        assert!(rest.is_sorted() && rest[0] == 0 && (!drains || rest.len() == born), "{rest:?}");
                    }
                    // Once more, after the end.
                    end(&stop);
                    assert_eq!(results.finished().await.unwrap().taken, stats.taken);
                });
            }
        }
    }
}

#[test]
fn dropping_the_stream_in_any_phase_leaves_nothing_behind() {
    for phase in PHASES {
        for batch in [1, 4] {
            run(async move {
                let Staged { results, counter, gate, .. } = Staged::reach(phase, batch).await;
                let (stop, begun, born) = (results.stop_handle(), gate.arrivals(), counter.created());
                drop(results);
                gate.open();
                stop.workers_stopped().await;
                settle().await;
                let stats = stop.stats();
                assert_settled(&stats);
                assert_eq!((stats.taken, counter.created(), counter.alive()), (born as u64, born, 0), "{phase:?}");
                assert_eq!(gate.arrivals(), begun, "{phase:?}");
                let expected = if phase == AfterTheEnd { End::Complete } else { End::Stopped };
                assert_eq!(stop.finished().await.unwrap().end, Some(expected), "{phase:?}");
            });
        }
    }
}
