//! Applications that own pipelines and pools: they can start them again, and end in order and without a message, in
//! every phase. And the examples that are run as processes.

#[cfg(unix)]
mod example;
mod restart;
mod runtimes;
#[path = "../support/mod.rs"]
#[allow(unused, reason = "other suites use the rest")]
mod support;
mod system;
#[cfg(all(unix, feature = "web", feature = "tracing"))]
mod telemetry;
mod threads;
