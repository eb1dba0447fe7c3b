//! What pipelines and pools have in common: the state of a run, permits, batches, and the threads that work on them.

pub(crate) mod batch;
pub(crate) mod batch_run;
pub(crate) mod chunk;
pub(crate) mod credit;
pub(crate) mod discard;
pub(crate) mod executor;
pub(crate) mod home;
pub(crate) mod host;
pub(crate) mod metrics;
pub(crate) mod opening;
pub(crate) mod permit;
pub(crate) mod reentrancy;
pub(crate) mod run;
pub(crate) mod settings;
pub(crate) mod state;
pub(crate) mod times;
pub(crate) mod tracker;
