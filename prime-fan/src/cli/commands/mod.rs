//! The commands of the program, one module per command; `packaging` has `completions` and `man`.

pub(crate) mod filter;
pub(crate) mod neighbours;
pub(crate) mod packaging;
pub(crate) mod random;
pub(crate) mod range;
