//! What the suites share.

mod accounting;
mod count;
mod drop_counter;
#[allow(unreachable_pub, reason = "it is the one of the test kit")]
#[path = "../../src/testing/gate.rs"]
mod gate;
mod own_process;
mod panic;
mod run;
mod tracked_work;
mod waker;

pub(crate) use accounting::{assert_balanced, assert_settled};
pub(crate) use count::Count;
pub(crate) use drop_counter::{DropCounter, Tracked};
pub(crate) use gate::Gate;
pub(crate) use own_process::{in_own_process, in_own_process_by, with_large_stacks};
pub(crate) use panic::{Bomb, FAILING, ITEMS, PanicsWithBombs, TrackedBomb, panic_with_a_bomb, quiet_panic};
pub(crate) use run::{run, settle};
pub(crate) use tracked_work::TrackedWork;
pub(crate) use waker::panicking_waker;
