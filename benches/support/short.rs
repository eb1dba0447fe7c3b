//! Criterion's settings for benches with many rows.

use std::time::Duration;

use criterion::Criterion;

/// Under two seconds per row instead of eight: rows differ by more than the noise that this leaves.
pub(crate) fn short() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(1500))
        .nresamples(2000)
}
