//! The two primality tests that a client may choose.

use actix_fan::{Job, Stopped};
use prime_fan::{is_prime, trial_division};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Finder {
    /// Less than a microsecond per number.
    #[default]
    Fast,
    /// Up to seconds for a number of 64 bits; it is cancelled when the client has disconnected or the search was stopped.
    Trial,
}

impl Finder {
    /// How many items may be in flight per worker: few enough that a slow client fills the window within a second, so
    /// that the page shows backpressure, and enough to keep the workers busy when the client is fast.
    pub(crate) fn window_per_worker(self) -> usize {
        match self {
            Self::Fast => 1024,
            Self::Trial => 16,
        }
    }

    pub(crate) fn is_prime<O>(self, n: u64, job: &Job<'_, O>) -> Result<bool, Stopped> {
        match self {
            Self::Fast => Ok(is_prime(n)),
            Self::Trial => trial_division(n, || job.is_stopped()).ok_or(Stopped),
        }
    }
}
