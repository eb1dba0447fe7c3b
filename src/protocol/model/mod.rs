//! The protocol of a pipeline as a model, explored through every order of steps at small sizes.
//!
//! The decisions are those of the real [`Protocol`]; around it, the model has what the actors do with them, in steps as
//! small as those between which threads can be interrupted: a waker is registered, state is looked at, an item is pulled,
//! the phase is read, a wake-up is on its way. The flaws of [`Flaw`] are such as were made or nearly made; each of them
//! must be found.

mod actors;
mod check;
mod state;

/// The sizes and the freedoms of a model.
#[derive(Clone, Debug)]
struct Pipeline {
    workers: usize,
    window: usize,
    batch: usize,
    /// Items that the source has.
    items: u64,
    /// After them it never yields again, instead of ending.
    hangs: bool,
    ordered: bool,
    /// Any item may panic.
    panics: bool,
    /// Any batch may be cut once one of its items has run.
    cuts: bool,
    /// The pool's queue may vanish, as with its System.
    vanishes: bool,
    flaw: Option<Flaw>,
}

/// What may be wrong with an implementation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    /// A panic takes the batch's permit with it.
    CreditLostOnPanic,
    /// A stop doesn't wake the generator.
    StopWithoutWake,
    /// Credit that returns doesn't wake the generator.
    CreditWithoutWake,
    /// An item begins, and then it is asked whether it may.
    FlagReadAfterBegin,
    /// The generator ends the stream when nothing is queued, whatever is running.
    LastBatchLost,
    /// The generator looks, and registers its waker when it has seen that it must wait.
    RegisteredAfterLook,
    /// Credit returns when a batch has run, whether it was taken or not.
    CreditBeforeTaken,
    /// What comes out of order is passed on as it comes.
    OrderOfFinish,
    /// The source is asked for all that was demanded, whatever happens meanwhile.
    SourceAskedAfterStop,
    /// A part that was cut off isn't counted as a batch.
    PartNotCounted,
}
