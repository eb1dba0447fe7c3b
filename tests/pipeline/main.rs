//! The promises of the pipeline, kept by the actors as a user sees them. The protocol alone is tested beside its code.

mod accounting;
mod actors;
mod api;
mod bounded;
mod chain;
mod consumers;
mod counted;
mod cut;
mod dropped;
mod drops;
mod end;
mod endings;
mod faulty_sources;
mod many_results;
mod merge;
mod neighbours;
mod order;
mod panics;
mod phases;
mod settings;
mod sizes;
mod sources;
mod stop;
#[path = "../support/mod.rs"]
#[allow(unused, reason = "other suites use the rest")]
mod support;
mod turns;
mod wakers;
