//! Batches of which one item takes long: idle threads take the rest, and what is finished is delivered.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use actix_fan::{FanIn, FanOutExt, Workers};
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures::{StreamExt, poll};

use crate::support::{Count, DropCounter, Gate, Tracked, assert_settled, quiet_panic, run, settle};

/// Items of a batch that the tests hand over at once.
const BATCH: u64 = 64;

use Threads::{FixedBatches, Own, Shared};

/// What an item does before it emits its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Item {
    /// Microseconds of work, so that threads claim such items one by one.
    Short(u64),
    /// Waits at the gate.
    Held(u64),
    /// Takes longer than a batch may.
    Long(u64),
    Panics(u64),
}

type Sender = UnboundedSender<Result<Item, &'static str>>;
type Items = UnboundedReceiver<Result<Item, &'static str>>;

/// The threads that a pipeline works on.
enum Threads {
    Own(usize),
    Shared(Workers),
    FixedBatches(usize),
}

/// A pipeline that has measured short items, so that it takes [`BATCH`] of them at once.
struct Warm {
    sender: Sender,
    results: FanIn<u64>,
    gate: Gate,
    /// Items that ended.
    ended: Count,
    threads: Arc<Mutex<HashSet<ThreadId>>>,
    /// The index of the next item.
    next: u64,
}

impl Warm {
    async fn start(threads: Threads, ordered: bool) -> Self {
        let (sender, receiver): (Sender, Items) = unbounded();
        let fan_out = match threads {
            Threads::Own(threads) => receiver.try_fan_out().workers(threads),
            Threads::Shared(workers) => receiver.try_fan_out().on(&workers),
            Threads::FixedBatches(threads) => receiver.try_fan_out().workers(threads).batch(BATCH as usize),
        };
        let fan_out = if ordered { fan_out.ordered() } else { fan_out };
        let (gate, ended, threads) = (Gate::new(), Count::new(), Arc::<Mutex<HashSet<ThreadId>>>::default());
        let (pass, ends, seen) = (gate.clone(), ended.clone(), Arc::clone(&threads));
        let results = fan_out.map(move |item| {
            seen.lock().unwrap().insert(thread::current().id());
            let n = match item {
                Item::Short(n) => (spin(Duration::from_micros(3)), n).1,
                Item::Held(n) => (pass.pass(), n).1,
                Item::Long(n) => (spin(Duration::from_millis(10)), n).1,
                Item::Panics(_) => quiet_panic("an item"),
            };
            ends.add();
            n
        });
        let mut warm = Self { sender, results: results.unwrap(), gate, ended, threads, next: 0 };
        warm.up().await;
        warm
    }

    /// Hands short items over until a batch of [`BATCH`] would be taken at once.
    async fn up(&mut self) {
        loop {
            self.send((0..2 * BATCH).map(|_| Item::Short(0)));
            for _ in 0..2 * BATCH {
                self.results.next().await.unwrap().unwrap();
            }
            if self.results.stats().batch_size >= BATCH as usize {
                break;
            }
        }
        self.threads.lock().unwrap().clear();
    }

    fn send(&mut self, items: impl IntoIterator<Item = Item>) {
        self.send_all(items.into_iter().map(Ok));
    }

    fn send_all(&mut self, items: impl IntoIterator<Item = Result<Item, &'static str>>) {
        for item in items {
            self.sender.unbounded_send(item).unwrap();
            self.next += 1;
        }
    }

    fn batches(&self) -> u64 {
        self.results.stats().workers.iter().map(|worker| worker.batches).sum()
    }

    async fn next(&mut self) -> u64 {
        self.results.next().await.unwrap().unwrap()
    }

    async fn take(&mut self, results: u64) -> Vec<u64> {
        let mut taken = Vec::new();
        for _ in 0..results {
            taken.push(self.next().await);
        }
        taken
    }

    async fn end(mut self) {
        drop(self.sender);
        assert!(self.results.next().await.is_none());
        let stats = self.results.finished().await.unwrap();
        assert_settled(&stats);
        assert_eq!((stats.taken, stats.skipped), (self.next, 0));
    }
}

fn spin(least: Duration) {
    let began = Instant::now();
    while began.elapsed() < least {
        std::hint::spin_loop();
    }
}

fn held_at(place: u64) -> impl Iterator<Item = Item> {
    (0..BATCH).map(move |n| if n == place { Item::Held(n) } else { Item::Short(n) })
}

