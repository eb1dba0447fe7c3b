//! The settings of a search: what a client asks for in the query of `GET /primes`.

use serde::{Deserialize, Serialize};

use crate::finder::Finder;
use crate::nodes::SLOTS;
use crate::pace::MAX_PACE;

/// What searches may ask for.
#[derive(Clone, Copy)]
pub(crate) enum Capacity {
    /// So many worker threads, in a set that all searches share.
    Threads(usize),
    /// Nodes, which have threads of their own.
    Nodes,
}

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
    pub(crate) fn check(&self, capacity: Capacity) -> Result<(), String> {
        let Self { bits, pace, workers, window, panic, .. } = *self;
        if !(2..=64).contains(&bits) {
            return Err(format!("bits={bits}: must be from 2 to 64; no prime has fewer than 2 bits\n"));
        }
        if pace > MAX_PACE {
            return Err(format!("pace={pace}: must be from 1 to {MAX_PACE} primes per second, or 0 for no limit\n"));
        }
        match capacity {
            Capacity::Threads(threads) if workers > threads => {
                return Err(format!("workers={workers}: must be from 1 to {threads}, or 0 for all\n"));
            }
            Capacity::Nodes if workers > 0 => {
                return Err(format!("workers={workers}: must be 0, since each node has threads of its own\n"));
            }
            Capacity::Nodes if panic > 0 => {
                return Err(format!("panic={panic}: must be 0, since the work of nodes does not panic on purpose\n"));
            }
            Capacity::Threads(_) | Capacity::Nodes => {}
        }
        if window > MAX_WINDOW {
            return Err(format!(
                "window={window}: must be from 1 to {MAX_WINDOW}, or 0 for one that suits the finder\n"
            ));
        }
        Ok(())
    }

    /// The most of these threads that work for it at the same time.
    pub(crate) fn concurrency(self, threads: usize) -> usize {
        if self.workers == 0 { threads } else { self.workers }
    }

    /// How many numbers may be in flight.
    pub(crate) fn window(self, capacity: Capacity) -> usize {
        let parallel = match capacity {
            Capacity::Threads(threads) => self.concurrency(threads),
            Capacity::Nodes => SLOTS,
        };
        if self.window == 0 { parallel * self.finder.window_per_worker() } else { self.window }
    }
}

fn bits() -> u32 {
    64
}

/// As many primes per second as a reader can follow.
fn pace() -> u32 {
    50
}
