//! The promises of a pool, as those who submit to it see them. The line in front of it is tested beside its code.

mod accounting;
mod api;
mod cancel;
mod channel;
mod drops;
mod failures;
mod lifecycle;
mod own;
mod share;
mod sizes;
mod start;
mod submit;
mod submitters;
#[path = "../support/mod.rs"]
#[allow(unused, reason = "other suites use the rest")]
mod support;
mod system;
mod wakers;
mod worked;
