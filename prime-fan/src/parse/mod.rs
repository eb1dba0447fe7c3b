//! What reads what others wrote: the values on the command line and the words of the input.
//!
//! It needs nothing of the program, so that it can be tried on its own: by `checks`, and by what fuzzes it.

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
