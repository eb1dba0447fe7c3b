//! Whether a target is met.

use std::ops::{Bound, RangeBounds};

/// In words, for the end of a row: of a target such as `..=20.0` or `0.97..`. A missed target is printed and is not a
/// failure.
pub(crate) fn verdict(value: f64, target: impl RangeBounds<f64>) -> String {
    let wanted = match (target.start_bound(), target.end_bound()) {
        (Bound::Included(least), Bound::Unbounded) => format!(">= {least}"),
        (Bound::Unbounded, Bound::Included(most)) => format!("<= {most}"),
        (Bound::Included(least), Bound::Included(most)) => format!("{least} to {most}"),
        _ => panic!("a target includes its bounds"),
    };
    format!("target {wanted}: {}", if target.contains(&value) { "met" } else { "missed" })
}
