//! NATS JetStream as a backend: `../README.md` has the protocol.

mod cancelled;
mod complaint;
mod connection;
mod coordinator_link;
mod doctor;
mod link;
mod names;
mod node_link;
mod pull;
mod streams;

pub(crate) mod node;

pub use connection::{ConnectError, Nats, NatsBuilder};
pub use doctor::{Check, Health, doctor};
