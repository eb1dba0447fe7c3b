//! The settings of a search: what a client asks for in the query of `GET /primes`.

use serde::{Deserialize, Serialize};

use crate::finder::Finder;
use crate::pace::MAX_PACE;

/// The number of worker threads of the set that all searches share.
#[derive(Clone, Copy)]
pub(crate) struct WorkerThreads(pub(crate) usize);

/// The largest window: a number in flight takes some 20 bytes.
const MAX_WINDOW: usize = 1 << 20;

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
    /// The most worker threads at the same time; 0: all.
    #[serde(default)]
    pub(crate) workers: usize,
    /// How many numbers may be in flight; 0: as many as suit the finder.
    #[serde(default)]
    pub(crate) window: usize,
    /// Each item whose number is a multiple of this panics; 0: none.
    #[serde(default)]
    pub(crate) panic: u64,
    /// For a page: at most ten events per second, each with the count so far and at most this many of the newest
    /// primes.
    #[serde(skip_serializing)]
    pub(crate) newest: Option<usize>,
}

impl Search {
    /// Returns what is wrong with it, if anything is.
    pub(crate) fn check(&self, WorkerThreads(threads): WorkerThreads) -> Result<(), String> {
        let Self { bits, pace, workers, window, .. } = *self;
        if !(2..=64).contains(&bits) {
            return Err(format!("bits={bits}: must be from 2 to 64; no prime has fewer than 2 bits\n"));
        }
        if pace > MAX_PACE {
            return Err(format!("pace={pace}: must be from 1 to {MAX_PACE} primes per second, or 0 for no limit\n"));
        }
        if workers > threads {
            return Err(format!("workers={workers}: must be from 1 to {threads}, or 0 for all\n"));
        }
        if window > MAX_WINDOW {
            return Err(format!(
                "window={window}: must be from 1 to {MAX_WINDOW}, or 0 for one that suits the finder\n"
            ));
        }
        Ok(())
    }

    pub(crate) fn concurrency(self, threads: WorkerThreads) -> usize {
        if self.workers == 0 { threads.0 } else { self.workers }
    }

    /// How many numbers may be in flight.
    pub(crate) fn window(self, threads: WorkerThreads) -> usize {
        if self.window == 0 { self.concurrency(threads) * self.finder.window_per_worker() } else { self.window }
    }
}

fn bits() -> u32 {
    64
}

/// As many primes per second as a reader can follow.
fn pace() -> u32 {
    50
}
