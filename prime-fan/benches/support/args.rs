//! What the command line asks for.

use std::env;

/// Whether to measure. Only `cargo bench` says so, with `--bench`; `cargo test --benches` doesn't, and wants to see that
/// everything runs, in a moment and on unoptimised code.
pub(crate) fn measuring() -> bool {
    let given = |flag: &str| env::args().any(|arg| arg == flag);
    given("--bench") && !given("--test")
}
