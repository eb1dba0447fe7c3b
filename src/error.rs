//! The errors: of a start, of a single item, and of a whole pipeline or pool.

use std::error::Error;
use std::fmt;
use std::mem;

use thiserror::Error;

use crate::limits::{MAX_STACK, MAX_WORKERS, MIN_STACK};
use crate::util::panic::discard;

/// The error type of the work: any error that can be sent between threads.
pub type BoxError = Box<dyn Error + Send + Sync + 'static>;

/// Why a pipeline, a pool or a set of threads did not start. Nothing was taken from the source.
///
/// With the feature `serde` it is `Serialize`: `{"error":TEXT,"kind":KIND,"causes":[TEXT]}`, where KIND is the
/// variant's name in snake case, such as `no_system`, and the causes are the texts of its [`source`](Error::source)s.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// The number of workers, set by [`FanOut::workers`](crate::FanOut::workers) or
    /// [`PoolBuilder::workers`](crate::PoolBuilder::workers), was 0 or more than
    /// [`MAX_WORKERS`](crate::MAX_WORKERS).
    #[error("workers is {0}: it must be at least 1 and at most {max}", max = MAX_WORKERS)]
    Workers(usize),
    /// The number of threads of a set, [`WorkersBuilder::threads`](crate::WorkersBuilder::threads), was 0 or more than
    /// [`MAX_WORKERS`](crate::MAX_WORKERS).
    #[error("threads is {0}: it must be at least 1 and at most {max}", max = MAX_WORKERS)]
    Threads(usize),
    /// [`FanOut::concurrency`](crate::FanOut::concurrency) or
    /// [`PoolBuilder::concurrency`](crate::PoolBuilder::concurrency) was 0.
    #[error("concurrency is 0: at least 1 thread must be allowed to work")]
    Concurrency,
    /// [`WorkersBuilder::build_global`](crate::WorkersBuilder::build_global) was called when there was a global set
    /// already, because a pipeline had started it or an earlier call had.
    #[error("the global workers have started already: set them first, as in `main`")]
    GlobalWorkers,
    /// The window, set by [`FanOut::window`](crate::FanOut::window) for example, was 0.
    #[error("window is 0: at least 1 item must be allowed in flight")]
    Window,
    /// [`FanOut::batch`](crate::FanOut::batch) was 0 or larger than the window.
    #[error("batch is {batch}: it must be at least 1 and at most the window, which is {window}")]
    Batch {
        /// The batch size asked for.
        batch: usize,
        /// The window asked for, or the default one.
        window: usize,
    },
    /// The stack size, set by [`FanOut::stack_size`](crate::FanOut::stack_size) for example, was out of range.
    #[error("stack_size is {0} bytes: a worker's stack has at least {min} bytes and at most {max}", min = MIN_STACK, max = MAX_STACK)]
    StackSize(usize),
    /// The name for the worker threads has a NUL byte.
    #[error("thread_name {0:?} holds a NUL byte")]
    ThreadName(String),
    /// The time that a batch should take, set by `Remote::batch_time`, was 0.
    #[error("batch_time is 0: a batch must be allowed to take some time")]
    BatchTime,
    /// The kind of work, given to `Remote::run`, is no name and version.
    #[error("{0:?} is no kind of work: a kind has 1 to 32 of a-z, 0-9, - and _, a slash and a version, as in primes/1")]
    Kind(String),
    /// The name of a run, given to `Remote::run_id`, can't be one.
    #[error("{0:?} can't name a run: a name has 1 to 64 of A-Z, a-z, 0-9, - and _")]
    RunId(String),
    /// A pipeline was started on a thread with neither an actix arbiter whose event loop runs nor a tokio `LocalSet` on a
    /// current-thread runtime. One whose source is `Send` needs neither with [`FanOut::detached`](crate::FanOut::detached),
    /// and a pool never does.
    ///
    /// On a current-thread runtime of tokio the panic hook runs before this is returned: tokio can't be asked whether there
    /// is a `LocalSet`.
    #[error(
        "no actix System runs on this thread: write `.fan_out().detached()`, which starts anywhere if the source is `Send`; \
         otherwise start inside `System::block_on`, `#[actix::main]`, `#[actix_web::main]`, an actor or a handler of \
         actix-web, or with `system.arbiter().spawn_fn` on the thread of a System: see \"Where it can be started\" in the \
         documentation of actix_fan"
    )]
    NoSystem,
    /// The System of this thread was stopped; for a detached pipeline, that of this crate, or it could not start.
    #[error("the actix System was stopped")]
    SystemStopped,
    /// The operating system refused to start a thread: one of those that a pipeline or pool has of its own, or the one
    /// that starts them. It must allow one thread more than there are workers, and `fan-system` at the first start.
    #[error("could not start worker thread {worker} of {workers}")]
    Thread {
        /// The worker whose thread was refused, from 0.
        worker: usize,
        /// The number of workers asked for.
        workers: usize,
        /// The error of the operating system.
        #[source]
        source: std::io::Error,
    },
}

