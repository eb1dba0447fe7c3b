//! Runs whose coordinator is in the test's process.

use std::error::Error;
use std::time::Duration;

use actix_fan::remote::{Nats, NatsBuilder};
use actix_fan::{End, FanIn, FanOutExt, PipelineError, Stats};
use futures::StreamExt;

use crate::support::assert_settled;

/// What nodes of the tests do.
pub(crate) mod kind {
    pub(crate) const NUMBERS: &str = "numbers/1";
    pub(crate) const BYTES: &str = "bytes/1";

    pub(crate) fn number(n: u64) -> Result<u64, String> {
        if n % 10 == 7 { Err(format!("{n} is bad")) } else { Ok(n * 3 + 1) }
    }

    pub(crate) fn bytes(n: u64) -> Vec<u8> {
        vec![n as u8; 20_000]
    }
}

/// A run of numbers.
pub(crate) struct Run {
    results: FanIn<u64>,
    texts: Vec<String>,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) texts: Vec<String>,
    pub(crate) error: Option<PipelineError>,
    pub(crate) stats: Stats,
}

/// A connection with the settings of the tests: 1 s of `ack_wait`.
pub(crate) fn builder(url: &str) -> NatsBuilder {
    Nats::builder(url).ack_wait(Duration::from_secs(1)).max_bytes(256 << 20)
}

/// Starts a run of so many items, in order, in batches of 2. On a busy machine the source may send a batch before it is full, so
/// an item may be in one with that before it, with that behind it, or in one of its own. It has a name if `run` is not empty.
pub(crate) async fn start(url: &str, items: u64, run: &str) -> Run {
    Run::over(&builder(url).connect().await.unwrap(), items, run)
}

impl Run {
    pub(crate) fn over(nats: &Nats, items: u64, run: &str) -> Self {
        let mut remote = (0..items).fan_out().ordered().batch(2).over(nats);
        if !run.is_empty() {
            remote = remote.run_id(run);
        }
        Self { results: remote.run::<u64>(kind::NUMBERS).unwrap(), texts: Vec::new() }
    }

    /// Takes so many results.
    pub(crate) async fn take(&mut self, count: usize) {
        for _ in 0..count {
            let Some(result) = self.results.next().await else { return };
            self.texts.push(match result {
                Ok(value) => value.to_string(),
                Err(error) => {
                    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
                    format!("{error}{cause}")
                }
            });
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        self.results.stats()
    }

    pub(crate) fn stop(&self) {
        self.results.stop();
    }

    pub(crate) async fn end(mut self) -> Outcome {
        self.take(usize::MAX).await;
        let error = self.results.finished().await.err();
        let stats = self.results.stats();
        assert_settled(&stats);
        Outcome { texts: self.texts, error, stats }
    }
}

/// The texts of the results of so many items.
pub(crate) fn expected(items: u64) -> Vec<String> {
    let text = |n| match kind::number(n) {
        Ok(value) => value.to_string(),
        Err(cause) => format!("item {n} failed: {cause}"),
    };
    (0..items).map(text).collect()
}

/// Returns true if an error tells that the first batch that is missing is the one with this item.
pub(crate) fn names_the_batch_of(item: u64, message: &str) -> bool {
    [item - 1, item].iter().any(|first| message.contains(&format!("items {first}..")))
}

/// Each item has its result or its failure, once and in order.
pub(crate) fn assert_exact(outcome: &Outcome, items: u64) {
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    assert_eq!(outcome.stats.end, Some(End::Complete));
    assert_eq!(outcome.texts, expected(items));
}
