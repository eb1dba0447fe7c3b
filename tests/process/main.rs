//! What shows only in a process of its own: threads and memory after thousands of pipelines, and threads refused.

#![cfg(target_os = "linux")]

mod churn;
mod loggers;
mod refused;
mod stack;
mod status;
#[path = "../support/mod.rs"]
#[allow(unused, reason = "other suites use the rest")]
mod support;
