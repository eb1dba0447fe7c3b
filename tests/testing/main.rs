//! The test kit, and the pipeline's promises in simulation: over thousands of orders of steps that threads seldom take.

#[cfg(feature = "nats")]
mod cluster;
mod faults;
mod paced;
mod promises;
mod replay;
#[path = "../support/run.rs"]
mod run;
mod steps;
#[cfg(all(feature = "nats", feature = "tracing"))]
mod traces;
