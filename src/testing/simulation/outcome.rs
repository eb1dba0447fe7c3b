//! What came of a simulation.

use std::time::Duration;

use crate::error::{ItemError, PipelineError};
use crate::stats::Stats;
use crate::testing::When;

/// What came of a simulated pipeline.
#[derive(Debug)]
#[non_exhaustive]
pub struct Outcome<O> {
    /// What the consumer got, in that order. Where the pipeline ended too early the last one says so, as in a
    /// [`FanIn`](crate::FanIn).
    pub results: Vec<Result<O, ItemError>>,
    /// The numbers at the end. Times are those of the simulation's clock.
    pub stats: Stats,
    /// Why the pipeline ended before its source did without being asked to.
    pub error: Option<PipelineError>,
    /// Indices of items in the order in which their work began.
    pub begun: Vec<u64>,
    /// The most items that were in flight at a time.
    pub most_in_flight: usize,
    /// What was planned and never came: stops whose moment was after the end.
    pub never: Vec<When>,
    /// How many steps it took.
    pub steps: u64,
    /// How long it took on the simulation's clock.
    pub elapsed: Duration,
}
