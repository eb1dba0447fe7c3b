//! A histogram of durations, which any thread may add to without a lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The buckets of each power of two: a percentile is at most an eighth too high.
const PARTS: usize = 8;
const BITS: u32 = PARTS.ilog2();
/// Enough for any number of nanoseconds of 64 bits.
const BUCKETS: usize = PARTS * (u64::BITS - BITS + 1) as usize;

pub(crate) struct Histogram {
    counts: [AtomicU64; BUCKETS],
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: [const { AtomicU64::new(0) }; BUCKETS] }
    }
}

impl Histogram {
    /// Adds so many items of this duration.
    pub(crate) fn add(&self, duration: Duration, items: usize) {
        let nanos = duration.as_nanos().try_into().unwrap_or(u64::MAX);
        // The counts are independent of each other, and of everything else.
        self.counts[bucket(nanos)].fetch_add(items as u64, Ordering::Relaxed);
    }

    /// Returns the durations that these shares of the items did not exceed; `None` if there are no items.
    pub(crate) fn percentiles<const N: usize>(&self, shares: [f64; N]) -> Option<[Duration; N]> {
        let counts: Vec<u64> = self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        let all: u64 = counts.iter().sum();
        (all > 0).then(|| {
            shares.map(|share| {
                let rank = ((share * all as f64).ceil() as u64).clamp(1, all);
                let mut seen = 0;
                let place = counts.iter().position(|count| {
                    seen += count;
                    seen >= rank
                });
                Duration::from_nanos(highest(place.unwrap_or(BUCKETS - 1)))
            })
        })
    }
}

fn bucket(nanos: u64) -> usize {
    if nanos < PARTS as u64 {
        return nanos as usize;
    }
    let shift = nanos.ilog2() - BITS;
    // The highest bits of the number, of which the first is always 1.
    let part = (nanos >> shift) as usize - PARTS;
    PARTS * (shift as usize + 1) + part
}

/// Returns the longest duration in a bucket.
fn highest(bucket: usize) -> u64 {
    if bucket < PARTS {
        return bucket as u64;
    }
    let shift = bucket / PARTS - 1;
    let lowest = ((PARTS + bucket % PARTS) as u64) << shift;
    lowest + ((1 << shift) - 1)
}
