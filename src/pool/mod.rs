//! The second front door: callers submit items one by one and await their results. Workers, permits and accounting are
//! those of a pipeline.

mod assembly;
mod builder;
pub(crate) mod calls;
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
mod run_future;
mod submission;
mod worker;

pub use builder::{PoolBuilder, pool};
pub use channel::{PoolSink, PoolStream};
pub use error::{NotOneResult, RunError, SubmitError};
pub use handle::Pool;
pub use run_future::RunFuture;
pub use submission::Submission;
