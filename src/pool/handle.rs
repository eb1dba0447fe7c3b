//! The handle by which callers submit to a pool.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::{Either, select};
use tokio::sync::oneshot;

use crate::engine::reentrancy;
use crate::engine::run::Run;
use crate::error::PipelineError;
use crate::observe::Submitted;
#[cfg(feature = "nats")]
use crate::observe::TraceContext;
use crate::pool::channel::{PoolSink, PoolStream, channel};
use crate::pool::error::SubmitError;
use crate::pool::queue::{Queue, SharedHandle};
use crate::pool::request::{Reply, Request};
use crate::pool::submission::Submission;
use crate::protocol::Phase;
use crate::stats::Stats;
use crate::stop::{StopHandle, live_settings, run_state};

/// Workers to submit items to, one by one, and await their results from.
///
/// A pool is made by [`pool()`](crate::pool()) and is cheap to clone. It may be used from any arbiter, thread or
/// runtime. An item goes straight to a worker thread and its result straight back, through no arbiter. So a blocked
/// arbiter, even the one on which the pool was started, blocks no other caller.
///
/// # Where to start it
///
/// Once per application: before `HttpServer::new`, to be cloned into the application's data. The closure given to
/// `HttpServer::new` runs once per thread of the server. Started there, each of them would have a pool of its own, with
/// a thread per core. A pool can be started on any thread, also without a System. Started on a thread that belongs to a
/// System it ends with that.
///
/// # Backpressure
///
/// An item in flight has a permit, of which there are [`window`](crate::PoolBuilder::window). When none is left,
/// [`submit`](Self::submit) waits for one, in the order of the calls, and [`try_submit`](Self::try_submit) returns the
/// item. Items begin in the order in which they were submitted, and workers take them one at a time: an item never
/// waits for others to fill a batch, nor behind a long item while a worker is free. On threads that others share it also
/// waits for the time that they are due: see [`Workers`](crate::Workers).
///
/// The permit of a submitted item is released when its work returns. The permit of an item fed into a
/// [`channel`](Self::channel) stays with the result until the consumer takes it. A consumer that takes none may hold
/// the whole window, so give a slow consumer a pool of its own.
///
/// # Cancellation
///
/// Dropping a [`Submission`] cancels its item; see there. A cancelled item that has not begun never begins, and its
/// permit is released. For one that runs, [`Job::is_stopped`](crate::Job::is_stopped) returns true; if the work then
/// returns [`Stopped`](crate::Stopped), the item counts as skipped. Its permit is released when the work returns and
/// not before, so that stuck work can't use up memory.
///
/// # Lifecycle
///
/// | | new items | waiting for a permit | queued | running | [`Stats::end`] |
/// |---|---|---|---|---|---|
/// | the last clone, submission, sink and stream are dropped | none can come | none | none | can see it | `Complete` |
/// | [`drain`](Self::drain) | come back | come back | run | go on | `Drained` |
/// | [`stop`](Self::stop) | come back | come back | come back | can see it | `Stopped` |
/// | [`shutdown`](Self::shutdown), in time | come back | come back | run | go on | `Drained` |
/// | `shutdown`, at its deadline | come back | come back | handed to the caller | can see it | `Stopped` |
/// | the System stops, or no [`Work`](crate::Work) can be built | come back | come back | come back | can see it | `Failed` |
///
/// "Come back" means: to the caller that submitted them, by [`SubmitError::into_item`]. The end can be read once the
/// work on the running items has returned; a `stop` after a `drain` makes it `Stopped`, unless the last item had ended.
/// See [`End`](crate::End). A work that holds a clone of its own pool keeps it open.
///
/// # Panics
///
/// A panic in the work fails its item: the caller gets [`SubmitError::Failed`] with the panic's message. The worker's
/// [`Work`](crate::Work) is rebuilt, and the worker thread goes on. With `panic = "abort"` the process ends.
///
/// # Errors
///
/// [`SubmitError`]: the work on the item failed, or the pool didn't take the item, which then comes back.
///
/// If all workers submitted to their own pool, or awaited an item of it that has not begun, they would wait for each
/// other forever. So such a worker gets [`SubmitError::OwnPool`] at once, in asynchronous and in blocking calls and
/// inside of a nested runtime. So does a thread of the set [`on`](crate::PoolBuilder::on) which the pool works, whatever
/// it works for, if it blocks on a submit or polls a submission whose item has not begun; that it may find other threads
/// idle makes no difference. One that waits for the end of the pool gets [`PipelineError::OwnWorker`]. Not detected are
/// pools on different threads that submit to each other, threads that the work spawns, and waits for the sink or the
/// stream of a [`channel`](Self::channel).
///
/// # Examples
///
/// ```
/// use actix_fan::{Pool, pool};
///
/// # actix::System::new().block_on(async {
/// let squares: Pool<u64, u64> = pool().workers(2).window(100).map(|n| n * n)?;
///
/// assert_eq!(squares.submit(7).await?, 49);
///
/// match squares.try_submit(8) {
///     Ok(square) => assert_eq!(square.await?, 64),
///     Err(refused) if refused.is_full() => {
///         println!("try again in {:?}", squares.expected_wait());
///     }
///     Err(refused) => return Err(refused.into()),
/// }
///
/// let elsewhere = squares.clone();
/// let thread = std::thread::spawn(move || elsewhere.blocking_submit(9).unwrap());
/// assert_eq!(thread.join().unwrap(), 81);
///
/// squares.drain();
/// let stats = squares.finished().await?;
/// assert_eq!((stats.completed, stats.in_flight), (3, 0));
/// assert_eq!(squares.submit(10).await.unwrap_err().into_item(), Some(10));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub struct Pool<I: Send + 'static, O: Send + 'static> {
    open: Arc<SharedHandle<I, O>>,
}

