//! The promises of a pool, as its callers see them. The admission queue alone is tested beside its code.

mod accounting;
mod api;
mod cancellation;
mod channel;
mod failures;
mod gated_pool;
mod held_answers;
mod lifecycle;
mod live_settings;
mod panicking_drops;
mod percentiles;
mod reentrancy;
mod run;
mod shared_pool;
mod shared_workers;
mod sizes;
mod start;
mod submit;
mod submitters;
#[path = "../support/mod.rs"]
#[allow(unused, reason = "other suites use the rest")]
mod support;
mod system;
mod wakers;
