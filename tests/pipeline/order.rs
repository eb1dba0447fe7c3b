use actix_fan::FanOutExt;
use futures::StreamExt;

use crate::support::{Count, Gate, assert_settled, run};

#[test]
fn ordered_yields_in_source_order_whatever_finishes_first() {
    run(async {
        let (gate, done) = (Gate::new(), Count::new());
        let (pass, count) = (gate.clone(), done.clone());
        let mut results = (0..50u64)
            .fan_out()
            .workers(2)
            .batch(1)
            .ordered()
            .map(move |n| {
                if n == 0 {
                    pass.pass();
                }
                count.add();
                n
            })
            .unwrap();
        done.reached(49).await;
        assert_eq!(results.stats().in_flight, 50);
        gate.open();
        let got: Vec<u64> = results.by_ref().map(Result::unwrap).collect().await;
        assert_eq!(got, (0..50).collect::<Vec<_>>());
    });
}

#[test]
fn unordered_yields_results_as_they_complete() {
    run(async {
        let gate = Gate::new();
        let pass = gate.clone();
        let mut results = (0..3u64)
            .fan_out()
            .workers(2)
            .batch(1)
            .map(move |n| {
                if n == 0 {
                    pass.pass();
                }
                n
            })
            .unwrap();
        assert_eq!(results.next().await.unwrap().unwrap(), 1);
        assert_eq!(results.next().await.unwrap().unwrap(), 2);
        gate.open();
        assert_eq!(results.next().await.unwrap().unwrap(), 0);
        assert!(results.next().await.is_none());
    });
}

#[test]
fn a_failure_keeps_its_position_in_the_order() {
    run(async {
        let mut results = (0..6u64)
            .fan_out()
            .workers(3)
            .batch(2)
            .ordered()
            .try_map(|n| if n % 2 == 1 { Err(format!("odd: {n}")) } else { Ok(n) })
            .unwrap();
        for n in 0..6u64 {
            match results.next().await.unwrap() {
                Ok(even) => assert_eq!((even, n % 2), (n, 0)),
                Err(error) => {
                    assert_eq!(error.index(), n);
                    assert_eq!(error.work_error().unwrap().to_string(), format!("odd: {n}"));
                    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), format!("odd: {n}"));
                }
            }
        }
    });
}

#[test]
fn results_of_one_item_stay_together() {
    run(async {
        let results = (0..100u64).fan_out().workers(3).flat_map(|n| (0..n % 5).map(move |k| (n, k))).unwrap();
        let got: Vec<(u64, u64)> = results.map(Result::unwrap).collect().await;
        assert_eq!(got.len(), 200);
        for run in got.chunk_by(|(a, _), (b, _)| a == b) {
            assert_eq!(run.len() as u64, run[0].0 % 5);
            assert!(run.iter().map(|(_, k)| *k).eq(0..run.len() as u64));
        }
    });
}

#[test]
fn results_held_back_by_the_first_item_come_in_order_over_many_time_slices() {
    const ITEMS: u64 = 20_000;
    run(async {
        let (first, others) = (Gate::new(), Count::new());
        let (pass, count) = (first.clone(), others.clone());
        let fan_out = (0..ITEMS).fan_out().workers(2).window(ITEMS as usize).batch(1).ordered();
        let mut results = fan_out
            .map(move |n| {
                if n == 0 {
                    pass.pass();
                } else {
                    count.add();
                }
                n
            })
            .unwrap();
        others.reached(ITEMS - 1).await;
        first.open();
        for n in 0..ITEMS {
            assert_eq!(results.next().await.unwrap().unwrap(), n);
        }
        assert!(results.next().await.is_none());
        assert_settled(&results.finished().await.unwrap());
    });
}
