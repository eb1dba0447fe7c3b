//! Worker threads, and what they serve: a set of threads belongs to an application, not to one pipeline.

mod builder;
mod handle;
pub(crate) mod set;
mod start;

pub use builder::WorkersBuilder;
pub(crate) use handle::private;
pub use handle::{Workers, WorkersStats};
