//! The parsers of `prime-fan` and what must hold of them, without the program.

#[path = "../../src/bin/prime-fan/checks/mod.rs"]
pub mod checks;

#[allow(dead_code, reason = "the program uses the rest of it")]
#[path = "../../src/bin/prime-fan/parse/mod.rs"]
mod parse;
