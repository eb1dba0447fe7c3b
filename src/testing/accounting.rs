//! Assertions about the accounting.

use crate::stats::Stats;

/// Panics unless every item taken is [accounted for](Stats::accounted), which holds at every instant.
#[track_caller]
pub fn assert_accounted(stats: &Stats) {
    let (taken, accounted) = (stats.taken, stats.accounted());
    assert_eq!(taken, accounted, "{taken} items were taken and {accounted} are accounted for: {stats:?}");
}

/// Panics unless every item taken has ended exactly once: as [`assert_accounted`], and if anything is in flight.
///
/// To be called once a stream has ended and its results were taken, or after
/// [`FanIn::finished`](crate::FanIn::finished); for a pool after [`Pool::finished`](crate::Pool::finished), once each
/// [`PoolStream`](crate::PoolStream) has ended or was dropped: a result that waits in one keeps its item in flight.
///
/// ```
/// use actix_fan::{FanOutExt, testing::assert_all_ended};
///
/// # actix::System::new().block_on(async {
/// let mut inverses = (0..100u32).fan_out().map(|n| 1000 / n)?; // item 0 panics
/// let stats = inverses.finished().await?;
/// assert_all_ended(&stats);
/// assert_eq!((stats.completed, stats.failed), (99, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[track_caller]
pub fn assert_all_ended(stats: &Stats) {
    assert_accounted(stats);
    let in_flight = stats.in_flight;
    assert_eq!(
        in_flight, 0,
        "{in_flight} items are queued, running, or have results that were not taken yet: {stats:?}"
    );
}
