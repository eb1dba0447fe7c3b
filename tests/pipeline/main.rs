//! The promises of the pipeline, kept by the actors as a user sees them. The protocol alone is tested beside its code.

mod accounting;
mod actors;
mod api;
mod bounded;
mod chain;
mod counted;
mod cut;
mod end;
mod merge;
mod order;
mod panics;
mod settings;
mod sources;
mod stop;
#[path = "../support/mod.rs"]
mod support;
mod turns;
