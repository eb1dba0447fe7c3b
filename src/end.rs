//! How a pipeline or a pool ended.

use std::fmt;

use crate::error::PipelineError;

/// How a pipeline, a merged stream or a pool ended: [`Stats::end`](crate::Stats::end), which is `None` while it goes on.
///
/// A stream that yields `None` may be complete or cut short: this tells which. A pipeline has ended when its consumer has
/// seen the `None`; after a stop, or when the consumer left, as soon as the items that ran have returned. A pool has ended
/// when it takes no more items and those that it took have ended. From then on the value stays what it is.
///
/// | what happened | `end` |
/// |---|---|
/// | the source ended, and the consumer saw the end of the stream | `Complete` |
/// | the same, but [`finished`](crate::FanIn::finished) dropped what the consumer had not taken | `Complete`, and `emitted` is less than what was found |
/// | items failed by panics or errors of their own | as if they had not: `failed` counts them |
/// | [`Stop::Drain`](crate::Stop::Drain), before the source's end was known | `Drained` |
/// | a drain after the source had ended | `Complete` |
/// | [`Stop::Now`](crate::Stop::Now), or a handle's [`now`](crate::StopHandle::now), before everything was delivered, even if it skipped nothing | `Stopped` |
/// | `Stop::Now` when the source had ended and the consumer had taken every result | `Complete`, or `Drained` after a drain |
/// | `Stop::Now` after a drain, before everything was delivered | `Stopped` |
/// | the stream was dropped before it yielded `None`: `take(10)`, `break`, `?`, a client that left | `Stopped`, even if it had yielded everything |
/// | the source panicked, no `Work` could be built, the System stopped | [`Failed`](End::Failed) |
/// | the recipient of [`deliver_to`](crate::FanIn::deliver_to) stopped first | `Failed` |
/// | a stage, or a merged stream, that took other pipelines to their ends | as the worst of them |
/// | the same, when an adapter such as `take` had enough of one, or when it is itself stopped or drained | as without that one |
/// | a pool whose last clone, submission, sink and stream are gone | `Complete` |
/// | a pool that was closed: [`close`](crate::Pool::close), [`drain`](crate::Pool::drain), a [`shutdown`](crate::Pool::shutdown) in time | `Drained` |
/// | a pool that was stopped: [`stop`](crate::Pool::stop), a `shutdown` at its deadline | `Stopped`, unless it was closed before and its last item had ended |
///
/// A failure that comes after a stop changes nothing: what it may have cost was given up already.
///
/// With the feature `serde` it is `Serialize`: `"complete"`, `"drained"`, `"stopped"`, or `{"failed":ERROR}` with the
/// [`PipelineError`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// The source ended by itself, and everything was seen through.
    Complete,
    /// A drain cut the source off; everything that was taken from it was seen through.
    Drained,
    /// It was stopped, or left by its consumer, before everything was delivered.
    Stopped,
    /// It ended without being asked to, before its source did or before everything was delivered.
    Failed(PipelineError),
}

impl End {
    /// Returns true if the source ended by itself and everything was seen through: nothing is missing.
    pub fn is_complete(&self) -> bool {
        matches!(self, Self::Complete)
    }

    /// The error, if it failed.
    pub fn error(&self) -> Option<&PipelineError> {
        match self {
            Self::Failed(error) => Some(error),
            Self::Complete | Self::Drained | Self::Stopped => None,
        }
    }
}

/// One word: `complete`, `drained`, `stopped` or `failed`. The error of the last is left to [`End::error`].
impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Complete => "complete",
            Self::Drained => "drained",
            Self::Stopped => "stopped",
            Self::Failed(_) => "failed",
        })
    }
}