#[test]
fn all_other_items_of_a_batch_are_delivered_while_one_is_held() {
    for place in [0, 1, 31, BATCH - 1] {
        run(async move {
            let mut warm = Warm::start(Own(2), false).await;
            warm.send(held_at(place));
            let mut got = warm.take(BATCH - 1).await;
            warm.gate.arrived(1).await;
            got.sort_unstable();
            assert!(got.into_iter().eq((0..BATCH).filter(|n| *n != place)));
            settle().await;
            assert!(poll!(warm.results.next()).is_pending());
            warm.gate.open();
            assert_eq!(warm.next().await, place);
            warm.end().await;
        });
    }
}

#[test]
fn the_results_before_an_item_that_is_held_are_delivered_in_order() {
    for place in [0, 1, 31, BATCH - 1] {
        run(async move {
            let mut warm = Warm::start(Own(2), true).await;
            let before = warm.ended.get();
            warm.send(held_at(place));
            for n in 0..place {
                assert_eq!(warm.next().await, n);
            }
            // The consumer takes none of the others, and they run all the same.
            warm.ended.reached(before + BATCH - 1).await;
            settle().await;
            assert!(poll!(warm.results.next()).is_pending());
            warm.gate.open();
            for n in place..BATCH {
                assert_eq!(warm.next().await, n);
            }
            warm.end().await;
        });
    }
}

/// The held item's thread is the only one: another one delivers what that has finished.
#[test]
fn the_only_thread_of_a_pipeline_keeps_no_finished_result_while_an_item_is_held() {
    for ordered in [false, true] {
        run(async move {
            let mut warm = Warm::start(Own(1), ordered).await;
            warm.send(held_at(40));
            let before = warm.take(40).await;
            warm.gate.arrived(1).await;
            warm.gate.open();
            let after = warm.take(BATCH - 40).await;
            if ordered {
                assert!(before.into_iter().chain(after).eq(0..BATCH));
            } else {
                let (before, after) = (BTreeSet::from_iter(before), BTreeSet::from_iter(after));
                assert!(before.into_iter().chain(after).eq(0..BATCH));
            }
            warm.end().await;
        });
    }
}

#[test]
fn a_burst_that_fits_into_one_batch_is_run_by_all_threads() {
    for threads in [2, 3] {
        run(async move {
            let workers = Workers::builder().threads(threads).build().unwrap();
            for threads_of in [Own(threads), Shared(workers)] {
                let mut warm = Warm::start(threads_of, false).await;
                warm.send((0..BATCH).map(Item::Held));
                // On one thread the second one would never come.
                warm.gate.arrived(threads).await;
                warm.gate.open();
                let got = HashSet::<u64>::from_iter(warm.take(BATCH).await);
                assert_eq!((got.len() as u64, warm.threads.lock().unwrap().len()), (BATCH, threads));
                warm.end().await;
            }
        });
    }
}

#[test]
fn failures_of_the_source_and_panics_in_shared_batches_keep_their_places() {
    // Failures at both ends, alone and in a row.
    let fails = |n: u64| n.is_multiple_of(3) || n % 11 == 1 || n == BATCH - 2;
    let panics = |n: u64| n % 5 == 2;
    for (threads, held) in [(2, 7), (2, 40), (3, 25), (1, 40)] {
        assert!(!fails(held));
        run(async move {
            let mut warm = Warm::start(Own(threads), true).await;
            for round in 0..4 {
                let (first, before, ended) = (warm.next, warm.batches(), warm.ended.get());
                let is_held = round % 2 == 0;
                let item = |n| match n {
                    _ if fails(n) => Err("bad"),
                    _ if n == held && is_held => Ok(Item::Held(n)),
                    _ if n == held || n == 4 => Ok(Item::Long(n)),
                    _ if panics(n) => Ok(Item::Panics(n)),
                    _ => Ok(Item::Short(n)),
                };
                warm.send_all((0..BATCH).map(item));
                for n in 0..BATCH {
                    if n == held && is_held {
                        warm.gate.arrived(round / 2 + 1).await;
                        if threads > 1 {
                            let others = (0..BATCH).filter(|n| matches!(item(*n), Ok(Item::Short(_) | Item::Long(_))));
                            warm.ended.reached(ended + others.count() as u64).await;
                            assert!(warm.batches() - before >= 2, "others took a part");
                        }
                        warm.gate.let_through(1);
                    }
                    match warm.results.next().await.unwrap() {
                        Ok(got) => assert!(got == n && !fails(n), "{got} in the place of {n}"),
                        Err(error) => {
                            assert_eq!(error.index(), first + n);
                            assert_eq!(error.source_error().is_some(), fails(n), "{n}: {error}");
                            assert!(fails(n) || panics(n), "{n}: {error}");
                        }
                    }
                }
                warm.up().await;
            }
            warm.end().await;
        });
    }
}

