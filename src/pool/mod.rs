//! A pool to submit to: the same workers, credit and accounting as a pipeline's, fed by whoever has an item.

mod builder;
mod channel;
#[cfg(test)]
mod dropped_channels;
mod error;
mod handle;
#[cfg(all(test, shuttle))]
mod interleavings;
mod queue;
mod request;
mod submission;
mod worker;

pub use builder::{PoolBuilder, pool};
pub use channel::{PoolSink, PoolStream};
pub use error::{NotOneResult, SubmitError};
pub use handle::Pool;
pub use submission::Submission;
