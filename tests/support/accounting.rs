//! Assertions about the accounting.

use actix_fan::Stats;

pub(crate) fn assert_balanced(stats: &Stats) {
    assert_eq!(stats.taken, stats.accounted(), "{stats:?}");
    assert_eq!(stats.skipped, stats.skips.stopped + stats.skips.caller_gone, "{stats:?}");
    assert!(stats.finished + stats.queued <= stats.in_flight, "{stats:?}");
}

/// Every item is accounted for, and none is in flight.
pub(crate) fn assert_settled(stats: &Stats) {
    assert_balanced(stats);
    assert_eq!(stats.in_flight, 0, "{stats:?}");
}
