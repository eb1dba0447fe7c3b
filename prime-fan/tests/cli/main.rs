//! Tests of the program `prime-fan` as a process.
#![cfg(feature = "cli")]

mod arbitrary;
mod arguments;
#[cfg(target_os = "linux")]
mod attributes;
#[cfg(unix)]
mod closed;
mod completions;
#[cfg(target_os = "linux")]
mod disk;
mod filter;
#[cfg(unix)]
mod input;
#[cfg(unix)]
mod kill;
#[cfg(all(unix, feature = "nats"))]
#[path = "../support/nats.rs"]
mod nats;
#[cfg(all(unix, feature = "nats"))]
mod nodes;
mod output;
mod peer;
mod program;
mod progress;
mod range;
mod search;
#[cfg(unix)]
mod signals;
mod statistics;
mod stdout;
#[cfg(target_os = "linux")]
mod terminal;
mod texts;
