//! Worker threads that several runs share, as a model, explored through every order of steps at small sizes.
//!
//! Which run a thread serves is decided by the real [`FairQueue`], what a run hands out by the real [`Protocol`], and
//! what becomes of items by the real [`BatchLife`]. The model has what the threads of `../../../workers/set.rs` do around
//! them, in the steps between which other threads can come: each hold of a lock is one step.
//!
//! The generator, the aggregator and the consumer of a run are those of the model beside this one, and are coarse here:
//! what a thread has run is delivered at once.
//!
//! [`FairQueue`]: crate::protocol::FairQueue
//! [`Protocol`]: crate::protocol::Protocol
//! [`BatchLife`]: crate::protocol::BatchLife

mod check;
mod state;
mod steps;

/// The sizes of a model, and what may happen in it.
#[derive(Clone, Debug)]
struct SharedSet {
    threads: usize,
    runs: Vec<Size>,
    /// True if a thread may give the rest of its batch back when another run should be served.
    yields: bool,
    /// True if the last handle of the set may be dropped at any time, instead of right after the last run has joined.
    stays_open: bool,
    flaw: Option<Flaw>,
}

/// One run.
#[derive(Clone, Copy, Debug)]
struct Size {
    items: u64,
    batch: usize,
    /// True if each thread keeps a work of its own for it.
    keeps: bool,
    /// True if each thread builds that work before there are items.
    prepares: bool,
    /// True if it may be stopped.
    stops: bool,
    /// True if it joins when the run before it has ended, instead of before all other steps.
    joins_late: bool,
}

/// What may be wrong with an implementation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    /// The works of a run are dropped by whichever thread comes first, when it retires.
    WorksDroppedByOneThread,
    /// A run retires when the first thread has left it.
    RetiredByTheFirstThread,
    /// A thread that builds its work after the run has left keeps it.
    KeptAfterItLeft,
    /// A thread counts itself as idle only before it sleeps, after it has looked for a batch to share.
    IdleCountedLate,
    /// The set is told of a batch before it is queued.
    ToldBeforeQueued,
}
