//! What must hold of everything in `parse`, whatever others write: each check compares an answer with one that was found in
//! another way, and panics where they differ.
//!
//! Tests run the checks on texts that are drawn at random, the targets in `fuzz` on texts that a fuzzer breeds.
#![allow(unreachable_pub, reason = "they are reached from a library in `fuzz`")]

pub mod values;
pub mod words;

/// A message is a line that can be shown on a terminal.
fn assert_presentable(message: &str) {
    assert!(!message.is_empty() && message.len() < 1000, "{} bytes", message.len());
    assert!(!message.contains(char::is_control), "{message:?}");
}
