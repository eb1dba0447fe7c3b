//! Cancellation.

use std::fmt;

use actix::Message;

use crate::end::End;
use crate::engine::intake::Run;
use crate::error::PipelineError;
use crate::protocol::Phase;
use crate::stats::Stats;

/// Stops a pipeline: the message to its [`Generator`](crate::Generator), the `done` channel of the Go pattern.
///
/// [`StopHandle`] does the same without passing through a mailbox. Both may be used at any time and any number of
/// times; `Now` after `Drain` hastens the end, `Drain` after `Now` changes nothing.
///
/// ```
/// # use actix::prelude::*;
/// # use actix_fan::{FanOutExt, Stop};
/// # use futures::StreamExt;
/// # System::new().block_on(async {
/// let mut squares = (0u64..).fan_out().map(|n| n * n)?;
/// squares.next().await;
/// squares.generator().send(Stop::Drain).await?;
/// let rest = squares.count().await; // what was in flight
/// # let _ = rest; Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stop {
    /// The source is not polled again and no worker begins another item. The stream ends as soon as the items that are
    /// running return.
    Now,
    /// The source is not polled again. Every result that is in flight arrives, then the stream ends.
    Drain,
}

impl Message for Stop {
    type Result = ();
}

impl From<Stop> for Phase {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Now => Phase::Stopped,
            Stop::Drain => Phase::Draining,
        }
    }
}

/// Stops a pipeline or a pool from any thread, and tells how it is doing. Cheap to clone; it keeps neither running.
#[derive(Clone)]
pub struct StopHandle {
    run: Run,
}

impl StopHandle {
    pub(crate) fn new(run: Run) -> Self {
        Self { run }
    }

    #[cfg(feature = "web")]
    pub(crate) fn run(&self) -> &Run {
        &self.run
    }

    /// What the message does.
    #[cfg(feature = "testing")]
    pub(crate) fn stop(&self, stop: Stop) {
        self.run.advance(stop.into());
    }

    /// [`Stop::Now`], in effect when this returns: a worker that comes to its next item skips it. That goes for the earlier
    /// stages of a chain and for the pipelines of a merged stream too, polled or not: see
    /// [`FanIn::fan_out`](crate::FanIn::fan_out) and [`fan_in`](crate::fan_in()).
    pub fn now(&self) {
        self.run.advance(Phase::Stopped);
    }

    /// [`Stop::Drain`]. In a chain of stages it belongs to the first: later ones then end by themselves, while a drain of
    /// a later one drops the stream of the earlier one.
    pub fn drain(&self) {
        self.run.advance(Phase::Draining);
    }

    /// Returns true if what has not begun is skipped: after [`Stop::Now`], a dropped stream, or a [`PipelineError`] other
    /// than `SourcePanicked`, which drains.
    ///
    /// [`PipelineError`]: crate::PipelineError
    pub fn is_stopped(&self) -> bool {
        self.run.state.is_stopped()
    }

    /// The pipeline's numbers at this instant.
    pub fn stats(&self) -> Stats {
        self.run.stats()
    }

    /// How it ended; `None` while it goes on. The same as [`Stats::end`], for those who need no numbers.
    pub fn end(&self) -> Option<End> {
        self.run.state.end()
    }

    /// Why the pipeline or the pool ended without being asked to, as soon as that is known: what still runs may not have
    /// returned by then.
    pub fn error(&self) -> Option<&PipelineError> {
        self.run.state.error()
    }

    /// Waits until the pipeline or the pool has [ended](End) and every worker's thread has dropped its work; returns the
    /// final numbers, of which [`end`](Stats::end) says whether they are complete.
    ///
    /// It takes no results: for streams that were moved away, as into `take`, `filter_map`, an answer of actix-web, an
    /// actor or the next stage. So that this can return, somebody must take the stream to its end, drop it, or stop the
    /// pipeline; a stream that is kept and not polled keeps this waiting. After [`now`](Self::now) it waits for no consumer:
    /// what that has not taken is still [in flight](Stats::in_flight).
    ///
    /// ```
    /// use actix_fan::{End, FanOutExt};
    /// use futures::StreamExt;
    ///
    /// # actix::System::new().block_on(async {
    /// let halves = (0..10u32).fan_out().try_map(|n| if n % 2 == 0 { Ok(n / 2) } else { Err("odd") })?;
    /// let stop = halves.stop_handle();
    /// let good: Vec<u32> = halves.filter_map(|half| async { half.ok() }).collect().await;
    /// let stats = stop.finished().await?; // else a pipeline that died looks like one that had no more
    /// assert_eq!((stats.end, stats.failed, good.len()), (Some(End::Complete), 5, 5));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// As [`error`](Self::error); [`PipelineError::OwnWorker`] on the thread of one of its workers, which would wait for
    /// itself.
    pub async fn finished(&self) -> Result<Stats, PipelineError> {
        self.run.finished().await
    }

    /// Waits until every worker's thread has left its last item and dropped its `Work`; in a chain or a merged stream, the
    /// threads of the pipelines that it consumes too.
    ///
    /// It doesn't take results: a pipeline whose consumer doesn't either, and which was not stopped, goes on waiting
    /// for credit.
    ///
    /// Returns true once they have, which is always the case where none of those threads waits. On one of them it returns
    /// false at once, since it would wait for itself.
    pub async fn workers_stopped(&self) -> bool {
        self.run.workers_stopped().await.is_ok()
    }
}

impl fmt::Debug for StopHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StopHandle").field("is_stopped", &self.is_stopped()).finish_non_exhaustive()
    }
}
