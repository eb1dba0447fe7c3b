//! The first front door: a source is fanned out to workers, and their results are fanned in to one stream.

pub(crate) mod aggregator;
pub(crate) mod assembly;
pub(crate) mod blocking;
pub(crate) mod burst;
mod divided_batch;
pub(crate) mod fan_in;
pub(crate) mod fan_out;
pub(crate) mod feed;
pub(crate) mod generator;
pub(crate) mod intake;
#[cfg(all(test, shuttle))]
pub(crate) mod interleavings;
pub(crate) mod merge;
pub(crate) mod receiver;
#[cfg(feature = "nats")]
pub(crate) mod remote;
pub(crate) mod source;
pub(crate) mod stage;
pub(crate) mod system_watch;
pub(crate) mod upstream;
pub(crate) mod worker;
