//! How a streamed answer ended, which its last line tells.

use crate::engine::intake::Run;
use crate::error::PipelineError;
use crate::protocol;

/// How it ended, the better before the worse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The results ended by themselves.
    Complete,
    /// A drain cut the source off; everything that was taken from it was written.
    Drained,
    /// A stop cut the results off.
    Stopped,
    /// A pipeline ended too early.
    Failed(PipelineError),
    /// The stream panicked when it was polled: one of its adapters, or a source of the application.
    Panicked(String),
}

impl Ending {
    /// How the pipelines that a stream is made of ended, when it has just yielded `None`: the worst of them. It must be
    /// asked before the stream is dropped, which stops those that go on.
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
            // An adapter such as `take` had what it wanted.
            None if run.state.is_running() => Self::Complete,
            // `take_until`, say: the run was stopped, and what it still had is not among the results.
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

    /// As the client reads it.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Drained => "drained",
            Self::Stopped => "stopped",
            Self::Failed(_) | Self::Panicked(_) => "failed",
        }
    }

    /// Returns true if nothing is missing that was asked for, or left out on request.
    pub(super) fn is_orderly(&self) -> bool {
        matches!(self, Self::Complete | Self::Drained)
    }
}
