#![doc = include_str!("README.md")]

#[doc = include_str!("sync_arbiter.md")]
pub mod sync_arbiter {}

#[doc = include_str!("web_block.md")]
pub mod web_block {}

#[doc = include_str!("spawn_blocking.md")]
pub mod spawn_blocking {}

#[doc = include_str!("rayon_and_a_channel.md")]
pub mod rayon_and_a_channel {}

#[doc = include_str!("go.md")]
pub mod go {}

#[doc = include_str!("in_production.md")]
pub mod in_production {}

#[cfg(feature = "nats")]
#[doc = include_str!("many_machines.md")]
pub mod many_machines {}
