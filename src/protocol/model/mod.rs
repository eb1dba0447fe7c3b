//! The protocol of a pipeline as a model, explored through every order of steps at small sizes.
//!
//! The decisions are those of the real [`Protocol`]. Around it, the model has what the actors do with them, in steps as
//! small as those between which threads can be interrupted: a waker is registered, the state is read, an item is
//! pulled, the phase is read, a wake-up is on its way. A step that no other actor can see is taken together with the
//! one before it, or there would be too many orders. The flaws of [`Flaw`] were made, or nearly made, in the real
//! code; the model must find each of them.

mod actors;
mod check;
mod lazy;
mod set;
mod state;

use std::fmt::Debug;
use std::hash::Hash;

use stateright::{Checker, HasDiscoveries, Model};

/// The sizes of a model, and what may happen in it.
#[derive(Clone, Debug)]
struct Pipeline {
    workers: usize,
    window: usize,
    batch: usize,
    /// Items that the source has.
    items: u64,
    /// True if the source never yields again after these, instead of ending.
    hangs: bool,
    ordered: bool,
    /// True if any item may panic.
    panics: bool,
    /// How many items a worker claims at a time.
    portion: usize,
    /// True if any batch may be split once one of its items has run.
    cuts: bool,
    /// True if an idle worker takes half of what another one has not claimed.
    shares: bool,
    /// True if results may leave while the next item of their batch runs.
    delivers: bool,
    /// True if each item has two results, which an iterator gives: the first leaves before the item goes on.
    lazy: bool,
    /// True if the application may stop it only: it neither drains it nor drops the stream.
    stops_only: bool,
    /// True if the workers' queue may vanish, as at the end of the System.
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
    /// Permits that are released don't wake the generator.
    CreditWithoutWake,
    /// An item begins before the worker reads the flag.
    FlagReadAfterBegin,
    /// The generator ends the stream when no batch is queued, even if one is running.
    LastBatchLost,
    /// The generator registers its waker only after it has read the state and must wait.
    RegisteredAfterLook,
    /// Permits are released when a batch has run, before the consumer took the results.
    CreditBeforeTaken,
    /// Outcomes that arrive out of order are passed on in that order.
    OrderOfFinish,
    /// The source is asked for all items of the demand, even if a stop comes in between.
    SourceAskedAfterStop,
    /// The part that a worker gives back isn't counted as a batch.
    PartNotCounted,
    /// Nor is the part that another worker takes.
    SharedPartNotCounted,
    /// Nor are the items that leave early.
    EarlyPartNotCounted,
    /// The items that another worker takes also stay with the one that has them.
    SharedItemsStay,
    /// The results that leave early also stay, and are sent with the rest of their batch.
    EarlyResultsStay,
    /// A batch is parked without a second look if its results were taken in between.
    ParkedWithoutLook,
    /// A stop finds no batch that is parked.
    ParkedForgotten,
}

/// A model of which every state is explored.
trait Explore
where
    Self: Model<State: Clone + Debug + Hash + PartialEq + Send + Sync, Action: Clone + Debug + PartialEq>,
    Self: Debug + Send + Sync + 'static,
{
    /// No state may break a promise.
    fn explore(self) {
        let told = format!("{self:?}");
        let checker = self.checker().spawn_bfs().join();
        eprintln!("{} states: {told}", checker.unique_state_count());
        assert!(checker.unique_state_count() > 1_000, "{told}");
        checker.assert_properties();
    }

    /// Returns true if a state breaks the promise.
    fn breaks(self, promise: &'static str) -> bool {
        let found = HasDiscoveries::AnyOf([promise].into());
        self.checker().finish_when(found).spawn_bfs().join().discovery(promise).is_some()
    }
}
