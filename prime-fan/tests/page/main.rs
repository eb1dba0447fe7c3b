//! Tests of the example `page`: the page in headless Chromium, and the server.
//!
//! Chromium and ChromeDriver are those that the environment's `CHROMIUM` and `CHROMEDRIVER` name, which must be there,
//! or else those on the `PATH`. Where there are none, the tests skip and say so.
#![cfg(unix)]

mod accessible;
mod arguments;
mod browser;
mod checking;
mod chromedriver;
mod http;
mod patience;
mod phone;
mod requests;
mod scripted;
mod search;
mod server;
mod signals;
mod states;
mod strict;
mod tabs;
