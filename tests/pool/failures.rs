use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use actix_fan::{BoxError, Job, NotOneResult, PipelineError, SubmitError, Work, pool, work_fn};
use futures::future::join_all;

use crate::support::{Count, DropCounter, FAILING, Gate, ITEMS, PanicsWithBombs, assert_settled, quiet_panic, run};

#[test]
fn a_panic_fails_only_its_own_item() {
    run(async {
        let pool = pool().workers(2).map(|n: u64| if n == 3 { quiet_panic("no three") } else { n }).unwrap();
        for n in 0..6 {
            match pool.submit(n).await {
                Ok(same) => assert_eq!((same, n == 3), (n, false)),
                Err(error) => {
                    assert_eq!(error.to_string(), "item 3 panicked: no three");
                    assert!(!error.is_closed() && !error.is_full());
                    let item = error.item_error().unwrap();
                    assert_eq!((item.index(), item.panic_message()), (3, Some("no three")));
                    assert_eq!(error.into_item(), None);
                }
            }
        }
        pool.drain();
        let stats = pool.finished().await.unwrap();
        assert_eq!((stats.completed, stats.failed), (5, 1));
    });
}

#[test]
fn an_error_of_the_work_is_the_source_of_the_items_error() {
    run(async {
        let pool = pool().workers(1).try_map(|text: &str| text.parse::<u64>()).unwrap();
        assert_eq!(pool.submit("12").await.unwrap(), 12);
        let error = pool.submit("x").await.unwrap_err();
        assert_eq!(error.to_string(), "item 1 failed");
        let source = std::error::Error::source(&error).unwrap();
        assert_eq!(source.to_string(), "invalid digit found in string");
        assert!(error.item_error().unwrap().work_error().unwrap().is::<std::num::ParseIntError>());
        pool.drain();
        assert_eq!(pool.finished().await.unwrap().failed, 1);
    });
}

#[test]
fn the_pool_keeps_its_size_after_panics_and_its_work_is_built_anew() {
    const WORKERS: usize = 3;
    struct Fresh(u64);
    impl Work<Option<Arc<std::sync::Barrier>>> for Fresh {
        type Output = u64;
        fn run(&mut self, meet: Option<Arc<std::sync::Barrier>>, job: &mut Job<'_, u64>) -> Result<(), BoxError> {
            self.0 += 1;
            match meet {
                // Every worker must be there, or this waits forever.
                Some(all) => _ = all.wait(),
                None => quiet_panic("again"),
            }
            job.emit(self.0);
            Ok(())
        }
    }
    run(async {
        let pool = pool().workers(WORKERS).with(|| Fresh(0)).unwrap();
        let panics = join_all((0..30).map(|_| pool.submit(None))).await;
        assert!(panics.iter().all(Result::is_err));
        let all = Arc::new(std::sync::Barrier::new(WORKERS));
        let met = join_all((0..WORKERS).map(|_| pool.submit(Some(Arc::clone(&all))))).await;
        assert!(met.into_iter().all(|items| items.unwrap() == 1), "no state outlives a panic");
        pool.drain();
        let stats = pool.finished().await.unwrap();
        assert_eq!(stats.workers.iter().map(|worker| worker.rebuilt).sum::<u64>(), 30);
        assert_eq!((stats.failed, stats.completed), (30, 3));
    });
}

#[test]
fn an_item_with_no_or_several_results_fails() {
    run(async {
        let pool = pool()
            .workers(1)
            .with(|| {
                work_fn(|results: usize, job: &mut Job<'_, usize>| {
                    (0..results).for_each(|n| job.emit(n));
                    Ok(())
                })
            })
            .unwrap();
        for results in [0, 1, 2, 5] {
            match pool.submit(results).await {
                Ok(result) => assert_eq!((result, results), (0, 1)),
                Err(error) => {
                    assert_ne!(results, 1);
                    let cause = error.item_error().unwrap().work_error().unwrap();
                    assert_eq!(cause.downcast_ref::<NotOneResult>().unwrap().emitted, results);
                    assert_eq!(
                        cause.to_string(),
                        format!("the work emitted {results} results: in a pool each item has exactly one")
                    );
                }
            }
        }
        pool.drain();
        let stats = pool.finished().await.unwrap();
        assert_eq!((stats.completed, stats.failed), (1, 3));
    });
}

