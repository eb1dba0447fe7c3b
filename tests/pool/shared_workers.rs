//! Pools on sets of worker threads that are shared, and pools without a System.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use actix::System;
use actix_fan::{FanOutExt, PipelineError, Pool, StartError, SubmitError, Workers, pool};
use futures::executor::block_on;
use futures::future::join_all;
use futures::{SinkExt, StreamExt};

use crate::gated_pool::GatedPool;
use crate::support::{Count, DropCounter, Gate, TrackedWork, assert_settled, quiet_panic, run, settle};

fn set(threads: usize) -> Workers {
    Workers::builder().threads(threads).thread_name("shared").build().unwrap()
}

#[test]
fn a_pool_works_on_the_threads_of_its_set() {
    run(async {
        let (workers, gate, names) = (set(2), Gate::new(), Arc::new(Mutex::new(BTreeSet::new())));
        let start = || {
            let (pass, seen) = (gate.clone(), Arc::clone(&names));
            let builder = pool().workers(7).on(&workers);
            builder
                .map(move |n: u64| {
                    seen.lock().unwrap().insert(thread::current().name().unwrap().to_owned());
                    pass.pass();
                    n * n
                })
                .unwrap()
        };
        let pools: Vec<Pool<u64, u64>> = (0..10).map(|_| start()).collect();
        assert_eq!((workers.stats().runs, pools[0].stats().workers.len()), (10, 2));
        let squares = join_all(pools.iter().flat_map(|pool| (0..20).map(|n| pool.submit(n))));
        gate.arrived(2).await;
        settle().await;
        assert_eq!(gate.arrivals(), 2, "no pool has a thread of its own");
        gate.open();
        for (n, square) in (0..20).cycle().zip(squares.await) {
            assert_eq!(square.unwrap(), n * n);
        }
        assert_eq!(*names.lock().unwrap(), BTreeSet::from(["shared-0", "shared-1"].map(String::from)));
        for pool in &pools {
            pool.drain();
            let stats = pool.finished().await.unwrap();
            assert_settled(&stats);
            assert_eq!(stats.completed, 20);
        }
        assert_eq!(workers.stats().runs, 0);
    });
}

#[test]
fn no_more_threads_work_for_a_pool_than_its_concurrency() {
    for concurrency in [1, 2, 3, 9] {
        run(async move {
            let (workers, gate) = (set(4), Gate::new());
            let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
            let (working, peak, pass) = (Arc::clone(&now), Arc::clone(&most), gate.clone());
            let builder = pool().on(&workers).concurrency(concurrency);
            let pool = builder.map(move |n: u64| {
                peak.fetch_max(working.fetch_add(1, SeqCst) + 1, SeqCst);
                pass.pass();
                working.fetch_sub(1, SeqCst);
                n
            });
            let pool = pool.unwrap();
            let expected = concurrency.min(4);
            let all = join_all((0..500).map(|n| pool.submit(n)));
            gate.arrived(expected).await;
            settle().await;
            assert_eq!(gate.arrivals(), expected);
            gate.open();
            assert!(all.await.into_iter().map(Result::unwrap).eq(0..500));
            assert_eq!(most.load(SeqCst), expected);
        });
    }
    let error = pool().concurrency(0).map(|n: u64| n).unwrap_err();
    assert!(matches!(error, StartError::Concurrency));
    assert_eq!(error.to_string(), "concurrency is 0: at least 1 thread must be allowed to work");
}

#[test]
fn a_pool_without_any_system_serves_threads_and_futures_and_ends() {
    let (workers, counter) = (set(2), DropCounter::new());
    for builder in [pool().workers(2), pool().on(&workers)] {
        assert!(System::try_current().is_none());
        let tracker = counter.clone();
        let pool = builder.with(move || TrackedWork::new(&tracker)).unwrap();
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| (0..100).for_each(|n| assert_eq!(pool.blocking_submit(n).unwrap(), n)));
            }
        });
        assert!(block_on(join_all((0..100).map(|n| pool.submit(n)))).into_iter().map(Result::unwrap).eq(0..100));
        let (mut sink, results) = pool.channel();
        block_on(async {
            for n in 0..5 {
                sink.send(n).await.unwrap();
            }
            sink.close().await.unwrap();
            let mut got: Vec<u64> = results.map(Result::unwrap).collect().await;
            got.sort_unstable();
            assert_eq!(got, [0, 1, 2, 3, 4]);
        });
        pool.drain();
        let stats = block_on(pool.finished()).unwrap();
        assert_settled(&stats);
        assert_eq!((stats.completed, counter.alive()), (405, 0));
        assert!(matches!(pool.blocking_submit(1).unwrap_err(), SubmitError::Closed(1)));
    }
}

#[test]
fn a_pool_that_is_dropped_or_stopped_costs_others_on_the_set_nothing() {
    run(async {
        let workers = set(2);
        let squares = pool().on(&workers).map(|n: u64| n * n).unwrap();
        let mut cubes = (0..5000u64).fan_out().on(&workers).ordered().map(|n| n * n * n).unwrap();
        let all = join_all((0..1000).map(|n| squares.submit(n)));
        for round in 0..40u64 {
            let other = pool().on(&workers).map(move |n: u64| {
                if round % 4 == 3 {
                    quiet_panic("an item");
                }
                n
            });
            let other = other.unwrap();
            let submitted: Vec<_> = (0..round).map(|n| other.submit(n)).collect();
            match round % 3 {
                0 => other.stop(),
                1 => {
                    other.drain();
                    assert_settled(&other.finished().await.unwrap());
                }
                _ => drop(other),
            }
            drop(submitted);
            assert_eq!(cubes.next().await.unwrap().unwrap(), round * round * round);
        }
        assert!(all.await.into_iter().map(Result::unwrap).eq((0..1000).map(|n| n * n)));
        assert!(cubes.map(Result::unwrap).collect::<Vec<_>>().await.into_iter().eq((40..5000).map(|n| n * n * n)));
    });
}

