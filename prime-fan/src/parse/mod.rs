//! The parsers: of the values on the command line and of the words of the input.
//!
//! They do not depend on the rest of the program, so that `checks` and the fuzz targets can test them alone.

pub(crate) mod grammar;

#[cfg(any(feature = "cli", feature = "checks"))]
mod buffers;
#[cfg(any(feature = "cli", feature = "checks"))]
pub(crate) mod identity;
#[cfg(any(feature = "cli", feature = "checks"))]
pub(crate) mod input;
#[cfg(any(feature = "cli", feature = "checks"))]
pub(crate) mod numbers;
#[cfg(any(feature = "cli", feature = "checks"))]
pub(crate) mod slices;
#[cfg(any(feature = "cli", feature = "checks"))]
pub(crate) mod values;
