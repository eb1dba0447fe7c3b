//! This crate, with its default settings but for the number of workers.

use std::time::Instant;

use actix::SystemRunner;
use actix_fan::{FanIn, FanOutExt};
use futures::StreamExt;

use super::{Checksum, Run, WORKERS, WorkOnItem};

const GOOD: &str = "nothing in this job fails";

pub(super) fn by_item(system: &SystemRunner, items: u64, ordered: bool, work: impl WorkOnItem) -> Run {
    system.block_on(async {
        let began = Instant::now();
        let mut results = start(items, ordered, work);
        let mut checksum = Checksum::default();
        while let Some(result) = results.next().await {
            checksum.add(result.expect(GOOD));
        }
        end(results, Run { took: began.elapsed(), checksum }).await
    })
}

pub(super) fn by_chunk(system: &SystemRunner, items: u64, work: impl WorkOnItem) -> Run {
    system.block_on(async {
        let began = Instant::now();
        let mut results = start(items, false, work);
        let mut checksum = Checksum::default();
        while let Some(chunk) = results.next_chunk().await {
            chunk.for_each(|result| checksum.add(result.expect(GOOD)));
        }
        end(results, Run { took: began.elapsed(), checksum }).await
    })
}

fn start(items: u64, ordered: bool, work: impl WorkOnItem) -> FanIn<u64> {
    let fan_out = (0..items).fan_out().workers(WORKERS);
    let fan_out = if ordered { fan_out.ordered() } else { fan_out };
    fan_out.filter_map(work).expect("it starts inside of a System")
}

/// Waits for the threads to end, so that they don't disturb the next contender.
async fn end(mut results: FanIn<u64>, run: Run) -> Run {
    results.finished().await.expect(GOOD);
    run
}
