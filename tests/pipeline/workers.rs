//! Sets of worker threads that pipelines share.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashSet};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use actix::System;
use actix_fan::{BoxError, End, FanIn, FanOutExt, Job, PipelineError, StartError, Work, Workers};
use futures::executor::block_on;
use futures::future::join_all;
use futures::{StreamExt, poll};
use tokio::task::LocalSet;

use crate::support::{Count, Gate, assert_settled, in_own_process, quiet_panic, run, settle};

fn set(threads: usize) -> Workers {
    Workers::builder().threads(threads).thread_name("shared").build().unwrap()
}

/// Where work was done.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<BTreeSet<(String, String)>>>);

impl Seen {
    fn note(&self) {
        let thread = thread::current();
        let name = thread.name().unwrap_or_default().to_owned();
        self.0.lock().unwrap().insert((name, format!("{:?}", thread.id())));
    }

    fn threads(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    fn names(&self) -> BTreeSet<String> {
        self.0.lock().unwrap().iter().map(|(name, _)| name.clone()).collect()
    }

    fn is_disjoint(&self, other: &Self) -> bool {
        self.0.lock().unwrap().is_disjoint(&other.0.lock().unwrap())
    }
}

/// A work that notes its thread.
fn noting(seen: &Seen) -> impl Fn(u64) -> u64 + Send + Sync + 'static {
    let seen = seen.clone();
    move |n| {
        seen.note();
        n
    }
}

/// A work that holds items until as many threads as are expected have one.
fn meeting(seen: &Seen, gate: &Gate) -> impl Fn(u64) -> u64 + Send + Sync + 'static {
    let (seen, gate) = (seen.clone(), gate.clone());
    move |n| {
        seen.note();
        gate.pass();
        n
    }
}

fn names<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(String::from).into()
}

async fn sum(results: &mut FanIn<u64>) -> u64 {
    results.map(Result::unwrap).fold(0, async |sum, n| sum + n).await
}

#[test]
fn pipelines_share_the_global_threads_by_default() {
    run(async {
        let seen = Seen::default();
        let mut pipelines: Vec<_> = (0..50).map(|_| (0..20u64).fan_out().map(noting(&seen)).unwrap()).collect();
        for pipeline in &mut pipelines {
            assert_eq!(sum(pipeline).await, 190);
            assert_settled(&pipeline.finished().await.unwrap());
        }
        let threads = Workers::global().unwrap().stats().threads;
        assert_eq!(threads, thread::available_parallelism().unwrap().get());
        assert!((1..=threads).contains(&seen.threads()), "{:?}", seen.names());
        assert!(seen.names().iter().all(|name| name.starts_with("fan-worker-")), "{:?}", seen.names());
    });
}

#[test]
fn a_pipeline_works_on_threads_of_its_own_or_on_a_set_as_it_was_told() {
    run(async {
        let (workers, global, shared, own) = (set(2), Seen::default(), Seen::default(), Seen::default());
        assert_eq!(sum(&mut (0..100).fan_out().map(noting(&global)).unwrap()).await, 4950);
        for order in 0..2 {
            let gate = Gate::new();
            // Of the two, the one called last counts.
            let fan_out = (0..2u64).fan_out().batch(1);
            let fan_out = if order == 0 { fan_out.on(&workers) } else { fan_out.workers(5).on(&workers) };
            let mut results = fan_out.map(meeting(&shared, &gate)).unwrap();
            assert_eq!(results.stats().workers.len(), 2);
            gate.arrived(2).await;
            gate.open();
            assert_eq!(sum(&mut results).await, 1);
        }
        assert_eq!((shared.threads(), shared.names()), (2, names(["shared-0", "shared-1"])));

        let gate = Gate::new();
        let mut results =
            (0..3u64).fan_out().batch(1).on(&workers).workers(3).thread_name("own").map(meeting(&own, &gate)).unwrap();
        gate.arrived(3).await;
        gate.open();
        assert_eq!(sum(&mut results).await, 3);
        assert_eq!((own.threads(), own.names()), (3, names(["own-0", "own-1", "own-2"])));
        assert!(own.is_disjoint(&global) && own.is_disjoint(&shared) && shared.is_disjoint(&global));
    });
}

