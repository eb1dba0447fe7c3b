//! The mode that the command line asks for.

use std::env;

/// Returns true for `cargo bench`, which passes `--bench`. `cargo test --benches` does not: everything then runs once
/// with little work, on unoptimised code, and nothing is measured.
pub(crate) fn measuring() -> bool {
    let given = |flag: &str| env::args().any(|arg| arg == flag);
    given("--bench") && !given("--test")
}
