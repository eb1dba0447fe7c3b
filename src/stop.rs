//! Cancellation.

use std::fmt;

use actix::Message;

use crate::engine::run::Run;
use crate::error::PipelineError;
use crate::protocol::Phase;
use crate::stats::Stats;

/// The message that stops a pipeline, sent to its [`Generator`](crate::Generator): the `done` channel of the Go
/// pattern.
///
/// [`StopHandle`] does the same without a mailbox. Both may be used at any time and more than once: `Now` after `Drain`
/// skips what has not begun, `Drain` after `Now` changes nothing.
///
/// ```
/// # use actix::prelude::*;
/// # use actix_fan::{FanOutExt, Stop};
/// # use futures::StreamExt;
/// # System::new().block_on(async {
/// let mut squares = (0u64..).fan_out().map(|n| n * n)?;
/// squares.next().await;
/// squares.generator().send(Stop::Drain).await?;
/// let rest = squares.count().await; // items that were in flight
/// # let _ = rest; Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stop {
    /// The source is not polled again, and no worker begins another item. The stream ends as soon as the running items
    /// have returned.
    Now,
    /// The source is not polled again. The results of all items in flight are delivered, then the stream ends.
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

/// The questions that everything with a run answers alike. `$what` is what the texts call it; its method `run` returns
/// the [`Run`].
macro_rules! run_state {
    ($what:literal) => {
        #[doc = concat!("Returns true if the ", $what, " takes in no more items, for whatever reason.")]
        ///
        /// Items in flight may go on: see [`is_stopped`](Self::is_stopped).
        pub fn is_closed(&self) -> bool {
            !self.run().state.is_running()
        }

        #[doc = concat!("Returns true if items of the ", $what, " that have not begun are skipped.")]
        ///
        /// That is so after a stop, after the stream was dropped, and after a
        /// [`PipelineError`](crate::PipelineError) other than `SourcePanicked`, which drains.
        pub fn is_stopped(&self) -> bool {
            self.run().state.is_stopped()
        }

        #[doc = concat!("How the ", $what, " ended; `None` while it runs.")]
        ///
        /// The same as [`Stats::end`](crate::Stats::end), without the other numbers.
        pub fn end(&self) -> Option<crate::End> {
            self.run().state.end()
        }

        #[doc = concat!("The error that ended the ", $what, ", if one did.")]
        ///
        /// It is set as soon as the error is known, when running items may not have returned yet.
        pub fn error(&self) -> Option<&crate::PipelineError> {
            self.run().state.error()
        }

        #[doc = concat!("Waits until every worker thread of the ", $what, " has dropped its `Work`.")]
        ///
        /// By then it has completed its last item. In a chain or a merged stream, this waits for the worker threads of
        /// the pipelines that it consumes, too. It takes no results: if the consumer takes none either and the pipeline
        /// is not stopped, its generator waits for a permit, and this does not return.
        ///
        /// Returns true when they have. Called on a thread that works for it or for its set, which would wait for itself,
        /// it returns false at once.
        pub async fn workers_stopped(&self) -> bool {
            self.run().workers_stopped().await.is_ok()
        }
    };
}

/// The settings that everything with workers can change while it runs. `$what` is what the texts call it, and `$items` is
/// where its items wait.
macro_rules! live_settings {
    ($what:literal, $waits:literal) => {
        #[doc = concat!("Changes the window of the running ", $what, ": the most items in flight, at least 1.")]
        ///
        #[doc = $waits]
        /// A smaller one takes effect as items end: those in flight beyond it go on, and no other is taken in until fewer
        /// than that are in flight. Nothing is lost, and order is kept. [`Stats::limit`](crate::Stats::limit) tells the new
        /// one when this returns.
        ///
        /// # Errors
        ///
        /// [`SettingError`](crate::SettingError), by the same rules as the builder's: the window is 0, or smaller than a
        /// batch size that was set.
        pub fn set_window(&self, window: usize) -> Result<(), crate::SettingError> {
            self.run().set_window(window)
        }

        #[doc = concat!("Changes how many threads may work for the running ", $what, " at a time, at least 1.")]
        ///
        /// More than its set of threads has are as many as it has: no thread is started or ended by this. Raising it wakes idle
        /// threads at once. After it was lowered, a thread that is too many runs its current item to the end and then
        /// serves others; what else it had is left to the threads that stay. A batch whose size was set goes on to its
        /// end. [`Stats::concurrency`](crate::Stats::concurrency) tells the new one when this returns.
        ///
        /// # Errors
        ///
        /// [`SettingError`](crate::SettingError) if it is 0.
        pub fn set_concurrency(&self, threads: usize) -> Result<(), crate::SettingError> {
            self.run().set_concurrency(threads)
        }
    };
}

