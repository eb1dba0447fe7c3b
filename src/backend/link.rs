//! The seam between a pipeline and what carries its batches to other processes.
//!
//! A backend implements two traits: [`CoordinatorLink`] for the process that has the source, [`NodeLink`] for those that
//! have the workers. It need not be reliable. It must keep a job until a node has settled it, and should give it to
//! another node when the first is gone; it should keep outcomes. What it loses, doubles, delays or reorders all the
//! same, the coordinator mends: see `README.md` in this folder.

use std::collections::HashSet;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use futures::Stream;

/// Why a call did not succeed; it may have had its effect all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LinkError(pub(crate) String);

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl LinkError {
    pub(crate) fn new(what: &str, error: impl fmt::Display) -> Self {
        Self(format!("{what}: {error}"))
    }
}

/// A batch whose outcomes are stored: the index of its first item, and how many it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) first: u64,
    pub(crate) items: u32,
}

/// The name of a job that is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Sending {
    /// The index of its first item.
    pub(crate) first: u64,
    pub(crate) items: u32,
    /// How often the batch was sent before.
    pub(crate) attempt: u32,
}

/// What came of a job that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// The backend has it.
    Kept,
    /// The backend has as many as it may keep, and takes it once nodes have settled others.
    Full(LinkError),
}

/// A coordinator's side of one run that was opened.
pub(crate) struct Opened<L: CoordinatorLink> {
    pub(crate) link: L,
    pub(crate) outcomes: L::Outcomes,
    /// What an earlier coordinator of the run has left.
    pub(crate) journal: Vec<Stored>,
}

/// What the coordinator of one run needs of a backend. Cheap to clone.
pub(crate) trait CoordinatorLink: Clone + 'static {
    type Message: AsRef<[u8]> + 'static;
    /// Outcomes as they come. Some may be lost, or come more than once. It ends if the coordinator has lost the run to
    /// another one, or the connection for good.
    type Outcomes: Stream<Item = Self::Message> + Unpin + 'static;

    /// The backend's clock.
    fn now(&self) -> Duration;

    fn sleep_until(&self, at: Duration) -> impl Future<Output = ()> + 'static;

    /// The longest message, in bytes.
    fn max_message(&self) -> usize;

    /// What the backend has said outside of the replies to calls, and no error has told yet: why it can't be reached, say.
    fn complaint(&self) -> Option<String> {
        None
    }

    /// Sends a job. Ready once the backend has answered. What was sent by this coordinator under the same name may be dropped
    /// as a duplicate, and nothing else.
    fn send(&self, name: Sending, job: Vec<u8>) -> impl Future<Output = Result<Sent, LinkError>> + 'static;

    /// The batches whose jobs no node has settled.
    fn jobs(&self) -> impl Future<Output = Result<HashSet<u64>, LinkError>> + 'static;

    /// The outcomes that are stored of the batch that begins at `first`.
    fn stored(&self, first: u64) -> impl Future<Output = Result<Option<Self::Message>, LinkError>> + 'static;

    /// Has nodes drop the jobs of the run, those that run as well.
    fn cancel(&self) -> impl Future<Output = Result<(), LinkError>> + 'static;

    /// All outcomes were delivered.
    fn complete(&self) -> impl Future<Output = Result<(), LinkError>> + 'static;
}

/// What a node needs of a backend. Cheap to clone.
pub(crate) trait NodeLink: Clone + 'static {
    type Delivery: Delivered;

    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + 'static;

    /// The longest message, in bytes.
    fn max_message(&self) -> usize;

    /// How soon a delivery that is not settled, and of which no progress was told, goes to another node.
    fn patience(&self) -> Duration;

    /// The next job for this slot of the node, as soon as there is one. `None` if there was none for a while.
    fn next(&self, slot: usize) -> impl Future<Output = Result<Option<Self::Delivery>, LinkError>>;

    /// Ready once the run of this delivery is cancelled.
    fn cancelled(&self, delivery: &Self::Delivery) -> impl Future<Output = ()> + 'static;

    /// The node still has it.
    fn progress(&self, delivery: &Self::Delivery) -> impl Future<Output = Result<(), LinkError>>;

    /// Sends outcomes. Ready once the backend keeps them.
    fn answer(&self, delivery: &Self::Delivery, outcomes: Vec<u8>) -> impl Future<Output = Result<(), LinkError>>;

    /// Tells the coordinator of a job something beside its outcomes. It may be lost, and need not be kept.
    fn tell(&self, delivery: &Self::Delivery, message: Vec<u8>) -> impl Future<Output = ()>;

    /// The node ends: tells the coordinators that it has answered of late. It may be lost, and need not be kept.
    fn farewell(&self, message: Vec<u8>) -> impl Future<Output = ()>;

    /// The delivery is not needed any more.
    fn settle(&self, delivery: &Self::Delivery, how: Settled) -> impl Future<Output = Result<(), LinkError>>;

    /// No more jobs are asked for. Ready once those that come all the same are given back, and the backend knows all.
    fn close(&self) -> impl Future<Output = ()>;
}

/// How a node is rid of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    /// Its outcomes are stored.
    Answered,
    /// No node is to run it: its run is cancelled, or it is no job.
    Dropped,
    /// Another node is to run it.
    GivenBack,
}

/// A job as a backend delivers it.
pub(crate) trait Delivered: 'static {
    /// What is to be run, as in `primes/1`.
    fn kind(&self) -> &str;

    fn payload(&self) -> &[u8];

    /// How often it was delivered, this time included: from 1.
    fn deliveries(&self) -> u64;
}