#[test]
fn a_factory_that_panics_ends_only_its_own_pool() {
    run(async {
        let workers = set(1);
        let squares = pool().on(&workers).map(|n: u64| n * n).unwrap();
        let failing = pool().on(&workers).with(|| -> TrackedWork { quiet_panic("no work") }).unwrap();
        let submission = failing.submit(1);
        assert_eq!(squares.submit(3).await.unwrap(), 9);
        assert!(submission.await.is_err());
        let error = failing.finished().await.unwrap_err();
        assert_eq!(error, PipelineError::WorkerFactory { attempts: 5, message: "no work".into() });
        assert_settled(&failing.stats());
        assert_eq!(squares.submit(4).await.unwrap(), 16);
    });
}

#[test]
fn a_system_that_stops_ends_its_pools_and_not_the_set() {
    let workers = set(2);
    let outside = pool().on(&workers).map(|n: u64| n + 1).unwrap();
    for _ in 0..3 {
        let system = System::new();
        let squares = system.block_on(async {
            let squares = pool().on(&workers).map(|n: u64| n * n).unwrap();
            assert_eq!(squares.submit(3).await.unwrap(), 9);
            System::current().stop();
            squares
        });
        system.run().unwrap();
        assert_eq!(block_on(squares.finished()).unwrap_err(), PipelineError::SystemStopped);
        assert!(squares.blocking_submit(1).is_err());
        assert_eq!(outside.blocking_submit(1).unwrap(), 2, "it belongs to no System");
        run(async {
            let squares = pool().on(&workers).map(|n: u64| n * n).unwrap();
            assert_eq!(squares.submit(5).await.unwrap(), 25);
        });
    }
    assert_eq!(workers.stats().threads, 2);
}

#[test]
fn the_threads_end_after_the_last_clone_and_the_last_pool() {
    let stopped = Count::new();
    let stops = stopped.clone();
    let workers = Workers::builder().threads(2).on_thread_stop(move |_| _ = stops.add()).build().unwrap();
    let held = GatedPool::start(pool().on(&workers));
    drop(workers);
    let running = held.pool.submit(1);
    block_on(held.gate.arrived(1));
    assert_eq!(stopped.get(), 0);
    held.gate.open();
    assert_eq!(block_on(running).unwrap(), 10);
    assert_eq!(held.pool.blocking_submit(2).unwrap(), 20, "the set is closed, and the pool goes on");
    assert_eq!(stopped.get(), 0);
    drop(held);
    block_on(stopped.reached(2));
}

#[test]
fn a_pool_that_takes_the_last_clone_of_its_set_has_all_of_its_threads() {
    for _ in 0..50 {
        run(async {
            let (started, stopped) = (Count::new(), Count::new());
            let (starts, stops) = (started.clone(), stopped.clone());
            let builder = Workers::builder().threads(3).on_thread_start(move |_| _ = starts.add());
            let workers = builder.on_thread_stop(move |_| _ = stops.add()).build().unwrap();
            started.reached(3).await;
            let builder = pool().on(&workers);
            drop(workers);
            let held = GatedPool::start(builder);
            let all = join_all((0..3).map(|n| held.pool.submit(n)));
            held.gate.arrived(3).await;
            assert_eq!(stopped.get(), 0);
            held.gate.open();
            assert!(all.await.into_iter().map(Result::unwrap).eq([0, 10, 20]));
            drop(held);
            stopped.reached(3).await;
        });
    }
}

#[test]
fn pools_that_always_have_items_take_turns_on_one_thread() {
    const ITEMS: u64 = 400;
    run(async {
        let (workers, gate) = (set(1), Gate::new());
        let shares = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
        let at_first_end = Arc::new(Mutex::new(None));
        let start = |own: usize| {
            let (shares, at_first_end) = (Arc::clone(&shares), Arc::clone(&at_first_end));
            let builder = pool().on(&workers).window(ITEMS as usize);
            builder
                .map(move |_: u64| {
                    let began = Instant::now();
                    while began.elapsed() < Duration::from_micros(100) {
                        std::hint::spin_loop();
                    }
                    if shares[own].fetch_add(1, SeqCst) + 1 == ITEMS as usize {
                        at_first_end.lock().unwrap().get_or_insert_with(|| shares[1 - own].load(SeqCst));
                    }
                })
                .unwrap()
        };
        let (first, second) = (start(0), start(1));
        // Holds the thread until all is queued. From then on both pools always have something to do.
        let pass = gate.clone();
        let holder = pool().on(&workers).map(move |()| pass.pass()).unwrap();
        let held = holder.submit(());
        gate.arrived(1).await;
        let all = join_all((0..ITEMS).flat_map(|n| [first.submit(n), second.submit(n)]));
        gate.open();
        held.await.unwrap();
        assert!(all.await.into_iter().all(|done| done.is_ok()));
        // The second one's turn comes after a quantum, which is far shorter than all items of the first. How equal the
        // shares are is tested beside the queue that decides it, on a clock of its own: here the thread may lose its
        // processor in the middle of an item, for which the pool is charged.
        let other = at_first_end.lock().unwrap().unwrap();
        assert!(other > 0);
    });
}
