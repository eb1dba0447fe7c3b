//! Large batches: what a long item holds up is shared among the workers, and a stop takes effect between any two items.

use std::time::{Duration, Instant};

use actix_fan::{FanIn, FanOutExt};
use futures::StreamExt;
use futures::channel::mpsc::{UnboundedSender, unbounded};

use crate::support::{Count, Gate, assert_settled, run};

/// Items of a batch that the tests hand over at once.
const BATCH: u64 = 64;

/// Sends short items until a batch of [`BATCH`] items would be taken at once, and takes their results.
async fn warm_up<I, O: Send + 'static>(sender: &UnboundedSender<I>, results: &mut FanIn<O>, short: impl Fn() -> I) {
    while results.stats().batch_size < 2 * BATCH as usize {
        for _ in 0..2 * BATCH {
            sender.unbounded_send(short()).unwrap();
        }
        for _ in 0..2 * BATCH {
            let _ = results.next().await.unwrap();
        }
    }
}

fn batches<O: Send + 'static>(results: &FanIn<O>) -> u64 {
    results.stats().workers.iter().map(|worker| worker.batches).sum()
}

/// Takes so long that another worker takes what waits behind it.
fn take_long() {
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(20) {
        std::hint::spin_loop();
    }
}

#[test]
fn batches_grow_while_the_items_are_short() {
    run(async {
        let (sender, receiver) = unbounded();
        let mut results = receiver.fan_out().workers(2).map(|()| ()).unwrap();
        warm_up(&sender, &mut results, || ()).await;
        // More are handed over in one round and fewer in another: a batch ends with the time slice of its source.
        loop {
            let before = batches(&results);
            for _ in 0..BATCH {
                sender.unbounded_send(()).unwrap();
            }
            for _ in 0..BATCH {
                results.next().await.unwrap().unwrap();
            }
            if batches(&results) - before <= 4 {
                break;
            }
        }
    });
}

#[test]
fn what_waits_behind_a_long_item_is_shared_among_the_workers() {
    enum Item {
        Short,
        Long,
        Waits,
        IsWaitedFor,
    }
    run(async {
        let (sender, receiver) = unbounded();
        let met = Gate::new();
        let mut results = receiver
            .fan_out()
            .workers(2)
            .map(move |item| match item {
                Item::Short => {}
                Item::Long => take_long(),
                // Both behind the long item, in one batch: on one worker, in this order, they could never meet.
                Item::Waits => met.pass(),
                Item::IsWaitedFor => met.open(),
            })
            .unwrap();
        warm_up(&sender, &mut results, || Item::Short).await;
        for place in 0..BATCH {
            let item = match place {
                0 => Item::Long,
                20 => Item::Waits,
                63 => Item::IsWaitedFor,
                _ => Item::Short,
            };
            sender.unbounded_send(item).unwrap();
        }
        for _ in 0..BATCH {
            results.next().await.unwrap().unwrap();
        }
        drop(sender);
        assert!(results.next().await.is_none());
        assert_settled(&results.finished().await.unwrap());
    });
}

#[test]
fn a_batch_divided_twice_keeps_every_result_and_failure_in_order() {
    for workers in [1, 2, 5] {
        run(async move {
            let (sender, receiver) = unbounded::<Result<u64, String>>();
            let short = u64::MAX;
            let mut results = receiver
                .try_fan_out()
                .workers(workers)
                .ordered()
                .map(move |n| {
                    if n == 7 || n == 40 {
                        take_long();
                    }
                    n
                })
                .unwrap();
            warm_up(&sender, &mut results, || Ok(short)).await;
            let (first, before) = (results.stats().taken, batches(&results));
            // Failures at both ends, alone and in a row.
            let fails = |n: u64| n.is_multiple_of(3) || n % 11 == 1 || n == BATCH - 2;
            for n in 0..BATCH {
                sender.unbounded_send(if fails(n) { Err(format!("bad {n}")) } else { Ok(n) }).unwrap();
            }
            for n in 0..BATCH {
                match results.next().await.unwrap() {
                    Ok(got) => assert!(got == n && !fails(n), "{got} in the place of {n}"),
                    Err(error) => {
                        assert_eq!(error.index(), first + n);
                        assert_eq!(error.source_error().unwrap().to_string(), format!("bad {n}"));
                    }
                }
            }
            assert!(workers == 1 || batches(&results) - before >= 2, "other workers took a part");
            drop(sender);
            assert!(results.next().await.is_none());
            let stats = results.finished().await.unwrap();
            assert_settled(&stats);
            assert_eq!((stats.taken, stats.skipped), (first + BATCH, 0));
        });
    }
}

#[test]
fn a_stop_is_seen_between_any_two_items_of_a_large_batch() {
    run(async {
        let (sender, receiver) = unbounded();
        let (gate, begun) = (Gate::new(), Count::new());
        let (pass, count) = (gate.clone(), begun.clone());
        let mut results = receiver
            .fan_out()
            .workers(1)
            .batch(BATCH as usize)
            .map(move |waits| {
                count.add();
                if waits {
                    pass.pass();
                }
            })
            .unwrap();
        // Short ones before it make no difference.
        for _ in 0..10 {
            for _ in 0..BATCH {
                sender.unbounded_send(false).unwrap();
            }
            for _ in 0..BATCH {
                results.next().await.unwrap().unwrap();
            }
        }
        let before = begun.get();
        for place in 0..BATCH {
            sender.unbounded_send(place == 0).unwrap();
        }
        gate.arrived(1).await;
        results.stop();
        gate.open();
        let stats = results.finished().await.unwrap();
        assert_eq!(begun.get() - before, 1);
        assert_settled(&stats);
    });
}
