//! Checks of the parsers in `parse` for any text: each compares the result with that of a second, simpler
//! implementation, and panics if they differ.
//!
//! The tests run the checks on random texts, the targets in `fuzz` on the texts of a fuzzer.
#![allow(unreachable_pub, reason = "the fuzz targets use them")]

pub mod values;
pub mod words;

/// Checks that a message is one line without control characters.
fn assert_presentable(message: &str) {
    assert!(!message.is_empty() && message.len() < 1000, "{} bytes", message.len());
    assert!(!message.contains(char::is_control), "{message:?}");
}