#[test]
fn a_set_counts_its_threads_and_the_runs_on_it() {
    run(async {
        let (workers, gate) = (set(3), Gate::new());
        assert_eq!((workers.stats().threads, workers.stats().runs), (3, 0));
        let mut held: Vec<_> = (0..5)
            .map(|_| {
                let pass = gate.clone();
                [1u64].fan_out().on(&workers).map(move |n| (pass.pass(), n).1).unwrap()
            })
            .collect();
        gate.arrived(3).await;
        assert_eq!(workers.clone().stats().runs, 5);
        gate.open();
        for results in &mut held {
            assert_eq!(results.finished().await.unwrap().completed, 1);
        }
        assert_eq!(workers.stats().runs, 0);
        assert!((0.0..=1.0).contains(&workers.stats().busy), "{workers:?}");
    });
}

#[test]
fn no_more_threads_work_for_a_pipeline_than_its_concurrency() {
    for concurrency in [1, 2, 3, 9] {
        run(async move {
            let (workers, gate) = (set(4), Gate::new());
            let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
            let (working, peak, pass) = (Arc::clone(&now), Arc::clone(&most), gate.clone());
            let expected = concurrency.min(4);
            let mut results = (0..3000u64)
                .fan_out()
                .on(&workers)
                .concurrency(concurrency)
                .ordered()
                .map(move |n| {
                    peak.fetch_max(working.fetch_add(1, SeqCst) + 1, SeqCst);
                    pass.pass();
                    // Batches of these can be shared, and are not.
                    spin(Duration::from_micros(if n % 500 == 499 { 3000 } else { 2 }));
                    working.fetch_sub(1, SeqCst);
                    n
                })
                .unwrap();
            gate.arrived(expected).await;
            settle().await;
            assert_eq!(gate.arrivals(), expected);
            gate.open();
            assert_eq!(sum(&mut results).await, 2999 * 1500);
            assert_eq!(most.load(SeqCst), expected);
            assert_settled(&results.finished().await.unwrap());
        });
    }
}

fn spin(least: Duration) {
    let began = Instant::now();
    while began.elapsed() < least {
        std::hint::spin_loop();
    }
}

#[test]
fn an_invalid_setting_is_an_error_that_names_it() {
    run(async {
        let refused = |error: StartError| error.to_string();
        let workers = set(1);
        let error = (0..1u64).fan_out().on(&workers).concurrency(0).map(|n| n).unwrap_err();
        assert!(matches!(error, StartError::Concurrency));
        assert_eq!(refused(error), "concurrency is 0: at least 1 thread must be allowed to work");
        assert!(matches!((0..1u64).fan_out().concurrency(0).map(|n| n).unwrap_err(), StartError::Concurrency));

        let error = Workers::builder().threads(0).build().unwrap_err();
        assert!(matches!(error, StartError::Threads(0)));
        assert_eq!(refused(error), "threads is 0: it must be at least 1 and at most 4096");
        let error = Workers::builder().threads(4097).build().unwrap_err();
        assert!(refused(error).starts_with("threads is 4097"));
        let error = Workers::builder().thread_name("a\0b").build().unwrap_err();
        assert_eq!(refused(error), "thread_name \"a\\0b\" holds a NUL byte");
        let error = Workers::builder().stack_size(1).build().unwrap_err();
        assert!(matches!(error, StartError::StackSize(1)));
    });
}

#[test]
fn the_global_set_can_be_chosen_before_its_first_use() {
    in_own_process(|| {
        run(async {
            assert!(matches!(Workers::builder().threads(0).build_global().unwrap_err(), StartError::Threads(0)));
            let workers = Workers::builder().threads(3).thread_name("chosen").build_global().unwrap();
            let error = Workers::builder().build_global().unwrap_err();
            assert!(matches!(error, StartError::GlobalWorkers));
            assert_eq!(error.to_string(), "the global workers have started already: set them first, as in `main`");
            let (seen, gate) = (Seen::default(), Gate::new());
            let mut results = (0..3u64).fan_out().batch(1).map(meeting(&seen, &gate)).unwrap();
            gate.arrived(3).await;
            assert_eq!((workers.stats().runs, Workers::global().unwrap().stats().threads), (1, 3));
            gate.open();
            assert_eq!(sum(&mut results).await, 3);
            assert_eq!(seen.names(), names(["chosen-0", "chosen-1", "chosen-2"]));
        });
    });
}

