//! How a run ended, as a value: each row of the table of `End`, and that no way of consuming a stream hides a failure.

use std::future::ready;

use actix::{Actor, Context, Handler, Message};
use actix_fan::{End, FanIn, FanOutExt, ItemError, PipelineError, Stats, StopHandle, fan_in, work_fn};
use futures::{FutureExt, Stream, StreamExt, stream};

use crate::counting_source::CountingSource;
use crate::support::{Count, Gate, assert_settled, quiet_panic, run, settle};

/// A source of `items` that notes when it was asked for more.
fn noted(items: u64) -> (impl Stream<Item = u64>, Count) {
    let (asked, count) = (Count::new(), Count::new());
    let note = count.clone();
    let end = stream::poll_fn(move |_| {
        if asked.add() == 0 {
            note.add();
        }
        std::task::Poll::Ready(None)
    });
    (stream::iter(0..items).chain(end), count)
}

/// A pipeline whose source panics at its fourth item.
fn dying() -> FanIn<u64> {
    let source = (0u64..).inspect(|n| {
        if *n == 3 {
            quiet_panic("gone");
        }
    });
    source.fan_out().workers(2).map(|n| n).unwrap()
}

fn gone() -> PipelineError {
    PipelineError::SourcePanicked { message: "gone".into() }
}

fn endless() -> FanIn<u64> {
    CountingSource::new().fan_out().workers(2).map(|n| n).unwrap()
}

async fn end_of(stop: &StopHandle) -> End {
    let ended = stop.finished().await;
    let end = stop.end().expect("it has ended");
    assert_eq!(stop.stats().end.as_ref(), Some(&end));
    assert_eq!(ended.as_ref().err(), end.error(), "{end:?}");
    assert_eq!(stop.error(), end.error());
    if let Ok(Stats { end: told, .. }) = ended {
        assert_eq!(told.as_ref(), Some(&end));
    }
    end
}

#[test]
fn a_run_is_complete_once_its_consumer_saw_the_end() {
    for items in [0, 1, 100] {
        run(async move {
            let mut results = (0..items).fan_out().workers(2).map(|n: u64| n).unwrap();
            let stop = results.stop_handle();
            for _ in 0..items {
                assert_eq!(results.stats().end, None);
                results.next().await.unwrap().unwrap();
            }
            stop.workers_stopped().await;
            assert_eq!(stop.end(), None, "it might fail to deliver the end");
            assert!(stop.finished().now_or_never().is_none());
            assert!(results.next().await.is_none());
            assert_eq!(results.stats().end, Some(End::Complete));
            drop(results);
            assert_eq!(end_of(&stop).await, End::Complete);
        });
    }
}

#[test]
fn a_run_whose_results_were_dropped_by_finished_is_complete() {
    run(async {
        let mut results = (0..100u64).fan_out().workers(2).window(8).map(|n| n).unwrap();
        results.next().await.unwrap().unwrap();
        let stats = results.finished().await.unwrap();
        assert_eq!((stats.end, stats.completed, stats.emitted), (Some(End::Complete), 100, 1));
    });
}

#[test]
fn a_run_with_failed_items_is_complete() {
    run(async {
        let mut results = (0..10u64).fan_out().try_map(|n| if n < 5 { Ok(n) } else { Err("big") }).unwrap();
        let stats = results.finished().await.unwrap();
        assert_eq!((stats.end, stats.failed), (Some(End::Complete), 5));
    });
}

#[test]
fn a_drained_run_says_so_unless_its_source_had_ended() {
    run(async {
        let mut results = endless();
        results.next().await.unwrap().unwrap();
        results.drain();
        assert_eq!(results.stats().end, None, "what is in flight still comes");
        assert_eq!(results.finished().await.unwrap().end, Some(End::Drained));
    });
    run(async {
        let (source, ended) = noted(5);
        let mut results = source.fan_out().workers(1).map(|n| n).unwrap();
        ended.reached(1).await;
        settle().await;
        results.drain();
        assert_eq!(results.finished().await.unwrap().end, Some(End::Complete));
    });
}

