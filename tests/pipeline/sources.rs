use std::cell::{Cell, OnceCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use actix_fan::{FanOutExt, PipelineError, blocking, blocking_ahead};
use futures::channel::mpsc;
use futures::{SinkExt, StreamExt, stream};

use crate::counting_source::CountingSource;
use crate::support::{DropCounter, Gate, assert_settled, quiet_panic, run, settle};

#[test]
fn no_one_and_many_items_pass_at_every_number_of_workers() {
    for items in [0u64, 1, 2, 10_000] {
        for workers in [1, 4] {
            run(async move {
                let from_iterator = (0..items).fan_out().workers(workers).map(|n| n).unwrap();
                let from_stream = stream::iter(0..items).fan_out().workers(workers).map(|n| n).unwrap();
                let (a, b) = futures::join!(from_iterator.count(), from_stream.count());
                assert_eq!((a as u64, b as u64), (items, items));
            });
        }
    }
}

#[test]
fn a_source_need_not_be_send() {
    run(async {
        let local = Rc::new(3u64);
        let iterator = (0..4u64).map(move |n| n * *local);
        let results = iterator.fan_out().workers(2).ordered().map(|n| n).unwrap();
        assert_eq!(results.map(Result::unwrap).collect::<Vec<_>>().await, [0, 3, 6, 9]);
    });
}

#[test]
fn a_slow_source_is_never_waited_on_to_fill_a_batch() {
    run(async {
        let (mut sender, receiver) = mpsc::unbounded();
        let mut results = receiver.fan_out().workers(2).batch(100).window(1000).map(|n: u64| n + 1).unwrap();
        for n in 0..50 {
            sender.send(n).await.unwrap();
            assert_eq!(results.next().await.unwrap().unwrap(), n + 1);
        }
        drop(sender);
        assert!(results.next().await.is_none());
    });
}

#[test]
fn a_blocking_iterator_does_not_block_the_arbiter() {
    run(async {
        let gate = Gate::new();
        let pass = gate.clone();
        let lines = blocking((0..3u64).inspect(move |_| pass.pass())).unwrap();
        let mut results = lines.fan_out().workers(1).map(|n| n).unwrap();
        // The iterator blocks, and still this task runs.
        gate.arrived(1).await;
        for n in 0..3 {
            gate.let_through(1);
            assert_eq!(results.next().await.unwrap().unwrap(), n, "it is answered before the next one comes");
        }
        assert!(results.next().await.is_none());
    });
}

#[test]
fn a_blocking_source_reads_no_further_ahead_than_allowed() {
    run(async {
        for ahead in [0, 1, 7] {
            let made = Arc::new(AtomicU64::new(0));
            let items = (0..1000u64).inspect({
                let made = Arc::clone(&made);
                move |_| _ = made.fetch_add(1, SeqCst)
            });
            let mut items = blocking_ahead(ahead, items).unwrap();
            for n in 0..1000 {
                assert_eq!(items.next().await, Some(n));
                // Those that wait, the one that was taken, and the one that the thread holds in its hand.
                let most = n + 1 + ahead.max(1) as u64 + 1;
                assert!(made.load(SeqCst) <= most, "{} made where {most} may be", made.load(SeqCst));
            }
        }
    });
}

#[test]
fn a_blocking_source_ends_its_thread_when_the_pipeline_stops() {
    run(async {
        let counter = DropCounter::new();
        let held = counter.track();
        let source = CountingSource::new().inspect(move |_| _ = &held);
        let results = blocking(source).unwrap().fan_out().workers(1).map(|n| n).unwrap();
        let got: Vec<_> = results.take(3).collect().await;
        assert_eq!(got.len(), 3);
        // The thread drops its iterator last.
        counter.are_left(0).await;
    });
}

#[test]
fn a_source_that_panics_ends_the_pipeline_after_its_items() {
    fn source() -> impl Iterator<Item = u64> + Send {
        (0..).inspect(|n| {
            if *n == 57 {
                quiet_panic("out of numbers");
            }
        })
    }
    run(async {
        let here = source().fan_out().workers(2).ordered().map(|n| n).unwrap();
        let elsewhere = blocking(source()).unwrap().fan_out().workers(2).ordered().map(|n| n).unwrap();
        for mut results in [here, elsewhere] {
            for n in 0..57 {
                assert_eq!(results.next().await.unwrap().unwrap(), n);
            }
            let last = results.next().await.unwrap().unwrap_err();
            assert_eq!(last.index(), 57);
            let expected = PipelineError::SourcePanicked { message: "out of numbers".into() };
            assert_eq!(last.pipeline_error(), Some(&expected));
            assert!(results.next().await.is_none());
            assert_eq!(results.finished().await.unwrap_err(), expected);
            assert_settled(&results.stats());
        }
    });
}

#[test]
fn a_source_is_not_polled_after_its_end() {
    run(async {
        let mut ended = false;
        let source = stream::poll_fn(move |_| {
            assert!(!std::mem::replace(&mut ended, true), "polled after its end");
            std::task::Poll::Ready(None::<u8>)
        });
        let mut results = source.fan_out().workers(2).map(|n| n).unwrap();
        assert!(results.next().await.is_none());
        results.finished().await.unwrap();
    });
}

#[test]
fn an_always_ready_source_lets_other_tasks_run() {
    run(async {
        let mut results = CountingSource::new().fan_out().workers(2).map(|n| n).unwrap();
        let other = actix::spawn(async {
            settle().await;
        });
        let consumer = async {
            while !other.is_finished() {
                results.next().await.unwrap().unwrap();
            }
        };
        consumer.await;
    });
}

#[test]
fn a_source_that_stops_its_own_pipeline_is_not_polled_again() {
    for drain in [false, true] {
        run(async move {
            let (asked, stop) = (Rc::new(Cell::new(0)), Rc::new(OnceCell::<actix_fan::StopHandle>::new()));
            let (count, handle) = (Rc::clone(&asked), Rc::clone(&stop));
            let source = (0..100u64).inspect(move |n| {
                count.set(count.get() + 1);
                if *n == 10 {
                    let handle = handle.get().unwrap();
                    if drain { handle.drain() } else { handle.stop() }
                }
            });
            let mut results = source.fan_out().workers(1).batch(100).window(100).map(|n| n).unwrap();
            stop.set(results.stop_handle()).ok().unwrap();
            let stats = results.finished().await.unwrap();
            assert_eq!((asked.get(), stats.taken), (11, 11), "in the middle of a batch");
            assert_settled(&stats);
            assert_eq!(Rc::strong_count(&asked), 1, "the source is gone");
        });
    }
}
