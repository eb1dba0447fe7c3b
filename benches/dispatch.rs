//! What does it cost to send an item to a pool and get its result back, and which contender does it cheapest?
//!
//!     cargo bench --bench dispatch                     # everything, about four minutes
//!     cargo bench --bench dispatch -- 'pass-through'   # what matches
//!
//! A group is a grain (what one item costs) and how many items yield a result; its members are the contenders.
//! Throughput is items per second with 2 workers. The upper bound is 2 / grain; `sequential` shows half of it. With a
//! long grain all contenders come near it; with a grain of nearly nothing the throughput is that of the transport.
//!
//! The contenders run one after another here, so a machine that is busy for a minute favours some of them; `ratios`
//! compares them round by round.

mod contenders;
mod support {
    pub(crate) mod args;
    pub(crate) mod short;
    pub(crate) mod spin;
}

use std::time::Duration;

use contenders::{Contender, Grain, Job, Results, Stage};
use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use support::args::measuring;

fn dispatch(c: &mut Criterion) {
    let stage = Stage::new();
    let length = if measuring() { Duration::from_millis(20) } else { Duration::from_micros(100) };
    for grain in Grain::ALL {
        for results in Results::BOTH {
            let mut group = c.benchmark_group(format!("dispatch/{}/{}", grain.name(), results.name()));
            group.sampling_mode(SamplingMode::Flat);
            for contender in Contender::ALL {
                let job = Job::of_length(grain, results, contender, length);
                group.throughput(Throughput::Elements(job.items));
                group.bench_function(contender.name(), |b| {
                    b.iter_custom(|rounds| (0..rounds).map(|_| stage.time(contender, job)).sum());
                });
            }
            group.finish();
        }
    }
}

criterion_group! {
    name = benches;
    config = support::short::short();
    targets = dispatch
}
criterion_main!(benches);
