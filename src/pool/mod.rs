//! The second front door: callers submit items one by one and await their results. Workers, permits and accounting are
//! those of a pipeline.

mod builder;
mod channel;
#[cfg(test)]
mod dropped_channels;
mod error;
mod handle;
mod held;
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