impl<I: Send + 'static, O: Send + 'static> Pool<I, O> {
    pub(super) fn new(queue: &Arc<Queue<I, O>>) -> Self {
        Self { open: Arc::new(SharedHandle { run: queue.run(), queue: Arc::clone(queue) }) }
    }

    /// Submits an item. It joins the admission queue at once; the future waits for a permit and then for the result.
    ///
    /// Await it or keep it: dropping the future cancels the item.
    ///
    /// # Errors
    ///
    /// Any [`SubmitError`] but `Full`.
    pub fn submit(&self, item: I) -> Submission<I, O> {
        self.submit_with(item, Queue::submitted)
    }

    /// As [`submit`](Self::submit), for an item that came from another process, with the trace that it belongs to.
    #[cfg(feature = "nats")]
    pub(crate) fn submit_of(&self, item: I, trace: Option<&TraceContext>) -> Submission<I, O> {
        self.submit_with(item, |queue| queue.submitted_of(trace))
    }

    fn submit_with(&self, item: I, submitted: impl FnOnce(&Queue<I, O>) -> Option<Box<Submitted>>) -> Submission<I, O> {
        if reentrancy::is_own(self.run().id()) {
            return Submission::refused(SubmitError::OwnPool(item));
        }
        let (reply, answer) = oneshot::channel();
        let submitted = submitted(self.queue());
        match self.queue().join(Request { item, reply: Reply::Submission(reply), at: Instant::now(), submitted }) {
            Ok((position, _)) => Submission::pending(&self.open, position, answer),
            Err(error) => Submission::refused(error),
        }
    }

    /// Submits an item if there is a permit for it now.
    ///
    /// # Errors
    ///
    /// [`SubmitError::Full`] if no permit is free, and any other error for which the item is refused. The future has
    /// the other errors.
    pub fn try_submit(&self, item: I) -> Result<Submission<I, O>, SubmitError<I>> {
        if reentrancy::is_own(self.run().id()) {
            return Err(SubmitError::OwnPool(item));
        }
        let (reply, answer) = oneshot::channel();
        let submitted = self.queue().submitted();
        let position =
            self.queue().try_join(Request { item, reply: Reply::Submission(reply), at: Instant::now(), submitted })?;
        Ok(Submission::pending(&self.open, position, answer))
    }

    /// Submits an item and blocks this thread until its result is there: for threads that run no async tasks.
    ///
    /// # Errors
    ///
    /// Those of [`submit`](Self::submit).
    pub fn blocking_submit(&self, item: I) -> Result<O, SubmitError<I>> {
        if self.run().is_served_here() {
            return Err(SubmitError::OwnPool(item));
        }
        self.submit(item).wait()
    }

    /// A sink to feed items into, and the stream of their results in the order in which they are finished. Any number
    /// of such pairs may share a pool, with each other and with submits.
    ///
    /// Drive the two from different tasks, or take results while you wait for the sink.
    ///
    /// ```
    /// use actix_fan::pool;
    /// use futures::{SinkExt, StreamExt, stream};
    ///
    /// # actix::System::new().block_on(async {
    /// let squares = pool().workers(2).window(8).map(|n: u64| n * n)?;
    /// let (sink, results) = squares.channel();
    /// actix::spawn(stream::iter(0..100u64).map(Ok).forward(sink));
    /// let squares: Vec<u64> = results.map(Result::unwrap).collect().await;
    /// assert_eq!(squares.iter().sum::<u64>(), 328_350);
    /// # Ok::<(), actix_fan::StartError>(())
    /// # }).unwrap();
    /// ```
    pub fn channel(&self) -> (PoolSink<I, O>, PoolStream<I, O>) {
        channel(&self.open)
    }