#[test]
fn the_global_set_can_not_be_chosen_after_its_first_use() {
    in_own_process(|| {
        run(async {
            assert_eq!(sum(&mut (0..10u64).fan_out().map(|n| n).unwrap()).await, 45);
            let error = Workers::builder().threads(3).build_global().unwrap_err();
            assert!(matches!(error, StartError::GlobalWorkers));
            assert_eq!(sum(&mut (0..10u64).fan_out().map(|n| n).unwrap()).await, 45);
        });
    });
}

/// Counted when its thread has ended.
struct Local(Count);

impl Drop for Local {
    fn drop(&mut self) {
        self.0.add();
    }
}

thread_local! {
    static LOCAL: RefCell<Option<Local>> = const { RefCell::new(None) };
}

#[test]
fn the_hooks_are_called_once_on_each_thread_and_may_panic() {
    type Calls = Arc<Mutex<Vec<(usize, ThreadId)>>>;
    for panics in [false, true] {
        run(async move {
            let (starts, stops) = (Calls::default(), Calls::default());
            let (started, stopped, ended, gate) = (Count::new(), Count::new(), Count::new(), Gate::new());
            let hook = |calls: &Calls, count: &Count| {
                let (calls, count, ended) = (Arc::clone(calls), count.clone(), ended.clone());
                move |thread| {
                    LOCAL.with_borrow_mut(|local| _ = local.get_or_insert_with(|| Local(ended.clone())));
                    calls.lock().unwrap().push((thread, thread::current().id()));
                    count.add();
                    if panics {
                        quiet_panic("in a hook");
                    }
                }
            };
            let workers = Workers::builder()
                .threads(3)
                .on_thread_start(hook(&starts, &started))
                .on_thread_stop(hook(&stops, &stopped))
                .build()
                .unwrap();
            let clone = workers.clone();
            let pass = gate.clone();
            let count = started.clone();
            let mut results = (0..4u64)
                .fan_out()
                .on(&workers)
                .batch(1)
                .map(move |n| {
                    assert!(count.get() > 0, "a thread that works has started");
                    pass.pass();
                    n
                })
                .unwrap();
            drop(workers);
            gate.arrived(3).await;
            assert_eq!(started.get(), 3);
            gate.let_through(4);
            assert_eq!(sum(&mut results).await, 6);
            results.finished().await.unwrap();
            // A clone keeps the threads.
            let pass = gate.clone();
            let mut results = [7u64].fan_out().on(&clone).map(move |n| (pass.pass(), n).1).unwrap();
            gate.arrived(5).await;
            // And so does a run.
            drop(clone);
            settle().await;
            assert_eq!((stopped.get(), ended.get()), (0, 0));
            gate.open();
            assert_eq!(sum(&mut results).await, 7);
            results.finished().await.unwrap();
            ended.reached(3).await;
            let (mut starts, mut stops) = (starts.lock().unwrap().clone(), stops.lock().unwrap().clone());
            starts.sort_by_key(|(thread, _)| *thread);
            stops.sort_by_key(|(thread, _)| *thread);
            assert_eq!(starts, stops);
            assert_eq!(starts.iter().map(|(thread, _)| *thread).collect::<Vec<_>>(), [0, 1, 2]);
            assert_eq!(starts.iter().map(|(_, id)| id).collect::<HashSet<_>>().len(), 3);
        });
    }
}

