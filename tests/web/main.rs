//! The promises of `actix_fan::web`, over real connections to a real server.

mod client;
mod compressed;
mod disconnect;
mod heartbeat;
mod refuse;
mod server;
mod share;
mod slow;
mod stream;
#[path = "../support/mod.rs"]
#[allow(unused, reason = "other suites use the rest")]
mod support;
