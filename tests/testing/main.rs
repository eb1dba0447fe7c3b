//! The test kit, and the pipeline's promises in simulation: over thousands of orders of steps that threads seldom take.

mod faults;
mod paced;
mod promises;
mod replay;
#[path = "../support/run.rs"]
mod run;
mod steps;
