//! How a pipeline or a pool ended.

use std::fmt;

use crate::error::PipelineError;

/// How a pipeline, a merged stream or a pool ended: [`Stats::end`](crate::Stats::end), which is `None` while it runs.
///
/// A stream that yields `None` may be complete or cut short: this says which. A pipeline has ended when its consumer
/// has taken the `None`; after a stop or a dropped stream, as soon as the running items have returned. A pool has ended
/// when it admits no more items and all admitted items have ended. The value does not change after that.
///
/// | what happened | `end` |
/// |---|---|
/// | the source ended, and the consumer saw the end of the stream | `Complete` |
/// | the same, but [`finished`](crate::FanIn::finished) dropped what the consumer had not taken | `Complete`, and `emitted` is less than the number of results |
/// | single items panicked or returned errors | the same as without them; `failed` counts them |
/// | [`Stop::Drain`](crate::Stop::Drain), or [`drain`](crate::StopHandle::drain), before the source was known to have ended | `Drained` |
/// | a drain after the source had ended | `Complete` |
/// | [`Stop::Now`](crate::Stop::Now), or [`stop`](crate::StopHandle::stop), before everything was delivered, even if it skipped nothing | `Stopped` |
/// | `Stop::Now` when the source had ended and the consumer had taken every result | `Complete`, or `Drained` after a drain |
/// | `Stop::Now` after a drain, before everything was delivered | `Stopped` |
/// | the stream was dropped before it yielded `None`: `take(10)`, `break`, `?`, a client that left | `Stopped`, even if it had yielded all results |
/// | the source panicked, no `Work` could be built, the System stopped | [`Failed`](End::Failed) |
/// | the recipient of [`deliver_to`](crate::FanIn::deliver_to) stopped first | `Failed` |
/// | a stage or a merged stream took the pipelines that it consumes to their ends | the worst of their ends and its own |
/// | the same, but an adapter such as `take` ended one of them early, or the stage or merged stream was itself stopped or drained | the same, without that one |
/// | the last clone, submission, sink and stream of a pool were dropped | `Complete` |
/// | a pool was drained: [`drain`](crate::Pool::drain), a [`shutdown`](crate::Pool::shutdown) that ended before its deadline | `Drained` |
/// | a pool was stopped: [`stop`](crate::Pool::stop), a `shutdown` at its deadline | `Stopped`, unless it was drained before and its last item had ended |
///
/// An error after a stop does not change the end: the stop had already cancelled the items that the error may have
/// lost.
///
/// With the feature `serde` it is `Serialize`: `"complete"`, `"drained"`, `"stopped"`, or `{"failed":ERROR}` with the
/// [`PipelineError`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// The source ended by itself, and every item was processed and delivered.
    Complete,
    /// A drain cut the source off; every item taken from it was processed and delivered.
    Drained,
    /// It was stopped, or its consumer dropped the stream, before everything was delivered.
    Stopped,
    /// An error ended it before its source ended or before everything was delivered.
    Failed(PipelineError),
}

impl End {
    /// Returns true if the source ended by itself and every item was processed and delivered.
    pub fn is_complete(&self) -> bool {
        matches!(self, Self::Complete)
    }

    /// The error, if the end is [`Failed`](Self::Failed).
    pub fn error(&self) -> Option<&PipelineError> {
        match self {
            Self::Failed(error) => Some(error),
            Self::Complete | Self::Drained | Self::Stopped => None,
        }
    }
}

/// Writes one word: `complete`, `drained`, `stopped` or `failed`. For the error, see [`End::error`].
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
