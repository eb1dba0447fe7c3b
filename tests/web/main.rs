//! The promises of `actix_fan::web`, over real connections to a real server.

mod client;
mod compressed;
mod disconnect;
mod ending;
mod heartbeat;
mod http2;
mod log;
mod refuse;
mod resume;
mod server;
mod share;
#[cfg(unix)]
mod shutdown;
mod slow;
mod stall;
mod stream;
mod streams;
#[path = "../support/mod.rs"]
#[allow(unused, reason = "other suites use the rest")]
mod support;
