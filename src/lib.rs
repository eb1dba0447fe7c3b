//! Fan-out and fan-in of CPU-bound work over actix actors.

mod aggregator;
mod batch;
mod blocking;
mod closures;
mod control;
mod error;
mod fan_in;
mod fan_out;
mod generator;
mod merge;
mod protocol;
mod slice;
mod source;
mod stats;
mod stop;
mod unwind;
mod work;
mod worker;

pub use aggregator::Aggregator;
pub use batch::{Batch, Chunk, Outcomes};
pub use blocking::{Blocking, blocking};
pub use error::{BoxError, ItemError, PipelineError, StartError};
pub use fan_in::FanIn;
pub use fan_out::{FanOut, MAX_WORKERS};
pub use generator::Generator;
pub use merge::{Merged, fan_in};
pub use source::{FanOutExt, Iterated, IteratorSource, Source, StreamSource, Streamed, TrySource};
pub use stats::{Snapshot, Stats, WorkerStats};
pub use stop::{Stop, StopHandle};
pub use work::{Job, Work, WorkFn, work_fn};
pub use worker::Worker;
