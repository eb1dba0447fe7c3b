//! The time that a perfect scheduler would need.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;

/// Sums the results of the numbers below `items`. Each of the threads takes the next number when it has done one, which
/// costs one atomic addition: every item goes, in order, to the worker that is free first. Where other processes take a
/// part of the processors they take it from this too, so it tells the ideal of the moment.
pub(crate) fn ideal_sum(threads: usize, items: u64, work: impl Fn(u64) -> u64 + Sync) -> u64 {
    // Relaxed: the numbers are all that the threads share.
    let next = AtomicU64::new(0);
    let take = || {
        let mut sum = 0u64;
        loop {
            let n = next.fetch_add(1, Relaxed);
            if n >= items {
                return sum;
            }
            sum = sum.wrapping_add(work(n));
        }
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(take)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no item panics")).fold(0, u64::wrapping_add)
    })
}
