//! What reads what others wrote: the values on the command line and the words of the input.
//!
//! It needs nothing else of the program, so that it can be tried on its own: by `checks`, and by what fuzzes it.

mod buffers;
pub(crate) mod grammar;
pub(crate) mod identity;
pub(crate) mod input;
pub(crate) mod numbers;
pub(crate) mod slices;
pub(crate) mod values;
