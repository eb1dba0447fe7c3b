//! What the suites have in common.

mod alone;
mod balance;
mod census;
mod count;
#[allow(unreachable_pub, reason = "it is the one of the test kit")]
#[path = "../../src/testing/gate.rs"]
mod gate;
mod panic;
mod run;
mod waker;

pub(crate) use alone::{alone, alone_by, with_large_stacks};
pub(crate) use balance::{assert_balanced, assert_settled};
pub(crate) use census::{Census, Citizen};
pub(crate) use count::Count;
pub(crate) use gate::Gate;
pub(crate) use panic::{Bomb, panic_with_a_bomb, quiet_panic};
pub(crate) use run::{run, settle};
pub(crate) use waker::panicking_waker;
