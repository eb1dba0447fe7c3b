//! The settings of a search: what a client asks for in the query of `GET /primes`.

use serde::{Deserialize, Serialize};

use crate::finder::Finder;

/// The number of worker threads of each pipeline.
#[derive(Clone, Copy)]
pub(crate) struct WorkerThreads(pub(crate) usize);

/// The settings of one search. `GET /stats` repeats them for each search.
#[derive(Clone, Copy, Deserialize, Serialize)]
pub(crate) struct Search {
    #[serde(default = "bits")]
    pub(crate) bits: u32,
    #[serde(default)]
    pub(crate) finder: Finder,
    /// The most primes per second; 0: no limit.
    #[serde(default = "pace")]
    pub(crate) pace: u32,
    /// For a page: at most ten events per second, each with the count so far and at most this many of the newest
    /// primes.
    #[serde(skip_serializing)]
    pub(crate) newest: Option<usize>,
}

impl Search {
    /// How many numbers may be in flight.
    pub(crate) fn window(self, workers: WorkerThreads) -> usize {
        workers.0 * self.finder.window_per_worker()
    }
}

fn bits() -> u32 {
    64
}

/// As many primes per second as a reader can follow.
fn pace() -> u32 {
    50
}
