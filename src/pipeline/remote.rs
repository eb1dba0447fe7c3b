//! A pipeline whose workers are on other machines.

use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::backend::coordinator::{Coordinator, Sink};
use crate::backend::jetstream::Nats;
use crate::backend::kinds::Kind;
use crate::backend::remote_queue::{StopSignal, remote_queue};
use crate::engine::host::Host;
use crate::engine::run::WorkerGuard;
use crate::error::{ItemError, StartError};
use crate::observe::RunKind;
use crate::pipeline::assembly::{Assembly, item_bytes};
use crate::pipeline::fan_in::FanIn;
use crate::pipeline::fan_out::{Aggregation, FanOut, mailbox, start_actors};
use crate::pipeline::intake::Serves;
use crate::pipeline::system_watch::watch;
use crate::pipeline::upstream::runs_of;
use crate::util::buffer_pool::BufferPool;
use crate::util::log;
use crate::util::panic::Guarded;
use crate::util::time_slice::TIME_SLICE;

/// The memory of the items in flight by default, in bytes, and the most of them.
const WINDOW_BYTES: usize = 64 << 20;
const WINDOW_MAX: usize = 1 << 20;

/// How many batches are with the nodes by default.
const SLOTS: usize = 64;

/// How long a batch should run by default.
const BATCH_TIME: Duration = Duration::from_millis(20);

/// A source that is about to be fanned out over nodes on other machines: made by [`FanOut::over`].
///
/// Its results, order, stop, statistics and errors are those of a pipeline over threads, and so are the settings of
/// [`FanOut`] made before: the [window](FanOut::window), [`ordered`](FanOut::ordered), [`batch`](FanOut::batch),
/// [`name`](FanOut::name), [`observe`](FanOut::observe) and [`detached`](FanOut::detached). Those about threads have no
/// effect. The default window is larger: as many items as fit into 64 MiB, at most 1,048,576. A batch holds about 20 ms of
/// work, as measured on the nodes.
///
/// # What is promised
///
/// Each item yields its results once, or one failure, whatever nodes, server and network do: or the pipeline ends with
/// [`PipelineError::Remote`](crate::PipelineError::Remote), which names what is missing. An item may *run* more than once,
/// if a node or the server was lost: work that has effects of its own must bear that.
#[derive(Debug)]
#[must_use = "it starts when `run` is called"]
pub struct Remote<S> {
    fan_out: FanOut<S>,
    nats: Nats,
    slots: usize,
    batch_time: Duration,
    run_id: Option<String>,
}

impl<S> FanOut<S> {
    /// Has nodes on other machines do the work: see [`Remote`], and [`Node`](crate::remote::Node) for their side.
    pub fn over(self, nats: &Nats) -> Remote<S> {
        Remote { fan_out: self, nats: nats.clone(), slots: SLOTS, batch_time: BATCH_TIME, run_id: None }
    }
}

impl<S> Remote<S> {
    /// How many batches are with the nodes at a time, queued or running: 64 by default. At least as many as all nodes have
    /// [slots](crate::remote::NodeBuilder::slots), so that none of them waits for work; more have a new node find work at
    /// once, and a drain take longer.
    pub fn slots(mut self, slots: usize) -> Self {
        self.slots = slots;
        self
    }

    /// How long a batch should run on a thread of a node, as measured there: 20 ms by default, more than 0. Unless
    /// [`batch`](FanOut::batch) sets the number of its items.
    ///
    /// A batch costs the server and the coordinator some 50 us each. So the more threads all nodes have, the longer batches
    /// should be: about a millisecond for every ten threads. A batch never has more than 256 KiB of items, or of results, nor
    /// more than its share of the [window](FanOut::window), which is the window divided by the slots.
    pub fn batch_time(mut self, time: Duration) -> Self {
        self.batch_time = time;
        self
    }

    /// Names the run, so that it can be resumed: 1 to 64 of `A-Z`, `a-z`, `0-9`, `-` and `_`.
    ///
    /// What has come of it is kept on the server for 24 hours. A run that is started under the same name, over the same
    /// source, takes over what is there, and sends to the nodes only what is not; a coordinator that still has the run ends
    /// with an error. Its results begin from the first item again. A run without a name leaves nothing on the server.
    pub fn run_id(mut self, id: impl Into<String>) -> Self {
        self.run_id = Some(id.into());
        self
    }
}

impl<S, I> Remote<S>
where
    S: Stream<Item = Result<I, ItemError>> + Unpin + 'static,
    I: Serialize + Send + 'static,
{
    /// Starts the pipeline: nodes do with each item what they have registered under `kind`, as in `primes/1`, and send
    /// results of the type `O`. It is the application's duty that these types are those of the work on the nodes; where
    /// they differ, items fail with an error that says so, or have results that mean something else.
    ///
    /// # Errors
    ///
    /// A [`StartError`], as for any pipeline. What the server refuses ends the pipeline with
    /// [`PipelineError::Remote`](crate::PipelineError::Remote).
    pub fn run<O>(self, kind: &str) -> Result<FanIn<O>, StartError>
    where
        O: DeserializeOwned + Send + 'static,
    {
        let Self { fan_out: FanOut { source, mut settings, ordered, detach, .. }, nats, slots, batch_time, run_id } =
            self;
        let upstream = runs_of(&source);
        // On an early return it is dropped here, and a second panic during the unwinding of the first would end the
        // process.
        let source = Guarded::new(source);
        let Some(kind) = Kind::parse(kind) else { return Err(StartError::Kind(kind.to_owned())) };
        let opening = nats.opening(kind, run_id)?;
        let bytes = item_bytes::<I, O>();
        settings.window.get_or_insert((WINDOW_BYTES / bytes.max(1)).clamp(slots.max(16), WINDOW_MAX));
        if slots == 0 {
            return Err(StartError::Concurrency);
        }
        if batch_time.is_zero() {
            return Err(StartError::BatchTime);
        }
        settings.concurrency = None;
        let mut checked = settings.check(bytes, Some(slots))?;
        checked.remote = Some(batch_time);
        let host = if detach.is_some() { Host::detached()? } else { Host::of_actors()? };
        checked.observe(RunKind::Pipeline, settings.observers, None);
        let trace = checked.observed.as_ref().and_then(|observed| observed.inject());
        let (assembly, aggregator) = Assembly::<I, O>::new(&checked, ordered, Some(&host), upstream, TIME_SLICE);
        let run = assembly.run.clone();
        let (address, mailbox) = mailbox();
        let (queue, batches) = remote_queue();
        let stop = Arc::new(StopSignal::default());
        let serves: Arc<dyn Serves> = stop.clone();
        let coordinator = Coordinator {
            batches,
            outcomes: Sink { aggregator: address.clone().recipient(), buffers: Arc::new(BufferPool::new(slots)) },
            patience: nats.patience(),
            stop,
            trace,
            guard: WorkerGuard::of_run(&run),
        };
        nats.serve(coordinator, opening);
        assembly.intake.is_served_by(None, Arc::downgrade(&serves));
        watch(&run, &host);
        log::info!("fan-out over nodes started: {slots} batches at a time, a window of {} items", checked.window);
        Ok(start_actors(assembly, source.into_inner(), detach, queue, Aggregation { aggregator, address, mailbox }))
    }
}
