//! A seed replays a run.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use actix_fan::testing::{for_each_seed, simulate};

#[test]
fn seeds_give_different_orders() {
    let mut orders = BTreeSet::new();
    for_each_seed(0..100, |seed| {
        let outcome = simulate(0..30u64).seed(seed).workers(3).batch(2).window(12).map(|n| n).unwrap();
        let results: Vec<u64> = outcome.results.into_iter().map(Result::unwrap).collect();
        orders.insert(results);
    });
    assert!(orders.len() > 90, "{} orders", orders.len());
}

#[test]
fn the_seed_that_fails_is_the_last_to_run() {
    let mut ran = Vec::new();
    let failed = catch_unwind(AssertUnwindSafe(|| {
        for_each_seed(5..10, |seed| {
            ran.push(seed);
            assert_ne!(seed, 7);
        });
    }));
    assert!(failed.is_err());
    assert_eq!(ran, [5, 6, 7]);
}
