//! Pools of plain threads, the results of which arrive over a channel at the calling thread.

use std::thread;
use std::time::Instant;

use crossbeam_channel::bounded;
use rayon::ThreadPool;
use rayon::iter::{ParallelBridge, ParallelIterator};

use super::{Checksum, Run, WORKERS, WorkOnItem};

/// Items in each vector.
const BATCH: u64 = 1024;

/// Vectors that may wait in a channel: some for each worker, so that no thread waits for a context switch.
const BATCHES: usize = 4 * WORKERS;

/// Items that may wait in a channel where they travel alone.
const ITEMS: usize = 1024;

const OPEN: &str = "the other side leaves last";

pub(super) fn by_batch(items: u64, work: impl WorkOnItem) -> Run {
    let began = Instant::now();
    let (inputs, queue) = bounded::<Vec<u64>>(BATCHES);
    let (outputs, results) = bounded::<Vec<u64>>(BATCHES);
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut first = 0;
            while first < items {
                let next = items.min(first + BATCH);
                inputs.send((first..next).collect()).expect(OPEN);
                first = next;
            }
        });
        for _ in 0..WORKERS {
            let (queue, outputs) = (queue.clone(), outputs.clone());
            scope.spawn(move || {
                for batch in queue {
                    // The results are collected into the memory of the items: one allocation a batch in all.
                    outputs.send(batch.into_iter().filter_map(work).collect()).expect(OPEN);
                }
            });
        }
        drop((queue, outputs));
        let mut checksum = Checksum::default();
        for batch in results {
            batch.into_iter().for_each(|result| checksum.add(result));
        }
        Run { took: began.elapsed(), checksum }
    })
}

pub(super) fn by_item(items: u64, work: impl WorkOnItem) -> Run {
    let began = Instant::now();
    let (inputs, queue) = bounded::<u64>(ITEMS);
    let (outputs, results) = bounded::<u64>(ITEMS);
    thread::scope(|scope| {
        scope.spawn(move || (0..items).for_each(|n| inputs.send(n).expect(OPEN)));
        for _ in 0..WORKERS {
            let (queue, outputs) = (queue.clone(), outputs.clone());
            scope
                .spawn(move || queue.into_iter().filter_map(work).for_each(|result| outputs.send(result).expect(OPEN)));
        }
        drop((queue, outputs));
        let mut checksum = Checksum::default();
        results.into_iter().for_each(|result| checksum.add(result));
        Run { took: began.elapsed(), checksum }
    })
}

pub(super) fn par_bridge(pool: &ThreadPool, items: u64, work: impl WorkOnItem) -> Run {
    let began = Instant::now();
    let (outputs, results) = bounded::<u64>(ITEMS);
    pool.spawn(move || {
        let found = (0..items).par_bridge().filter_map(work);
        found.for_each_with(outputs, |outputs, result| outputs.send(result).expect(OPEN));
    });
    let mut checksum = Checksum::default();
    results.into_iter().for_each(|result| checksum.add(result));
    Run { took: began.elapsed(), checksum }
}
