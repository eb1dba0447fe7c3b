//! Whether a target is met.

use std::ops::{Bound, RangeBounds};

/// In words, for the end of a row: of a target such as `..=20.0` or `0.97..`. A missed target is printed and is not a
/// failure.
pub(crate) fn verdict(value: f64, target: impl RangeBounds<f64>) -> String {
    let (sign, bound) = match (target.start_bound(), target.end_bound()) {
        (Bound::Included(least), Bound::Unbounded) => (">=", least),
        (Bound::Unbounded, Bound::Included(most)) => ("<=", most),
        _ => panic!("a target is a least or a most value"),
    };
    format!("target {sign} {bound}: {}", if target.contains(&value) { "met" } else { "missed" })
}