#[test]
fn a_stop_skips_what_has_not_begun_of_a_shared_batch() {
    for ordered in [false, true] {
        run(async move {
            let mut warm = Warm::start(Own(2), ordered).await;
            let before = warm.results.stats();
            warm.send((0..BATCH).map(Item::Held));
            warm.gate.arrived(2).await;
            warm.results.stop();
            warm.gate.open();
            let stats = warm.results.finished().await.unwrap();
            assert_settled(&stats);
            assert_eq!(warm.gate.arrivals(), 2, "no further item began");
            assert_eq!((stats.completed - before.completed, stats.skipped), (2, stats.taken - before.taken - 2));
        });
    }
}

#[test]
fn a_stream_that_is_dropped_while_a_batch_is_shared_ends_its_pipeline() {
    run(async {
        let mut warm = Warm::start(Own(2), false).await;
        warm.send((0..BATCH).map(Item::Held));
        warm.gate.arrived(2).await;
        let stop = warm.results.stop_handle();
        drop(warm.results);
        warm.gate.open();
        let stats = stop.finished().await.unwrap();
        assert_settled(&stats);
        assert_eq!(warm.gate.arrivals(), 2);
    });
}

#[test]
fn a_drain_completes_a_shared_batch() {
    run(async {
        let mut warm = Warm::start(Own(2), false).await;
        let before = warm.results.stats();
        warm.send((0..BATCH).map(Item::Held));
        warm.gate.arrived(2).await;
        warm.results.drain();
        warm.gate.open();
        let mut got = 0;
        while let Some(result) = warm.results.next().await {
            result.unwrap();
            got += 1;
        }
        let stats = warm.results.finished().await.unwrap();
        assert_settled(&stats);
        assert_eq!((stats.completed - before.completed, stats.skipped), (got, 0));
        assert_eq!(stats.taken - before.taken, got);
    });
}

#[test]
fn the_window_holds_while_batches_are_shared() {
    for (window, ordered) in [(16, false), (256, false), (256, true)] {
        run(async move {
            let counter = DropCounter::new();
            let tracker = counter.clone();
            let fan_out = (0..8000u64).map(move |n| (n, tracker.track())).fan_out().workers(2).window(window);
            let fan_out = if ordered { fan_out.ordered() } else { fan_out };
            let mut results = fan_out
                .map(|(n, tracked): (u64, Tracked)| {
                    spin(if n % 400 == 399 { Duration::from_millis(4) } else { Duration::from_micros(2) });
                    (n, tracked)
                })
                .unwrap();
            let mut sum = 0;
            while let Some(result) = results.next().await {
                let (n, tracked) = result.unwrap();
                assert!(!ordered || n == results.stats().emitted - 1);
                sum += n;
                assert!(results.stats().in_flight <= window);
                drop(tracked);
            }
            assert_eq!(sum, 7999 * 4000);
            // The consumer has one that counts no more.
            assert!(counter.peak() <= window + 1, "{}", counter.peak());
            assert_settled(&results.finished().await.unwrap());
        });
    }
}

#[test]
fn a_batch_of_a_fixed_size_is_not_divided() {
    run(async {
        let mut warm = Warm::start(FixedBatches(2), false).await;
        // The generator may be interrupted while it takes the items, which are two batches then, but not each time.
        for round in 0.. {
            warm.threads.lock().unwrap().clear();
            let before = warm.batches();
            // While the first one runs, the other thread has nothing to do.
            warm.send((0..BATCH).map(|n| if n == 0 { Item::Long(n) } else { Item::Short(n) }));
            warm.take(BATCH).await;
            if warm.batches() - before == 1 {
                assert_eq!(warm.threads.lock().unwrap().len(), 1);
                break;
            }
            assert!(round < 50, "each was divided");
        }
        warm.end().await;
    });
}
