//! What the suites have in common.

mod balance;
mod count;
#[allow(unreachable_pub, reason = "it is the one of the test kit")]
#[path = "../../src/testing/gate.rs"]
mod gate;
mod run;

pub(crate) use balance::{assert_balanced, assert_settled};
pub(crate) use count::Count;
pub(crate) use gate::Gate;
pub(crate) use run::{run, settle};
