//! What observers see, as applications that have some rely on it.

mod counting;
mod events;
mod faulty;
#[cfg(feature = "metrics")]
mod instruments;
#[cfg(feature = "tracing")]
mod spans;
#[path = "../support/mod.rs"]
#[allow(unused, reason = "other suites use the rest")]
mod support;
