//! Servers, nodes and coordinators as processes, a network between them, and runs.

mod disk;
mod lines;
mod log;
mod peer;
mod proxy;
mod runs;
mod server;

pub(crate) use disk::Disk;
pub(crate) use lines::Lines;
pub(crate) use log::print_log;
pub(crate) use peer::{Peer, signal};
pub(crate) use proxy::Proxy;
pub(crate) use runs::{Run, assert_exact, builder, expected, kind, names_the_batch_of, start};
pub(crate) use server::{Server, free_port, on_each_server, on_one_server};
