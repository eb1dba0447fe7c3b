//! What can go wrong: a pipeline that can't start, an item that failed, a pipeline that is gone.

use std::error::Error;
use std::fmt;
use std::mem;

use thiserror::Error;

use crate::limits::{MAX_STACK, MAX_WORKERS, MIN_STACK};
use crate::util::panic::discard;

/// Any error of a user's work.
pub type BoxError = Box<dyn Error + Send + Sync + 'static>;

/// Why a pipeline or a pool did not start. Nothing was taken from the source.
///
/// With the feature `serde` it is `Serialize`: `{"error":TEXT,"kind":KIND,"causes":[TEXT]}`, where KIND is the variant's name in
/// snake case, as `no_system`, and the causes are the texts of its [`source`](Error::source)s.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// The number of workers, as in [`FanOut::workers`](crate::FanOut::workers), was 0 or more than [`MAX_WORKERS`](crate::MAX_WORKERS).
    #[error("workers is {0}: a pool needs at least 1 worker and at most {max}", max = MAX_WORKERS)]
    Workers(usize),
    /// The window, as in [`FanOut::window`](crate::FanOut::window), was 0.
    #[error("window is 0: at least 1 item must be allowed in flight")]
    Window,
    /// [`FanOut::batch`](crate::FanOut::batch) was 0 or larger than the window.
    #[error("batch is {batch}: it must be at least 1 and at most the window, which is {window}")]
    Batch {
        /// The batch size asked for.
        batch: usize,
        /// The window asked for, or the default.
        window: usize,
    },
    /// The stack size, as in [`FanOut::stack_size`](crate::FanOut::stack_size), was out of its range.
    #[error("stack_size is {0} bytes: a worker's stack has at least {min} bytes and at most {max}", min = MIN_STACK, max = MAX_STACK)]
    StackSize(usize),
    /// The name for the threads holds a NUL byte.
    #[error("thread_name {0:?} holds a NUL byte")]
    ThreadName(String),
    /// This thread is no actix arbiter, or its event loop doesn't run.
    #[error(
        "no actix System runs on this thread: start inside `System::block_on`, `#[actix::main]`, `#[actix_web::main]` or an \
         actor; under tokio, as in `#[tokio::main]`, give a System a thread of its own and start there with \
         `system.arbiter().spawn_fn`: the documentation of actix_fan, \"Where it may be started\", has the lines"
    )]
    NoSystem,
    /// The System of this thread was stopped.
    #[error("the actix System of this thread was stopped")]
    SystemStopped,
    /// The operating system refused a thread for the pool. There must be room for one thread more than there are workers.
    #[error("could not start worker thread {worker} of {workers}")]
    Thread {
        /// The worker whose thread was refused, from 0.
        worker: usize,
        /// How many workers the pool was to have.
        workers: usize,
        /// The operating system's answer.
        #[source]
        source: std::io::Error,
    },
}

/// Why a pipeline or a pool ended without being asked to: a pipeline before its source did, a pool before it was closed.
///
/// With the feature `serde` it is `Serialize`: `{"error":TEXT,"kind":KIND,"causes":[TEXT]}`, where KIND is the variant's name in
/// snake case, as `source_panicked`, and the causes are the texts of its [`source`](Error::source)s.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum PipelineError {
    /// The actix System, or the arbiter that the pipeline was started on, stopped first.
    #[error("the actix System stopped before the pipeline did")]
    SystemStopped,
    /// It has not ended: one of its own workers was to wait for its end, and would have waited for itself.
    #[error(
        "awaited by one of its own workers, which would wait for itself: close or stop it there, and wait elsewhere"
    )]
    OwnWorker,
    /// An actor, or what stands behind it, ended too early though the System and the arbiter go on: it panicked, and the
    /// panic hook has said where.
    #[error("{actor} ended before the pipeline did, though the actix System goes on: it panicked")]
    ActorLost {
        /// What was lost: `the generator`, `the aggregator`, `the worker pool` or `the keeper of the pool`.
        actor: &'static str,
    },
    /// The operating system refused a worker's thread after there had been room for it when the pipeline or the pool was
    /// started. Where there is no room from the beginning, that is a [`StartError::Thread`].
    #[error("worker thread {worker} of {workers} could not be started: {message}")]
    WorkerThread {
        /// The worker whose thread was refused, from 0.
        worker: usize,
        /// How many workers there were to be.
        workers: usize,
        /// Why it was refused.
        message: String,
    },
    /// The source panicked. What it gave before was worked on.
    #[error("the source panicked: {message}")]
    SourcePanicked {
        /// The message of the panic.
        message: String,
    },
    /// The factory panicked again and again when a worker's `Work` was to be built.
    #[error("the worker factory panicked {attempts} times in a row, at last with: {message}")]
    WorkerFactory {
        /// How often it was tried.
        attempts: u32,
        /// The message of the last panic.
        message: String,
    },
    /// The actor that results were delivered to is gone.
    #[error("the recipient of the results stopped before the pipeline did")]
    RecipientGone,
}

/// What a [`Work`](crate::Work) returns for an item that it gave up because [`Job::is_stopped`](crate::Job::is_stopped)
/// turned true: the item ends as skipped, without a failure. From an item that was not stopped it is an error like any
/// other.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("given up because it was stopped")]
pub struct Stopped;

/// Why there is no result for an item.
///
/// The error names the item's place in the source, from 0: [`index`](Self::index). It is one pointer wide, so that a
/// `Result<u64, ItemError>` stays small.
///
/// With the feature `serde` it is `Serialize`: `{"error":TEXT,"kind":KIND,"index":3,"causes":[TEXT]}`, where KIND is
/// `panicked`, `failed`, `source_failed` or `pipeline_ended`, and the causes are the texts of its [`source`](Error::source)s.
/// These and the messages of panics may say more than a stranger should know.
pub struct ItemError(Box<Inner>);

struct Inner {
    index: u64,
    cause: Cause,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Failures are dropped where a panic would take an actor with it.
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

    /// The place of the item in the source, or in the order in which a pool took items in, from 0. In a chain of stages it is the source of the stage that failed.
    pub fn index(&self) -> u64 {
        self.0.index
    }

    /// The message of the panic, when the work panicked.
    pub fn panic_message(&self) -> Option<&str> {
        match &self.0.cause {
            Cause::Panicked(message) => Some(message),
            _ => None,
        }
    }

    /// The error that the work returned for this item.
    pub fn work_error(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        match &self.0.cause {
            Cause::Failed(error) => Some(&**error),
            _ => None,
        }
    }

    /// The error that stood in the source in this item's place.
    pub fn source_error(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        match &self.0.cause {
            Cause::Source(error) => Some(&**error),
            _ => None,
        }
    }

    /// The end of the whole pipeline, when that is why this item and all after it were never taken from the source: the
    /// stream's last item then, which stands for no item that failed and is in no count of them.
    /// [`FanIn::finished`](crate::FanIn::finished) and [`StopHandle::finished`](crate::StopHandle::finished) return it
    /// even when this item was passed over.
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

/// The texts of an error and of its causes, the error's own first. They may be the work's, and may panic: such a one is the
/// last.
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