#[test]
fn a_factory_that_keeps_panicking_ends_the_pool_with_an_error() {
    run(async {
        let (gate, calls) = (Gate::new(), Arc::new(AtomicUsize::new(0)));
        let (pass, count) = (gate.clone(), Arc::clone(&calls));
        let pool = pool()
            .workers(1)
            .window(2)
            .with(move || {
                if count.fetch_add(1, SeqCst) > 0 {
                    quiet_panic("no more");
                }
                let pass = pass.clone();
                work_fn(move |_: u64, _: &mut Job<'_, u64>| {
                    pass.pass();
                    quiet_panic("once")
                })
            })
            .unwrap();
        let submissions: Vec<_> = (0..4).map(|n| pool.submit(n)).collect();
        gate.open();
        let mut errors = join_all(submissions).await.into_iter().map(Result::unwrap_err);
        assert_eq!(errors.next().unwrap().to_string(), "item 0 panicked: once");
        let expected = PipelineError::WorkerFactory { attempts: 5, message: "no more".into() };
        for (n, error) in (1..4).zip(errors) {
            assert!(error.is_closed());
            let SubmitError::Lost { item, error } = error else { panic!("{error:?}") };
            assert_eq!((item, &error), (Some(n), &expected));
        }
        assert_eq!(pool.submit(9).await.unwrap_err().into_item(), Some(9));
        pool.drain();
        assert_eq!(pool.finished().await.unwrap_err(), expected);
        assert_settled(&pool.stats());
        assert_eq!(calls.load(SeqCst), 6);
    });
}

#[test]
fn a_panic_at_the_first_the_last_some_or_every_item_fails_those_and_no_other() {
    for panics in FAILING {
        for (workers, window) in [(1, 1), (1, 8), (3, 2), (3, 100)] {
            run(async move {
                let counter = DropCounter::new();
                let tracker = counter.clone();
                let pool = pool().workers(workers).window(window).map(move |(n, _item)| {
                    let result = tracker.track();
                    if panics(n) { quiet_panic("on purpose") } else { (n, result) }
                });
                let pool = pool.unwrap();
                let results = join_all((0..ITEMS).map(|n| pool.submit((n, counter.track())))).await;
                for (n, result) in (0..).zip(results) {
                    match result {
                        Ok((same, _)) => assert_eq!((same, panics(n)), (n, false)),
                        Err(error) => assert_eq!(error.item_error().and_then(|item| item.panic_message()), {
                            assert!(panics(n));
                            Some("on purpose")
                        }),
                    }
                }
                pool.drain();
                let stats = pool.finished().await.unwrap();
                assert_settled(&stats);
                let failed = (0..ITEMS).filter(|n| panics(*n)).count() as u64;
                assert_eq!((stats.completed, stats.failed), (ITEMS - failed, failed));
                assert_eq!(stats.workers.iter().map(|worker| worker.rebuilt).sum::<u64>(), failed);
                assert_eq!((counter.created(), counter.alive()), (2 * ITEMS as usize, 0));
            });
        }
    }
}

#[test]
fn a_panic_whose_value_panics_when_it_is_dropped_is_one_failure() {
    run(async {
        let (built, tries) = (Count::new(), Count::new());
        let (count, attempts) = (built.clone(), tries.clone());
        let pool = pool().workers(1).with(move || PanicsWithBombs::build(&attempts, &count)).unwrap();
        for n in 0..10 {
            match pool.submit(n).await {
                Ok(same) => assert_eq!((same, PanicsWithBombs::fails(n)), (n, false)),
                Err(error) => {
                    assert_eq!(error.to_string(), format!("item {n} panicked: a panic whose value is not text"))
                }
            }
        }
        pool.drain();
        let stats = pool.finished().await.unwrap();
        assert_settled(&stats);
        assert_eq!((stats.completed, stats.failed, built.get(), tries.get()), (7, 3, 3, 6));
    });
}