/// The set would otherwise find nothing to do between the drop of the clone and the start of the pipeline.
#[test]
fn a_pipeline_that_takes_the_last_clone_of_its_set_has_all_of_its_threads() {
    for _ in 0..50 {
        run(async {
            let (started, stopped, gate) = (Count::new(), Count::new(), Gate::new());
            let (starts, stops, pass) = (started.clone(), stopped.clone(), gate.clone());
            let builder = Workers::builder().threads(3).on_thread_start(move |_| _ = starts.add());
            let workers = builder.on_thread_stop(move |_| _ = stops.add()).build().unwrap();
            started.reached(3).await;
            let fan_out = (0..3u64).fan_out().on(&workers).batch(1);
            drop(workers);
            let mut results = fan_out.map(move |n| (pass.pass(), n).1).unwrap();
            gate.arrived(3).await;
            assert_eq!(stopped.get(), 0);
            gate.open();
            assert_eq!(sum(&mut results).await, 3);
            results.finished().await.unwrap();
            stopped.reached(3).await;
        });
    }
}

#[test]
fn a_set_that_nothing_was_started_on_ends_when_it_is_dropped() {
    run(async {
        let (started, ended) = (Count::new(), Count::new());
        let (starts, ends) = (started.clone(), ended.clone());
        let builder = Workers::builder().threads(2);
        let hook = move |_| _ = starts.add();
        let workers = builder.on_thread_start(hook).on_thread_stop(move |_| _ = ends.add()).build().unwrap();
        started.reached(2).await;
        drop(workers.clone());
        settle().await;
        assert_eq!(ended.get(), 0);
        drop(workers);
        ended.reached(2).await;
    });
}

#[test]
fn pipelines_that_are_dropped_stopped_or_fail_cost_another_on_the_set_nothing() {
    run(async {
        let workers = set(2);
        let mut results = (0..20_000u64).fan_out().on(&workers).ordered().map(|n| n).unwrap();
        let mut expected = 0..20_000;
        for round in 0..60 {
            let mut other = (0u64..).fan_out().on(&workers).map(move |n| {
                if round % 4 == 3 {
                    quiet_panic("an item");
                }
                n
            });
            let other = other.as_mut().unwrap();
            for _ in 0..round {
                assert_eq!(other.next().await.unwrap().is_err(), round % 4 == 3);
                let next = results.next().await.unwrap().unwrap();
                assert_eq!(Some(next), expected.next());
            }
            match round % 3 {
                0 => other.stop(),
                1 => {
                    other.stop();
                    assert_settled(&other.finished().await.unwrap());
                }
                // Dropped.
                _ => {}
            }
        }
        let rest: Vec<u64> = results.by_ref().map(Result::unwrap).collect().await;
        assert!(rest.into_iter().eq(expected));
        let stats = results.finished().await.unwrap();
        assert_settled(&stats);
        assert_eq!((stats.completed, stats.end), (20_000, Some(End::Complete)));
    });
}

/// Tells where works were built, used and dropped.
#[derive(Clone)]
struct Works {
    built: Arc<Mutex<Vec<ThreadId>>>,
    dropped: Count,
    gate: Gate,
}

impl Works {
    fn new() -> Self {
        Self { built: Arc::default(), dropped: Count::new(), gate: Gate::new() }
    }

    fn factory(&self) -> impl Fn() -> PinnedWork + Send + Sync + 'static {
        let works = self.clone();
        move || {
            let here = thread::current().id();
            works.built.lock().unwrap().push(here);
            PinnedWork { home: Rc::new(here), works: works.clone() }
        }
    }

    /// How many threads have built one; each only one.
    fn threads(&self) -> usize {
        let built = self.built.lock().unwrap();
        assert_eq!(built.iter().collect::<HashSet<_>>().len(), built.len(), "one per thread");
        built.len()
    }
}

/// A work that cannot leave its thread.
struct PinnedWork {
    home: Rc<ThreadId>,
    works: Works,
}

impl Work<u64> for PinnedWork {
    type Output = u64;

    fn run(&mut self, n: u64, job: &mut Job<'_, u64>) -> Result<(), BoxError> {
        assert_eq!(*self.home, thread::current().id());
        self.works.gate.pass();
        job.emit(n);
        Ok(())
    }
}

impl Drop for PinnedWork {
    fn drop(&mut self) {
        if *self.home == thread::current().id() {
            self.works.dropped.add();
        }
    }
}

