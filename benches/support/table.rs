//! A table of results.

use super::others::Others;
use super::selection::Selection;

/// Prints the heading, what `measure` prints, and what other processes took meanwhile; if the table is selected.
pub(crate) fn table(selection: &Selection, heading: &str, measure: impl FnOnce()) {
    if selection.has(heading) {
        println!("{heading}");
        let others = Others::begin();
        measure();
        others.report();
        println!();
    }
}
