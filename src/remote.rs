//! Workers on other machines, with the feature `nats`.
//!
//! When one machine is not enough, `.over(&nats)` has the same pipeline done by [nodes](Node) elsewhere. The batches travel
//! through a NATS server with JetStream, which is one small program.
//!
//! ```no_run
//! use actix_fan::FanOutExt;
//! use actix_fan::remote::Nats;
//! use futures::StreamExt;
//!
//! # actix::System::new().block_on(async {
//! let nats = Nats::connect("nats://127.0.0.1:4222").await?;
//! let numbers = (0..1_000_000u64).fan_out().ordered();
//! let mut primes = numbers.over(&nats).run::<u64>("primes/1")?;
//! while let Some(prime) = primes.next().await {
//!     println!("{}", prime?);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! and, on each of the other machines:
//!
//! ```no_run
//! use actix_fan::remote::{Nats, Node};
//!
//! # fn is_prime(n: u64) -> bool { n == 2 }
//! # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
//! let nats = Nats::connect("nats://the-server:4222").await?;
//! let node = Node::builder();
//! let node = node.filter_map("primes/1", |n: u64| is_prime(n).then_some(n));
//! node.start(&nats).await?.finished().await;
//! # Ok(())
//! # }
//! ```
//!
//! The results are a [`FanIn`](crate::FanIn) as ever: the same order, [stop](crate::StopHandle), [statistics](crate::Stats),
//! errors and [observers](crate::observe), which can take a trace along to the nodes. Items are `serde::Serialize`, results
//! `Deserialize`.
//!
//! [`Remote`] says what is promised when nodes, servers or networks fail.

pub use crate::backend::jetstream::node::{Node, NodeBuilder, NodeError};
pub use crate::backend::jetstream::{Check, ConnectError, Health, Nats, NatsBuilder, doctor};
pub use crate::backend::remote_error::RemoteError;
pub use crate::pipeline::remote::Remote;
