//! What the suites have in common.

mod balance;
mod count;
mod gate;
mod run;

pub(crate) use balance::{assert_balanced, assert_settled};
pub(crate) use count::Count;
pub(crate) use gate::Gate;
pub(crate) use run::{run, settle};