pub(crate) use {live_settings, run_state};

/// Stops a pipeline or a pool from any thread, and reads its numbers. Cheap to clone; it does not keep the pipeline or
/// pool running.
#[derive(Clone)]
pub struct StopHandle {
    run: Run,
}

impl StopHandle {
    pub(crate) fn new(run: Run) -> Self {
        Self { run }
    }

    pub(crate) fn run(&self) -> &Run {
        &self.run
    }

    /// Does what the message asks for.
    #[cfg(feature = "testing")]
    pub(crate) fn apply(&self, stop: Stop) {
        self.run.advance(stop.into());
    }

    /// Stops at once, as [`Stop::Now`] does: no more items begin.
    ///
    /// It has taken effect when this returns: workers skip the items that they have not begun. It also stops the
    /// earlier stages of a chain and the pipelines of a merged stream, whether they are polled or not: see
    /// [`FanIn::fan_out`](crate::FanIn::fan_out) and [`fan_in`](crate::fan_in()).
    pub fn stop(&self) {
        self.run.advance(Phase::Stopped);
    }

    /// Takes in no more items, as [`Stop::Drain`] does; the items in flight are worked on.
    ///
    /// This does not wait; [`finished`](Self::finished) does. In a chain of stages, drain the first one: the later ones
    /// then end by themselves. Draining a later stage drops the stream of the earlier one, which stops it.
    pub fn drain(&self) {
        self.run.advance(Phase::Draining);
    }

    run_state!("pipeline or pool");

    live_settings!(
        "pipeline or pool",
        "For a stream that was moved away: see [`FanIn::set_window`](crate::FanIn::set_window) and \
            [`Pool::set_window`](crate::Pool::set_window). The handle of a [merged stream](crate::fan_in()) returns \
            [`SettingError::Merged`](crate::SettingError::Merged)."
    );

    /// The numbers of the pipeline or the pool at this instant.
    pub fn stats(&self) -> Stats {
        self.run.stats()
    }

    /// Waits until the pipeline or the pool has [ended](crate::End) and every worker thread has dropped its work.
    /// Returns the final numbers; their [`end`](Stats::end) says whether the results are complete.
    ///
    /// Use it for a stream that was moved away: into `take`, `filter_map`, an answer of actix-web, an actor or the next
    /// stage. This method takes no results from the stream, and so returns only after the consumer has taken the stream
    /// to its end or dropped it, or the pipeline was stopped. A stream that is kept without being polled blocks it.
    /// After [`stop`](Self::stop) it does not wait for the consumer: results that the consumer has not taken are still
    /// counted as [in flight](Stats::in_flight).
    ///
    /// ```
    /// use actix_fan::{End, FanOutExt};
    /// use futures::StreamExt;
    ///
    /// # actix::System::new().block_on(async {
    /// let half = |n| if n % 2 == 0 { Ok(n / 2) } else { Err("odd") };
    /// let halves = (0..10u32).fan_out().try_map(half)?;
    /// let stop = halves.stop_handle();
    /// let good = halves.filter_map(|half| async { half.ok() });
    /// let good: Vec<u32> = good.collect().await;
    ///
    /// let stats = stop.finished().await?; // an error if the pipeline died
    /// assert_eq!(stats.end, Some(End::Complete));
    /// assert_eq!((good.len(), stats.failed), (5, 5));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// The error that ended the pipeline or the pool, as [`error`](Self::error) returns it.
    /// [`PipelineError::OwnWorker`] on a thread that works for it or for its set, which would wait for itself.
    pub async fn finished(&self) -> Result<Stats, PipelineError> {
        self.run.finished().await
    }
}

impl fmt::Debug for StopHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StopHandle").field("is_stopped", &self.is_stopped()).finish_non_exhaustive()
    }
}
