//! The summary of many measurements.

use std::fmt;

/// The median of some measurements, and how far they spread.
#[derive(Clone, Copy)]
pub(crate) struct Summary {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Summary {
    /// Of at least one measurement.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (lower, upper) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
        Self { median: (lower + upper) / 2.0, least: values[0], most: values[values.len() - 1] }
    }
}

/// `median  [least, most]`, with the precision that the formatter was given.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let precision = f.precision().unwrap_or(2);
        let Self { median, least, most } = self;
        write!(f, "{median:>9.precision$}  [{least:.precision$}, {most:.precision$}]")
    }
}
