//! Tests of the example `page`: the page in headless Chromium, and the server.
//!
//! Chromium and ChromeDriver are those that the environment's `CHROMIUM` and `CHROMEDRIVER` name, which must be there,
//! or else those on the `PATH`. Where there are none, the tests skip and say so. So does the test with the rules of
//! axe-core where the environment's `AXE` does not name its `axe.min.js`.
#![cfg(unix)]

mod accessible;
mod arguments;
mod axe;
mod browser;
mod checking;
mod chromedriver;
mod failures;
mod http;
mod live_settings;
#[cfg(feature = "nats")]
#[path = "../support/nats.rs"]
mod nats;
mod nodes;
mod observed;
mod open_searches;
mod patience;
mod phone;
mod requests;
mod scripted;
mod search;
mod server;
mod settings;
mod signals;
mod states;
mod strict;
mod summary;
mod tabs;
mod trends;
