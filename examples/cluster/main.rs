//! A pipeline whose workers are other processes: this program is a node, or the coordinator.
//!
//! ```sh
//! nats-server --jetstream &
//! cargo run --release --features nats,tracing --example cluster -- node &
//! cargo run --release --features nats,tracing --example cluster -- node &
//! cargo run --release --features nats,tracing --example cluster -- sum 1000000
//! ```
//!
//! `examples/cluster.sh` does all of that. `NATS_URL` names another server than `nats://127.0.0.1:4222`, `NATS_NKEY` a file with
//! the seed of a key, `NATS_CA` one with certificates, and `NATS_INBOX` a prefix for replies: see `deploy/`.
//!
//! With `OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318` spans go to the collector that listens there: the batches on all
//! nodes are in one trace, below the span of the coordinator.

#[path = "../telemetry/export.rs"]
mod export;
mod traces;

use std::env;
use std::error::Error;
use std::sync::Arc;

use actix_fan::FanOutExt;
use actix_fan::remote::{Nats, Node};
use futures::StreamExt;
use tracing::info_span;

/// The work: how many steps the Collatz sequence of a number takes to 1.
fn steps(start: u64) -> u32 {
    let next = |&n: &u64| (n != 1).then(|| if n % 2 == 0 { n / 2 } else { 3 * n + 1 });
    std::iter::successors(Some(start), next).map(|_| 1).sum::<u32>() - 1
}

/// On each machine that works.
async fn node(nats: &Nats) -> Result<(), Box<dyn Error>> {
    let node = Node::builder().map("collatz/1", steps).observe(Arc::new(traces::spans())).start(nats).await?;
    println!("node {} serves until it is stopped", node.name());
    node.finished().await;
    Ok(())
}

/// On the machine that has the numbers.
async fn sum(nats: &Nats, numbers: u64) -> Result<(), Box<dyn Error>> {
    // The span that is current where the pipeline starts goes on at the nodes.
    let start = || (1..=numbers).fan_out().observe(traces::spans()).over(nats).run::<u32>("collatz/1");
    let mut steps = info_span!("sum", numbers).in_scope(start)?;
    let mut sum = 0;
    while let Some(result) = steps.next().await {
        sum += u64::from(result?);
    }
    let stats = steps.finished().await?;
    println!("{sum} steps in {:.1?}", stats.elapsed);
    for node in &stats.nodes {
        println!("{}: {} numbers in {} batches", node.name, node.items, node.batches);
    }
    Ok(())
}

#[actix::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = env::var("NATS_URL").unwrap_or_else(|_| "nats://127.0.0.1:4222".to_owned());
    let mut nats = Nats::builder(url);
    if let Some(file) = env::var_os("NATS_NKEY") {
        nats = nats.nkey_file(file);
    }
    if let Some(file) = env::var_os("NATS_CA") {
        nats = nats.tls_ca_file(file);
    }
    if let Ok(prefix) = env::var("NATS_INBOX") {
        nats = nats.inbox_prefix(prefix);
    }
    let provider = if export::has_endpoint() { Some(export::install("cluster", None)?) } else { None };
    let nats = nats.connect().await?;
    match &env::args().skip(1).collect::<Vec<_>>()[..] {
        [role] if role == "node" => node(&nats).await?,
        [role, numbers] if role == "sum" => sum(&nats, numbers.parse()?).await?,
        _ => return Err("say `node`, or `sum` and how many numbers".into()),
    }
    // Waits for the export, which has a thread of its own.
    provider.map_or(Ok(()), |provider| Ok(provider.shutdown()?))
}