/// Why a setting of a running pipeline or pool was not changed. It is as it was.
///
/// Its texts are those of the [`StartError`]s that a builder returns for the same values. With the feature `serde` it is
/// `Serialize` in the same form.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SettingError {
    /// The window was 0.
    #[error("window is 0: at least 1 item must be allowed in flight")]
    Window,
    /// The window was smaller than the [`batch`](crate::FanOut::batch) that was set.
    #[error("batch is {batch}: it must be at least 1 and at most the window, which is {window}")]
    Batch {
        /// The batch size that the pipeline was started with.
        batch: usize,
        /// The window asked for.
        window: usize,
    },
    /// The concurrency was 0.
    #[error("concurrency is 0: at least 1 thread must be allowed to work")]
    Concurrency,
    /// A [merged stream](crate::fan_in()) has neither a window nor threads: those of the pipelines that it consumes can be
    /// set.
    #[error("a merged stream has no settings of its own: change those of the pipelines that it consumes")]
    Merged,
}

/// The error that ended a pipeline before its source ended, or a pool before it was drained or stopped.
///
/// With the feature `serde` it is `Serialize`: `{"error":TEXT,"kind":KIND,"causes":[TEXT]}`, where KIND is the
/// variant's name in snake case, such as `source_panicked`, and the causes are the texts of its
/// [`source`](Error::source)s.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum PipelineError {
    /// The actix System, or the arbiter on which the pipeline lives, stopped first. For a
    /// [detached](crate::FanOut::detached) pipeline it is the System of this crate, which only the application's own code on its
    /// threads can stop.
    #[error("the actix System stopped before the pipeline did")]
    SystemStopped,
    /// The end of a pipeline or pool, or the next result of a pipeline, was awaited on a thread that works for it: one of
    /// its own, or of the set on which it works. The thread would wait for itself as soon as all of them do. A pipeline
    /// whose next result was awaited is stopped by that; otherwise nothing has happened to it.
    #[error(
        "awaited on one of its own worker threads, which would wait for itself: await it on another thread, or give it \
         threads of its own with `workers`"
    )]
    OwnWorker,
    /// An actor or a worker thread panicked and ended, while the System and the arbiter still run. The panic hook
    /// has printed where. The stop of a System ends in this as well where the pipeline lives on another arbiter
    /// than the System's first, and that one ended earlier: actix stops arbiters in no order.
    #[error("{actor} panicked and ended before the pipeline did")]
    ActorLost {
        /// What ended: `the generator`, `the aggregator`, `a worker thread` or `the keeper of the pool`.
        actor: &'static str,
    },
    /// The operating system refused to start a worker thread. On a shared set, this ends each pipeline and pool that
    /// joins it. With threads of its own it had allowed as many when the start tested for it; if it refuses in that
    /// test, the start fails with [`StartError::Thread`].
    #[error("worker thread {worker} of {workers} could not be started: {message}")]
    WorkerThread {
        /// The worker whose thread was refused, from 0.
        worker: usize,
        /// The number of workers asked for.
        workers: usize,
        /// The error of the operating system.
        message: String,
    },
    /// The source panicked. The items that it yielded before were processed.
    #[error("the source panicked: {message}")]
    SourcePanicked {
        /// The message of the panic.
        message: String,
    },
    /// The factory panicked several times in a row when a worker thread built its `Work`.
    #[error("the worker factory panicked {attempts} times in a row, the last time with: {message}")]
    WorkerFactory {
        /// The number of attempts.
        attempts: u32,
        /// The message of the last panic.
        message: String,
    },
    /// The actor that results were delivered to has stopped.
    #[error("the recipient of the results stopped before the pipeline did")]
    RecipientGone,
    /// The backend of a pipeline whose workers are in other processes refused something, or gave no sign for too long. The
    /// message names what is missing.
    #[error("the backend of the pipeline failed: {message}")]
    Remote {
        /// What has failed, and which batches are unanswered.
        message: String,
    },
}

/// The error that a [`Work`](crate::Work) returns when it ends an item early because
/// [`Job::is_stopped`](crate::Job::is_stopped) returned true. The item then counts as skipped, not as failed. Returned
/// for an item that was not stopped, it is an error like any other.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("cancelled because it was stopped")]
pub struct Stopped;

/// Why there is no result for an item.
///
/// It has the item's position in the source, from 0: [`index`](Self::index). Its size is one pointer, so that a
/// `Result<u64, ItemError>` stays small.
///
/// With the feature `serde` it is `Serialize`: `{"error":TEXT,"kind":KIND,"index":3,"causes":[TEXT]}`, where KIND is
/// `panicked`, `failed`, `source_failed` or `pipeline_ended`, and the causes are the texts of its
/// [`source`](Error::source)s. Causes and panic messages may hold internal details: do not send them to untrusted
/// clients.
pub struct ItemError(Box<Inner>);

