//! Gates and counters, so that no test sleeps to wait for something.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use actix::System;
use actix_fan::Stats;
use tokio::sync::watch;

/// Runs a test inside a System. One that hangs fails after a minute instead.
pub(crate) fn run<F: Future>(test: F) -> F::Output {
    System::new()
        .block_on(async { actix::clock::timeout(Duration::from_secs(60), test).await.expect("the test hangs") })
}

/// Where items wait until the test lets them go on.
#[derive(Clone)]
pub(crate) struct Gate(Arc<Inner>);

struct Inner {
    arrived: watch::Sender<usize>,
    permits: Mutex<usize>,
    opened: Condvar,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Inner { arrived: watch::Sender::new(0), permits: Mutex::new(0), opened: Condvar::new() }))
    }

    /// Blocks the worker's thread until the gate lets it through.
    pub(crate) fn pass(&self) {
        self.0.arrived.send_modify(|arrived| *arrived += 1);
        let permits = self.0.permits.lock().unwrap();
        let mut permits = self.0.opened.wait_while(permits, |permits| *permits == 0).unwrap();
        *permits -= 1;
    }

    /// Waits until so many have come to the gate, those let through included.
    pub(crate) async fn arrived(&self, count: usize) {
        self.0.arrived.subscribe().wait_for(|arrived| *arrived >= count).await.unwrap();
    }

    pub(crate) fn arrivals(&self) -> usize {
        *self.0.arrived.borrow()
    }

    /// Lets so many more through.
    pub(crate) fn let_through(&self, count: usize) {
        *self.0.permits.lock().unwrap() += count;
        self.0.opened.notify_all();
    }

    /// Lets everyone through from now on.
    pub(crate) fn open(&self) {
        self.let_through(usize::MAX / 2);
    }
}

/// A count that can be waited for.
#[derive(Clone)]
pub(crate) struct Count(Arc<watch::Sender<u64>>);

impl Count {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }

    pub(crate) fn add(&self) -> u64 {
        let mut before = 0;
        self.0.send_modify(|count| {
            before = *count;
            *count += 1;
        });
        before
    }

    pub(crate) fn get(&self) -> u64 {
        *self.0.borrow()
    }

    pub(crate) async fn reached(&self, least: u64) {
        self.0.subscribe().wait_for(|count| *count >= least).await.unwrap();
    }
}

/// An endless source that counts how many items were taken.
#[derive(Clone)]
pub(crate) struct Counted(pub(crate) Arc<AtomicU64>);

impl Counted {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicU64::new(0)))
    }

    pub(crate) fn taken(&self) -> u64 {
        self.0.load(SeqCst)
    }
}

impl Iterator for Counted {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        Some(self.0.fetch_add(1, SeqCst))
    }
}

/// Gives everything on this arbiter a number of turns: whatever was about to happen here has happened.
pub(crate) async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

pub(crate) fn assert_balanced(stats: &Stats) {
    assert_eq!(stats.taken, stats.completed + stats.failed + stats.skipped + stats.in_flight as u64, "{stats:?}");
}

/// Balanced, and nothing is in flight.
pub(crate) fn assert_settled(stats: &Stats) {
    assert_balanced(stats);
    assert_eq!(stats.in_flight, 0, "{stats:?}");
}
