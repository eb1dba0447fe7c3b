//! The percentiles of the example.

use std::time::Duration;

#[path = "../../examples/page/histogram.rs"]
mod histogram;

use histogram::Histogram;

const SHARES: [f64; 4] = [0.0, 0.5, 0.99, 1.0];

fn percentiles(durations: impl IntoIterator<Item = u64>) -> Option<[u64; 4]> {
    let histogram = Histogram::default();
    for nanos in durations {
        histogram.add(Duration::from_nanos(nanos), 1);
    }
    Some(histogram.percentiles(SHARES)?.map(|it| it.as_nanos() as u64))
}

#[test]
fn there_are_none_of_nothing() {
    assert_eq!(percentiles([]), None);
    let histogram = Histogram::default();
    histogram.add(Duration::from_secs(1), 0);
    assert_eq!(histogram.percentiles(SHARES), None);
}

#[test]
fn a_percentile_is_at_most_an_eighth_too_high_and_never_too_low() {
    let close = |found: u64, right: u64| {
        assert!(right <= found && found - right <= right / 8, "{found} instead of {right}");
    };
    for nanos in (0..64).flat_map(|bits| [1 << bits, (1 << bits) - 1, (1 << bits) + (1 << bits) / 3]).chain([u64::MAX])
    {
        for found in percentiles([nanos]).expect("there is one") {
            close(found, nanos);
        }
    }
    let found = percentiles(1..=100_000).expect("there are some");
    for (found, right) in found.into_iter().zip([1, 50_000, 99_000, 100_000]) {
        close(found, right);
    }
}

#[test]
fn each_item_counts() {
    let histogram = Histogram::default();
    histogram.add(Duration::from_nanos(1), 98);
    histogram.add(Duration::from_nanos(7), 2);
    let of = |share| histogram.percentiles([share]).expect("there are some")[0].as_nanos();
    assert_eq!([of(0.5), of(0.98), of(0.981), of(1.0)], [1, 1, 7, 7]);
    // Longer than 584 years of nanoseconds: it counts as that long.
    histogram.add(Duration::MAX, 1);
    assert_eq!(of(1.0), u128::from(u64::MAX));
}
