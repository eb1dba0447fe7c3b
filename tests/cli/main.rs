//! What `prime-fan` promises on the command line.
#![cfg(feature = "cli")]

mod arguments;
mod program;
mod search;
#[cfg(unix)]
mod signals;
mod stdout;