#[test]
fn a_stopped_run_says_so_unless_everything_was_delivered() {
    // The source had not ended; nothing is skipped.
    run(async {
        let results = stream::pending::<u64>().fan_out().workers(1).map(|n| n).unwrap();
        let stop = results.stop_handle();
        settle().await;
        stop.stop();
        assert_eq!(end_of(&stop).await, End::Stopped, "it has ended without a poll");
        assert_eq!(stop.stats().skipped, 0);
    });
    // A drain was on its way.
    run(async {
        let gate = Gate::new();
        let pass = gate.clone();
        let mut results = (0u64..).fan_out().workers(1).map(move |_| pass.pass()).unwrap();
        gate.arrived(1).await;
        results.drain();
        results.stop();
        gate.open();
        assert_eq!(results.finished().await.unwrap().end, Some(End::Stopped));
    });
    // All work was done, but one result wasn't taken. It still comes.
    for untaken in [0, 1] {
        run(async move {
            let (source, ended) = noted(5);
            let mut results = source.fan_out().workers(1).batch(1).map(|n| n).unwrap();
            let stop = results.stop_handle();
            for _ in untaken..5 {
                results.next().await.unwrap().unwrap();
            }
            ended.reached(1).await;
            stop.workers_stopped().await;
            settle().await;
            stop.stop();
            let expected = if untaken == 0 { End::Complete } else { End::Stopped };
            assert_eq!(end_of(&stop).await, expected);
            assert_eq!(results.by_ref().count().await, untaken);
            assert_eq!(results.finished().await.unwrap().end, Some(expected.clone()));
            drop(results);
            assert_eq!(end_of(&stop).await, expected, "an end doesn't change");
        });
    }
}

#[test]
fn dropping_the_stream_before_its_end_is_a_stop() {
    for taken in [0, 1, 9, 10] {
        run(async move {
            let (source, ended) = noted(10);
            let results = source.fan_out().workers(2).batch(1).map(|n| n).unwrap();
            let stop = results.stop_handle();
            let mut some = results.take(taken);
            while let Some(result) = some.next().await {
                result.unwrap();
            }
            ended.reached(1).await;
            settle().await;
            assert_eq!(stop.end(), None);
            drop(some);
            assert_eq!(end_of(&stop).await, End::Stopped, "{taken} taken");
            assert_settled(&stop.stats());
        });
    }
}

#[test]
fn taking_ten_of_an_endless_source_is_a_stop() {
    run(async {
        let results = endless();
        let stop = results.stop_handle();
        assert_eq!(results.take(10).count().await, 10);
        assert_eq!(end_of(&stop).await, End::Stopped);
    });
}

#[test]
fn a_failure_is_reported_however_the_stream_is_consumed() {
    type Consume = fn(FanIn<u64>) -> futures::future::LocalBoxFuture<'static, usize>;
    let ways: [Consume; 6] = [
        |results| results.count().boxed_local(),
        // The trap: the error of the pipeline goes where those of items go.
        |results| results.filter_map(|result| ready(result.ok())).count().boxed_local(),
        |results| results.map(Result::unwrap_or_default).count().boxed_local(),
        |mut results| async move { results.finished().await.map_or(0, |_| 1) }.boxed_local(),
        |mut results| {
            async move {
                while results.next_chunk().await.is_some() {}
                1
            }
            .boxed_local()
        },
        |results| {
            let next = results.filter_map(|result| ready(result.ok())).fan_out().workers(1).map(|n| n).unwrap();
            let stop = next.stop_handle();
            async move {
                assert_eq!(next.filter_map(|result| ready(result.ok())).count().await, 3);
                assert_eq!(end_of(&stop).await, End::Failed(gone()), "the next stage says so too");
                3
            }
            .boxed_local()
        },
    ];
    for consume in ways {
        run(async move {
            let results = dying();
            let stop = results.stop_handle();
            consume(results).await;
            assert_eq!(end_of(&stop).await, End::Failed(gone()));
            assert_eq!(stop.stats().failed, 0, "no item failed");
        });
    }
}

