//! What an application that owns pipelines and pools is promised: it can start them anew, and end in whatever phase
//! they are, in order and without a word.

#[cfg(unix)]
mod example;
mod restart;
mod runtimes;
#[path = "../support/mod.rs"]
#[allow(unused, reason = "other suites use the rest")]
mod support;
mod system;
mod threads;