#[test]
fn a_work_with_a_state_is_built_once_per_thread_and_dropped_there() {
    run(async {
        let (workers, works, others) = (set(3), Works::new(), Works::new());
        let mut results = (0..2000u64).fan_out().on(&workers).with(works.factory()).unwrap();
        let mut other = (0..2000u64).fan_out().on(&workers).with(others.factory()).unwrap();
        works.gate.open();
        others.gate.open();
        assert_eq!((sum(&mut results).await, sum(&mut other).await), (1999 * 1000, 1999 * 1000));
        results.finished().await.unwrap();
        assert_eq!(works.dropped.get(), works.threads() as u64, "as soon as the end is known");
        other.finished().await.unwrap();
        assert_eq!(others.dropped.get(), others.threads() as u64);
        assert!((1..=3).contains(&works.threads()) && (1..=3).contains(&others.threads()));
    });
}

#[test]
fn the_end_waits_until_a_thread_that_serves_another_run_has_dropped_its_work() {
    run(async {
        let (workers, works, held) = (set(2), Works::new(), Gate::new());
        let (sender, receiver) = futures::channel::mpsc::unbounded();
        let mut results = receiver.fan_out().on(&workers).batch(1).with(works.factory()).unwrap();
        sender.unbounded_send(1).unwrap();
        sender.unbounded_send(2).unwrap();
        // Both threads have a work.
        works.gate.arrived(2).await;
        works.gate.open();
        assert_eq!(results.next().await.unwrap().unwrap() + results.next().await.unwrap().unwrap(), 3);
        assert_eq!(works.threads(), 2);
        let pass = held.clone();
        let mut other = [9u64].fan_out().on(&workers).map(move |n| (pass.pass(), n).1).unwrap();
        held.arrived(1).await;
        drop(sender);
        assert!(results.next().await.is_none());
        let stop = results.stop_handle();
        let mut finished = Box::pin(results.finished());
        assert!(poll!(finished.as_mut()).is_pending());
        works.dropped.reached(1).await;
        settle().await;
        assert!(poll!(finished.as_mut()).is_pending());
        assert_eq!((works.dropped.get(), stop.stats().end), (1, Some(End::Complete)));
        held.open();
        assert_eq!(finished.await.unwrap().completed, 2);
        assert_eq!(works.dropped.get(), 2);
        assert_eq!(sum(&mut other).await, 9);
    });
}

#[test]
fn a_factory_that_panics_ends_only_its_own_pipeline() {
    run(async {
        let (workers, gate) = (set(1), Gate::new());
        let pass = gate.clone();
        let mut results = (0..100u64).fan_out().on(&workers).batch(1).map(move |n| (pass.pass(), n).1).unwrap();
        gate.arrived(1).await;
        let mut failing = (0..100u64)
            .fan_out()
            .on(&workers)
            .with(|| -> crate::support::TrackedWork { quiet_panic("no work") })
            .unwrap();
        gate.open();
        let error = failing.finished().await.unwrap_err();
        assert_eq!(error, PipelineError::WorkerFactory { attempts: 5, message: "no work".into() });
        assert_settled(&failing.stats());
        assert_eq!(sum(&mut results).await, 4950);
        assert_eq!(results.finished().await.unwrap().completed, 100);
        assert_eq!(sum(&mut (0..100u64).fan_out().on(&workers).map(|n| n).unwrap()).await, 4950);
    });
}

#[test]
fn a_system_that_stops_ends_its_pipelines_and_not_the_set() {
    let workers = set(2);
    for _ in 0..3 {
        let on = workers.clone();
        let (results, system) = (Works::new(), System::new());
        let mut endless = system.block_on(async {
            let mut endless = (0u64..).fan_out().on(&on).with(results.factory()).unwrap();
            results.gate.open();
            for _ in 0..100 {
                endless.next().await.unwrap().unwrap();
            }
            System::current().stop();
            endless
        });
        system.run().unwrap();
        assert_eq!(block_on(endless.finished()).unwrap_err(), PipelineError::SystemStopped);
        assert_eq!(results.dropped.get(), results.threads() as u64);
        assert_settled(&endless.stats());
        run(async {
            let mut results = (0..100u64).fan_out().on(&on).map(|n| n).unwrap();
            assert_eq!(sum(&mut results).await, 4950);
            results.finished().await.unwrap();
        });
    }
    assert_eq!((workers.stats().threads, workers.stats().runs), (2, 0));
}