    /// Takes in no more items: those that wait for a permit come back, those that have one are worked on.
    ///
    /// This does not wait: [`finished`](Self::finished) does.
    pub fn drain(&self) {
        self.run().advance(Phase::Draining);
    }

    /// Stops the pool at once: no more items begin, in effect when this returns.
    ///
    /// All that have not begun come back, and work that runs can see it by [`Job::is_stopped`](crate::Job::is_stopped).
    pub fn stop(&self) {
        self.run().advance(Phase::Stopped);
    }

    /// Waits until the pool has ended and every worker thread has dropped its work; returns the final numbers, of which
    /// [`end`](Stats::end) says how it ended.
    ///
    /// It ends nothing itself: call [`drain`](Self::drain) or [`stop`](Self::stop) first. After a stop this waits for
    /// the items that run.
    ///
    /// Results that wait in a [`PoolStream`](crate::PoolStream) stay there, to be taken after this as before: their
    /// items are the ones that the numbers still have [`in_flight`](Stats::in_flight).
    ///
    /// # Errors
    ///
    /// What ended the pool without being asked to. [`stats`](Self::stats) has the numbers then.
    /// [`PipelineError::OwnWorker`] on a thread that works for it or for its set, which would wait for itself.
    pub async fn finished(&self) -> Result<Stats, PipelineError> {
        self.run().finished().await
    }

    /// Drains the pool until the deadline, then stops it and returns the items that had not begun, in order. Their
    /// submits fail with [`SubmitError::Stopped`] without the item.
    ///
    /// The deadline is any future: a timer, or a second signal. Items that run then are not waited for;
    /// [`finished`](Self::finished) does that.
    ///
    /// # Errors
    ///
    /// [`PipelineError::OwnWorker`] on a thread that works for it or for its set, which would wait for itself. Other errors,
    /// such as the end of the System, are no errors here: the items have come back to those who submitted them, and
    /// [`stats`](Self::stats) says how the pool ended.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    ///
    /// # actix::System::new().block_on(async {
    /// let squares = actix_fan::pool().map(|n: u64| n * n)?;
    /// let deadline = actix::clock::sleep(Duration::from_secs(10));
    /// let left = squares.shutdown(deadline).await?;
    /// assert!(left.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn shutdown(&self, deadline: impl Future<Output = ()>) -> Result<Vec<I>, PipelineError> {
        // Before anything has happened.
        if self.run().is_served_here() {
            return Err(PipelineError::OwnWorker);
        }
        self.drain();
        match select(pin!(self.run().wait()), pin!(deadline)).await {
            Either::Left((over, _)) => over.map(|()| Vec::new()),
            Either::Right(_) => {
                // It is closed, so nothing more is queued before the stop.
                let left = self.queue().take_queued();
                self.stop();
                Ok(left)
            }
        }
    }

    /// A handle that stops or drains the pool and has its numbers, and does not keep it open.
    pub fn stop_handle(&self) -> StopHandle {
        StopHandle::new(self.run().clone())
    }

    run_state!("pool");

    live_settings!(
        "pool",
        "A larger one acts at once: as many submits get their permits as wait for them and it has room for."
    );

    /// The pool's numbers at this instant.
    pub fn stats(&self) -> Stats {
        self.run().stats()
    }

    /// The most items in flight.
    pub fn window(&self) -> usize {
        self.run().state.protocol().window()
    }

    /// How long an item submitted now would wait until its work begins, by what is before it and what an item has taken
    /// lately ([`Stats::mean_service`]): for a `Retry-After`. `None` before the first item was measured.
    pub fn expected_wait(&self) -> Option<Duration> {
        self.run().expected_wait()
    }

    pub(super) fn run(&self) -> &Run {
        &self.open.run
    }

    fn queue(&self) -> &Queue<I, O> {
        &self.open.queue
    }
}

impl<I: Send + 'static, O: Send + 'static> Clone for Pool<I, O> {
    fn clone(&self) -> Self {
        Self { open: Arc::clone(&self.open) }
    }
}

impl<I: Send + 'static, O: Send + 'static> fmt::Debug for Pool<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("is_closed", &self.is_closed()).finish_non_exhaustive()
    }
}
