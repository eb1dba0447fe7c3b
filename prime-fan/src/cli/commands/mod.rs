//! What the program can be asked for, a module a command.

pub(crate) mod filter;
pub(crate) mod packaging;
pub(crate) mod random;
pub(crate) mod range;