#[test]
fn a_local_set_of_tokio_serves_in_the_place_of_a_system() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let workers = set(2);
    runtime.block_on(LocalSet::new().run_until(async {
        assert!(System::try_current().is_none());
        let mut shared = (0..1000u64).fan_out().on(&workers).ordered().map(|n| n).unwrap();
        let mut own = (0..1000u64).fan_out().workers(2).map(|n| n).unwrap();
        let mut global = (0..1000u64).fan_out().map(|n| n).unwrap();
        for results in [&mut shared, &mut own, &mut global] {
            assert_eq!(sum(results).await, 499_500);
            let stats = results.finished().await.unwrap();
            assert_settled(&stats);
            assert_eq!((stats.completed, stats.end), (1000, Some(End::Complete)));
        }
    }));
    // The end of the runtime ends a pipeline, not the set.
    let endless = runtime.block_on(LocalSet::new().run_until(async {
        let mut endless = (0u64..).fan_out().on(&workers).map(|n| n).unwrap();
        endless.next().await.unwrap().unwrap();
        endless
    }));
    drop(endless);
    drop(runtime);
    run(async { assert_eq!(sum(&mut (0..100u64).fan_out().on(&workers).map(|n| n).unwrap()).await, 4950) });
}

#[test]
fn without_a_system_and_a_local_set_a_pipeline_is_refused() {
    let workers = set(1);
    let start = || (0..10u64).fan_out().on(&workers).map(|n| n).unwrap_err();
    let many = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    assert!(matches!(many.block_on(async { start() }), StartError::NoSystem));
    let one = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert!(matches!(one.block_on(async { start() }), StartError::NoSystem));
    assert!(matches!(start(), StartError::NoSystem));
    assert_eq!(workers.stats().runs, 0, "what was refused has joined nothing");
}

/// How equal the shares are is tested beside the queue that decides it, on a clock of its own.
#[test]
fn an_endless_pipeline_on_one_thread_does_not_keep_others_from_it() {
    run(async {
        let workers = set(1);
        let item = |n: u64| {
            spin(Duration::from_micros(20));
            n
        };
        let mut endless: Vec<_> = (0..2).map(|_| (0u64..).fan_out().on(&workers).map(item).unwrap()).collect();
        for results in &mut endless {
            // Nothing is taken from it from here on, but its window is large.
            results.next().await.unwrap().unwrap();
        }
        let mut finite: Vec<_> = (0..3).map(|_| (0..500u64).fan_out().on(&workers).map(item).unwrap()).collect();
        assert_eq!(join_all(finite.iter_mut().map(sum)).await, [124_750; 3]);
        for results in &mut endless {
            let before = results.stats().emitted;
            for _ in 0..500 {
                results.next().await.unwrap().unwrap();
            }
            assert_eq!(results.stats().emitted, before + 500);
        }
    });
}

#[test]
fn a_pipeline_that_comes_later_has_the_next_free_thread() {
    run(async {
        let (workers, gate) = (set(1), Gate::new());
        let order = Arc::new(Mutex::new(Vec::new()));
        let work = |name: &'static str, pass: Option<Gate>| {
            let order = Arc::clone(&order);
            move |n: u64| {
                order.lock().unwrap().push(name);
                if let Some(gate) = &pass {
                    gate.pass();
                    // More than what a run is charged before its time is known.
                    spin(Duration::from_millis(2));
                }
                n
            }
        };
        let first = (0..10u64).fan_out().on(&workers).batch(1).map(work("first", Some(gate.clone())));
        let mut first = first.unwrap();
        gate.arrived(1).await;
        let mut later = (0..1u64).fan_out().on(&workers).batch(1).map(work("later", None)).unwrap();
        while later.stats().taken < 1 {
            settle().await;
        }
        gate.open();
        assert_eq!((sum(&mut later).await, sum(&mut first).await), (0, 45));
        let order = order.lock().unwrap();
        assert_eq!((order[0], order[1], order.len()), ("first", "later", 11));
    });
}
