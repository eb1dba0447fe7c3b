//! What `prime-fan` promises on the command line.
#![cfg(feature = "cli")]

mod arguments;
mod filter;
mod output;
mod program;
mod progress;
mod range;
mod search;
#[cfg(unix)]
mod signals;
mod stdout;
mod texts;
