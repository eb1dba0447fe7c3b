//! The promises of a pipeline, as a user sees them. The protocol alone is tested beside its code.

mod accounting;
mod actors;
mod api;
mod batch_splitting;
mod bounded;
mod chain;
mod consumers;
mod counting_source;
mod current_items;
mod detached;
mod end_reason;
mod faulty_sources;
mod finished;
mod isolation;
mod lazy_iterators;
mod live_settings;
mod many_results;
mod merge;
mod order;
mod panicking_drops;
mod panics;
mod percentiles;
mod phases;
mod settings;
mod sharing;
mod sizes;
mod sources;
mod stop;
#[path = "../support/mod.rs"]
#[allow(unused, reason = "other suites use the rest")]
mod support;
mod system;
mod time_slices;
mod unread_results;
mod verdict;
mod wakers;
mod workers;
