//! How long the items of a search were queued, and how long they ran.

use std::time::Duration;

use actix_fan::observe::{Ended, Observer, RunInfo};
use serde::Serialize;

use crate::histogram::Histogram;

/// An observer of one pipeline.
#[derive(Default)]
pub(crate) struct Latency {
    waited: Histogram,
    ran: Histogram,
}

impl Observer for Latency {
    fn ended(&self, _: &RunInfo, ended: &Ended) {
        // Of the items of a batch, only the sum is known: each counts with their mean. Long items are alone in theirs.
        let Some(items) = u32::try_from(ended.items()).ok().filter(|items| *items > 0) else { return };
        self.waited.add(ended.waited, ended.items());
        self.ran.add(ended.ran / items, ended.items());
    }
}

/// Since the start of the search, in seconds.
#[derive(Serialize)]
pub(crate) struct LatencyStats {
    waited: Percentiles,
    ran: Percentiles,
}

#[derive(Serialize)]
struct Percentiles {
    p50_seconds: f64,
    p99_seconds: f64,
}

impl Latency {
    /// Returns `None` before the first item has ended.
    pub(crate) fn stats(&self) -> Option<LatencyStats> {
        let of = |histogram: &Histogram| {
            let [p50, p99] = histogram.percentiles([0.5, 0.99])?.map(|it: Duration| it.as_secs_f64());
            Some(Percentiles { p50_seconds: p50, p99_seconds: p99 })
        };
        Some(LatencyStats { waited: of(&self.waited)?, ran: of(&self.ran)? })
    }
}
