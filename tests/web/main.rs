//! The promises of `actix_fan::web`, over real connections to a real server.

mod client;
mod compression;
mod disconnect;
mod endless_pool;
mod formats;
mod heartbeat;
mod http2;
mod last_line;
mod logging;
mod permits;
mod reconnect;
mod refusals;
mod run;
mod server;
mod shared_pool;
#[cfg(unix)]
mod shutdown;
mod slow_client;
mod stalled_client;
#[path = "../support/mod.rs"]
#[allow(unused, reason = "other suites use the rest")]
mod support;
