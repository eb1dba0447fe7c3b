//! The accounting, as it must always be.

use crate::stats::Stats;

/// Panics unless every item taken is accounted for: `taken = completed + failed + skipped + in_flight`, which holds at
/// every instant.
#[track_caller]
pub fn assert_balanced(stats: &Stats) {
    let Stats { taken, completed, failed, skipped, in_flight, .. } = stats;
    let accounted = completed + failed + skipped + *in_flight as u64;
    assert_eq!(*taken, accounted, "{taken} items were taken and {accounted} are accounted for: {stats:?}");
}

/// Panics unless every item taken has ended exactly once: balanced, and nothing in flight. So it is once the stream has
/// ended and its results were taken, or after [`FanIn::finished`](crate::FanIn::finished) and
/// [`Pool::drain`](crate::Pool::drain).
///
/// ```
/// use actix_fan::{FanOutExt, testing::assert_conserved};
///
/// # actix::System::new().block_on(async {
/// let mut inverses = (0..100u32).fan_out().map(|n| 1000 / n)?; // item 0 panics
/// let stats = inverses.finished().await?;
/// assert_conserved(&stats);
/// assert_eq!((stats.completed, stats.failed), (99, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[track_caller]
pub fn assert_conserved(stats: &Stats) {
    assert_balanced(stats);
    assert_eq!(stats.in_flight, 0, "items are still in flight: {stats:?}");
}
