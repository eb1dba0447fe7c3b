//! How a streamed answer ended, for its last line.

use crate::engine::run::Run;
use crate::error::PipelineError;
use crate::protocol;

/// How a streamed answer ended, from best to worst.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The results ended by themselves.
    Complete,
    /// A drain cut the source off; the results of every item taken from it were written.
    Drained,
    /// A stop cut the results off.
    Stopped,
    /// An error ended a pipeline early.
    Failed(PipelineError),
    /// The stream panicked when it was polled: one of its adapters or sources, which are the application's.
    Panicked(String),
}

impl Ending {
    /// The worst end of the pipelines of a stream that has just yielded `None`. To be called before the stream is
    /// dropped, which stops the pipelines that still run.
    pub(super) fn of(runs: &[Run]) -> Self {
        runs.iter().map(Self::of_one).max_by_key(Self::rank).unwrap_or(Self::Complete)
    }

    fn of_one(run: &Run) -> Self {
        if let Some(error) = run.state.error() {
            return Self::Failed(error.clone());
        }
        let seen = run.state.protocol().ending_seen();
        match seen {
            Some(protocol::Ending::Complete) => Self::Complete,
            Some(protocol::Ending::Drained) => Self::Drained,
            Some(protocol::Ending::Stopped) => Self::Stopped,
            // An adapter such as `take` ended the stream while the pipeline runs.
            None if run.state.is_running() => Self::Complete,
            // The run was stopped, and an adapter such as `take_until` ended the stream before its remaining results.
            None => Self::Stopped,
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Complete => 0,
            Self::Drained => 1,
            Self::Stopped => 2,
            Self::Failed(_) => 3,
            Self::Panicked(_) => 4,
        }
    }

    /// The word in the last line.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Drained => "drained",
            Self::Stopped => "stopped",
            Self::Failed(_) | Self::Panicked(_) => "failed",
        }
    }

    /// Returns true if the results are complete, or cut off by a drain only.
    pub(super) fn is_orderly(&self) -> bool {
        matches!(self, Self::Complete | Self::Drained)
    }
}
