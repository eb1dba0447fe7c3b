//! Work of a known length.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// An odd constant with no pattern in its bits (the golden ratio's), for cheap hashes.
pub(crate) const ODD: u64 = 0x9E37_79B9_7F4A_7C15;

/// The least total time of the [`spin`]s of one calibration.
const ROUND: Duration = Duration::from_millis(2);

/// A chain of integer operations, each of which needs the one before. It never looks at the clock, so that a processor
/// that is shared or slow makes the work longer instead of hiding that in it.
#[inline(never)]
pub(crate) fn spin(mut value: u64, steps: u64) -> u64 {
    for _ in 0..steps {
        value ^= value >> 29;
        value = value.wrapping_mul(ODD);
    }
    value
}

/// The number of steps that take this time per item on an idle processor.
///
/// They are measured where many items follow each other, since a processor begins the next chain before it is through
/// with the last one: counted by a single long chain, an item of 100 ns would take 60.
pub(crate) fn steps_for(time: Duration) -> u64 {
    let target = time.as_nanos() as f64;
    let mut steps = target;
    for _ in 0..3 {
        steps *= target / nanos_an_item(steps as u64, time).max(1.0);
    }
    steps as u64
}

/// The best of several rounds.
fn nanos_an_item(steps: u64, expected: Duration) -> f64 {
    let items = (ROUND.as_nanos() / expected.as_nanos().max(1)).max(1) as u64;
    let round = |_| {
        let began = Instant::now();
        (0..items).for_each(|n| {
            black_box(spin(n, steps));
        });
        began.elapsed().as_nanos() as f64 / items as f64
    };
    (0..5).map(round).fold(f64::INFINITY, f64::min)
}
