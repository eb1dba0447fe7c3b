//! Tests that need a process of their own: threads and memory after thousands of pipelines, refused threads, stacks,
//! loggers.

#![cfg(target_os = "linux")]

mod churn;
mod loggers;
mod refused;
mod stack;
mod status;
#[path = "../support/mod.rs"]
#[allow(unused, reason = "other suites use the rest")]
mod support;