struct Inner {
    index: u64,
    cause: Cause,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Errors of the work are dropped on actors' threads, where a panic in their `Drop` would end the actor.
        match mem::replace(&mut self.cause, Cause::Panicked(String::new())) {
            Cause::Failed(error) | Cause::Source(error) => discard(error),
            Cause::Panicked(_) | Cause::Lost(_) => {}
        }
    }
}

enum Cause {
    Panicked(String),
    Failed(BoxError),
    Source(BoxError),
    Lost(PipelineError),
}

impl ItemError {
    pub(crate) fn panicked(index: u64, message: String) -> Self {
        Self::new(index, Cause::Panicked(message))
    }

    pub(crate) fn failed(index: u64, error: BoxError) -> Self {
        Self::new(index, Cause::Failed(error))
    }

    pub(crate) fn source_failed(index: u64, error: BoxError) -> Self {
        Self::new(index, Cause::Source(error))
    }

    pub(crate) fn lost(index: u64, error: PipelineError) -> Self {
        Self::new(index, Cause::Lost(error))
    }

    fn new(index: u64, cause: Cause) -> Self {
        Self(Box::new(Inner { index, cause }))
    }

    /// The position of the item in the source, or in the order in which a pool admitted items, from 0. In a chain of
    /// stages it is the position in the source of the stage that failed.
    pub fn index(&self) -> u64 {
        self.0.index
    }

    /// The message of the panic, if the work panicked.
    pub fn panic_message(&self) -> Option<&str> {
        match &self.0.cause {
            Cause::Panicked(message) => Some(message),
            _ => None,
        }
    }

    /// The error that the work returned for this item, if it did.
    pub fn work_error(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        match &self.0.cause {
            Cause::Failed(error) => Some(&**error),
            _ => None,
        }
    }

    /// The error that the source yielded in place of this item, if it did.
    pub fn source_error(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        match &self.0.cause {
            Cause::Source(error) => Some(&**error),
            _ => None,
        }
    }

    /// The error that ended the whole pipeline, if that is why this item and all after it were not taken from the
    /// source.
    ///
    /// Such an `ItemError` is the last item of the stream. No item failed, so it is not counted in
    /// [`Stats::failed`](crate::Stats::failed). [`FanIn::finished`](crate::FanIn::finished) and
    /// [`StopHandle::finished`](crate::StopHandle::finished) return the same error, even if the consumer ignored this
    /// item.
    pub fn pipeline_error(&self) -> Option<&PipelineError> {
        match &self.0.cause {
            Cause::Lost(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for ItemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let index = self.0.index;
        match &self.0.cause {
            Cause::Panicked(message) => write!(f, "item {index} panicked: {message}"),
            Cause::Failed(_) => write!(f, "item {index} failed"),
            Cause::Source(_) => write!(f, "the source failed at item {index}"),
            Cause::Lost(_) => write!(f, "item {index} and all after it were not taken from the source"),
        }
    }
}

impl fmt::Debug for ItemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("ItemError");
        debug.field("index", &self.0.index);
        match &self.0.cause {
            Cause::Panicked(message) => debug.field("panicked", message),
            Cause::Failed(error) => debug.field("failed", error),
            Cause::Source(error) => debug.field("source_failed", error),
            Cause::Lost(error) => debug.field("lost", error),
        };
        debug.finish()
    }
}

impl Error for ItemError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0.cause {
            Cause::Panicked(_) => None,
            Cause::Failed(error) | Cause::Source(error) => Some(&**error),
            Cause::Lost(error) => Some(error),
        }
    }
}

/// The texts of an error and of its causes, the error's own first. They may come from the user's work and panic: then
/// the list ends with a note that has the panic's message.
#[cfg(feature = "serde")]
pub(crate) fn texts(error: &dyn Error) -> Vec<String> {
    let mut texts = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        next = match crate::util::panic::catch(|| (error.to_string(), error.source())) {
            Ok((text, cause)) => {
                texts.push(text);
                cause
            }
            Err(panic) => {
                texts.push(format!("an error whose text panicked: {panic}"));
                None
            }
        };
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_with_an_item_error_stays_small() {
        assert_eq!(size_of::<Result<u64, ItemError>>(), 16);
        assert_eq!(size_of::<Result<Box<u8>, ItemError>>(), 16);
    }

    #[test]
    fn each_level_of_an_error_is_printed_once() {
        let work = "x".parse::<u8>().unwrap_err();
        let failed = ItemError::failed(3, work.clone().into());
        assert_eq!(failed.to_string(), "item 3 failed");
        assert_eq!(failed.source().unwrap().to_string(), work.to_string());
        let panicked = ItemError::panicked(4, "no".into());
        assert_eq!((panicked.to_string().as_str(), panicked.source().is_none()), ("item 4 panicked: no", true));
        let lost = ItemError::lost(5, PipelineError::SystemStopped);
        assert_eq!(lost.to_string(), "item 5 and all after it were not taken from the source");
        assert_eq!(lost.source().unwrap().to_string(), "the actix System stopped before the pipeline did");
    }
}
