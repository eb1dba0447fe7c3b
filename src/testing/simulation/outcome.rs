//! The outcome of a simulation.

use std::time::Duration;

use crate::error::{ItemError, PipelineError};
use crate::stats::Stats;
use crate::testing::When;

/// The outcome of a simulated pipeline.
#[derive(Debug)]
#[non_exhaustive]
pub struct Outcome<O> {
    /// The results that the consumer took, in that order. If the pipeline failed, the last one is its error, as in a
    /// [`FanIn`](crate::FanIn).
    pub results: Vec<Result<O, ItemError>>,
    /// The statistics at the end. Times are those of the simulation's clock.
    pub stats: Stats,
    /// The failure that ended the pipeline, if one did.
    pub error: Option<PipelineError>,
    /// Indices of items in the order in which their work began.
    pub begun: Vec<u64>,
    /// The most items that were in flight at a time.
    pub most_in_flight: usize,
    /// When the stops were planned that did not come before the end.
    pub never: Vec<When>,
    /// How many steps it took.
    pub steps: u64,
    /// How long it took on the simulation's clock.
    pub elapsed: Duration,
}
