//! Pipelines over real NATS servers, with nodes and coordinators in processes of their own, and what can go wrong with all
//! of them. Whatever happens, the results are exact, or an error names what is missing.
//!
//! `NATS_SERVER` names the servers to test with, separated by colons: the first one for the whole suite, and the others for
//! what `on_each_server` runs. By default it is the `nats-server` that is on `PATH` or in `/usr/sbin`. Where there is none,
//! the tests say so and pass.

#![cfg(target_os = "linux")]

mod cluster;
mod coordinators;
mod credentials;
mod disk;
mod hostile;
mod network;
mod nodes;
mod refusals;
mod servers;
mod setup;
#[path = "../support/mod.rs"]
#[allow(unused, reason = "other suites use the rest")]
mod support;
#[cfg(feature = "tracing")]
mod traces;
mod two_runs;