#[test]
fn a_run_whose_factory_keeps_panicking_has_failed() {
    run(async {
        let mut results = (0..10u64)
            .fan_out()
            .workers(1)
            .with(|| {
                if true {
                    quiet_panic("no work");
                }
                work_fn(|_: u64, _: &mut actix_fan::Job<'_, u64>| Ok(()))
            })
            .unwrap();
        let error = results.finished().await.unwrap_err();
        assert!(matches!(error, PipelineError::WorkerFactory { attempts: 5, .. }));
        assert_eq!(results.stats().end, Some(End::Failed(error)));
    });
}

#[test]
fn a_failure_after_a_stop_does_not_change_the_end() {
    run(async {
        let results = endless();
        let stop = results.stop_handle();
        stop.stop();
        let error = results.deliver_with(Few(0).start().recipient(), Found).await.map(|stats| stats.end);
        assert_eq!((error, stop.error()), (Ok(Some(End::Stopped)), None));
    });
}

struct Found(Result<u64, ItemError>);

impl Message for Found {
    type Result = ();
}

/// Takes a number of results, and stops at the next.
struct Few(u64);

impl Actor for Few {
    type Context = Context<Self>;
}

impl Handler<Found> for Few {
    type Result = ();

    fn handle(&mut self, Found(result): Found, ctx: &mut Context<Self>) {
        result.unwrap();
        match self.0.checked_sub(1) {
            Some(left) => self.0 = left,
            None => actix::ActorContext::stop(ctx),
        }
    }
}

#[test]
fn a_run_whose_recipient_is_gone_has_failed_even_if_all_work_was_done() {
    for items in [3, u64::MAX] {
        run(async move {
            let results = (0..items).fan_out().workers(1).batch(1).map(|n| n).unwrap();
            let stop = results.stop_handle();
            if items == 3 {
                stop.workers_stopped().await;
                settle().await;
            }
            let error = results.deliver_with(Few(1).start().recipient(), Found).await.unwrap_err();
            assert_eq!(error, PipelineError::RecipientGone);
            assert_eq!(end_of(&stop).await, End::Failed(PipelineError::RecipientGone));
        });
    }
}

#[test]
fn deliver_with_returns_how_the_run_ended() {
    run(async {
        for (stop, expected) in [(false, End::Complete), (true, End::Drained)] {
            let results = if stop { endless() } else { (0..50u64).fan_out().map(|n| n).unwrap() };
            if stop {
                settle().await;
                results.drain();
            }
            let stats = results.deliver_with(Few(u64::MAX).start().recipient(), Found).await.unwrap();
            assert_eq!(stats.end, Some(expected));
        }
    });
}

/// Ends the first stage in its own way.
type EndFirst = fn(&StopHandle);

#[test]
fn chains_and_merged_streams_end_as_the_pipelines_inside_them() {
    type Next = fn(FanIn<u64>) -> (StopHandle, futures::stream::LocalBoxStream<'static, ()>);
    let nexts: [Next; 5] = [
        |first| {
            let next = first.fan_out().workers(1).map(|n| n).unwrap();
            (next.stop_handle(), next.map(drop).boxed_local())
        },
        |first| {
            let next = first.map(Result::unwrap).inspect(|_| ()).boxed().fan_out().workers(1).map(|n| n).unwrap();
            (next.stop_handle(), next.map(drop).boxed_local())
        },
        |first| {
            let merged = fan_in([(0..3u64).fan_out().workers(1).map(|n| n).unwrap(), first]);
            (merged.stop_handle(), merged.map(drop).boxed_local())
        },
        |first| {
            let merged = fan_in([fan_in([first.boxed()]).boxed(), stream::empty().boxed()]);
            (merged.stop_handle(), merged.map(drop).boxed_local())
        },
        |first| {
            let next = fan_in([first]).try_fan_out().workers(1).map(|n| n).unwrap();
            (next.stop_handle(), next.map(drop).boxed_local())
        },
    ];
    let ends: [(Option<EndFirst>, End); 3] =
        [(None, End::Complete), (Some(StopHandle::drain), End::Drained), (Some(StopHandle::stop), End::Stopped)];
    for next in nexts {
        for (end, expected) in &ends {
            run(async move {
                let first = match end {
                    None => (0..100u64).fan_out().workers(1).map(|n| n).unwrap(),
                    Some(_) => endless(),
                };
                let first_stop = first.stop_handle();
                let (stop, mut results) = next(first);
                results.next().await.unwrap();
                if let Some(end) = end {
                    end(&first_stop);
                }
                while results.next().await.is_some() {}
                assert_eq!(stop.end().as_ref(), Some(expected));
                assert_eq!(end_of(&stop).await, *expected);
                assert_eq!(end_of(&first_stop).await, *expected);
            });
        }
    }
}

#[test]
fn a_merged_stream_returns_the_error_of_its_pipelines() {
    run(async {
        let mut merged = fan_in([dying(), (0..10u64).fan_out().map(|n| n).unwrap()]);
        let mut good = 0;
        while let Some(result) = merged.next().await {
            good += usize::from(result.is_ok());
        }
        assert_eq!(good, 13);
        assert_eq!(merged.finished().await.unwrap_err(), gone());
        assert_eq!(merged.stats().end, Some(End::Failed(gone())));
    });
    run(async {
        let mut merged = fan_in([stream::iter(0..10), stream::iter(0..10)]);
        assert_eq!(merged.next().await, Some(0));
        let stats = merged.finished().await.unwrap();
        assert_eq!((stats.end, stats.emitted), (Some(End::Complete), 20));
    });
}

#[test]
fn a_merged_stream_that_is_drained_stopped_or_dropped_says_so() {
    type Act = fn(&StopHandle);
    let acts: [(Act, End); 2] = [(StopHandle::drain, End::Drained), (StopHandle::stop, End::Stopped)];
    for (act, expected) in acts {
        run(async move {
            let mut merged = fan_in([stream::repeat(1)]);
            merged.next().await;
            act(&merged.stop_handle());
            assert_eq!(merged.finished().await.unwrap().end, Some(expected));
        });
    }
    run(async {
        let merged = fan_in(Vec::<stream::Empty<u8>>::new());
        let stop = merged.stop_handle();
        drop(merged);
        assert_eq!(end_of(&stop).await, End::Stopped);
    });
    run(async {
        let merged = fan_in([stream::iter(0..10)]);
        let stop = merged.stop_handle();
        assert_eq!(merged.take(10).count().await, 10);
        assert_eq!(end_of(&stop).await, End::Stopped);
    });
}

#[test]
fn a_stage_behind_take_is_complete() {
    // Whatever becomes of the rest.
    let ends: [EndFirst; 2] = [StopHandle::stop, StopHandle::drain];
    for end in ends {
        run(async move {
            let (first, done) = (endless(), Count::new());
            let (stop, count) = (first.stop_handle(), done.clone());
            let mut next = first.take(10).inspect(move |_| _ = count.add()).try_fan_out().map(|n| n).unwrap();
            done.reached(10).await;
            end(&stop);
            assert_eq!(next.finished().await.unwrap().end, Some(End::Complete));
        });
    }
    run(async {
        let first = dying();
        first.stop_handle().workers_stopped().await;
        let mut next = first.take(3).try_fan_out().workers(1).map(|n| n).unwrap();
        assert_eq!(next.finished().await.unwrap().end, Some(End::Complete));
    });
    run(async {
        let mut next = endless().take(10).try_fan_out().workers(1).map(|n| n).unwrap();
        assert_eq!(next.finished().await.unwrap().end, Some(End::Complete));
    });
}

#[test]
fn an_end_is_displayed_as_one_word() {
    let ends = [End::Complete, End::Drained, End::Stopped, End::Failed(gone())];
    let words: Vec<String> = ends.iter().map(|end| format!("{end:>8}")).collect();
    assert_eq!(words, ["complete", " drained", " stopped", "  failed"]);
    assert_eq!(ends.iter().filter(|end| end.is_complete()).count(), 1);
    assert_eq!(ends[3].error(), Some(&gone()));
}
