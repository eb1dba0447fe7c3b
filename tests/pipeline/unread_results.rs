//! Where unread results are dropped: not on the arbiter, or only for a short time.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::thread;

use actix_fan::{FanOutExt, Job, Snapshot, work_fn};
use futures::StreamExt;

use crate::support::{DropCounter, Gate, Tracked, assert_settled, run};
use crate::time_slices::{SliceMeter, longer_than_a_slice};

/// A result that tells on which thread it was dropped.
struct Tells {
    threads: Threads,
    _tracked: Tracked,
}

type Threads = Arc<Mutex<BTreeSet<String>>>;

impl Drop for Tells {
    fn drop(&mut self) {
        let name = thread::current().name().unwrap_or_default().to_owned();
        self.threads.lock().unwrap().insert(name);
    }
}

#[test]
fn results_of_an_item_whose_stream_was_dropped_are_dropped_by_its_worker() {
    for ordered in [false, true] {
        run(async move {
            let (counter, threads, gate) = (DropCounter::new(), Threads::default(), Gate::new());
            let (tracker, dropped_by, pass) = (counter.clone(), Arc::clone(&threads), gate.clone());
            let mut builder = [()].fan_out().workers(1).thread_name("worker");
            if ordered {
                builder = builder.ordered();
            }
            let results = builder
                .flat_map(move |()| {
                    pass.pass();
                    let tracker = tracker.clone();
                    let threads = Arc::clone(&dropped_by);
                    (0..10_000)
                        .map(move |_| Tells { _tracked: tracker.track(), threads: Arc::clone(&threads) })
                        .collect::<Vec<_>>()
                })
                .unwrap();
            gate.arrived(1).await;
            let stop = results.stop_handle();
            drop(results);
            gate.open();
            stop.finished().await.unwrap();
            assert_eq!((counter.created(), counter.alive()), (10_000, 0));
            assert_eq!(*threads.lock().unwrap(), BTreeSet::from(["worker-0".to_owned()]));
            assert_settled(&stop.stats());
        });
    }
}

#[test]
fn many_results_in_a_dropped_stream_are_dropped_by_a_separate_thread() {
    for (results, dropped_by) in [(10u32, None), (100_000, Some("fan-discard"))] {
        run(async move {
            let (counter, threads) = (DropCounter::new(), Threads::default());
            let (tracker, tells) = (counter.clone(), Arc::clone(&threads));
            let mut stream = (0..2u8)
                .fan_out()
                .workers(1)
                .batch(1)
                .with(move || {
                    let (tracker, threads) = (tracker.clone(), Arc::clone(&tells));
                    work_fn(move |_, job: &mut Job<'_, Tells>| {
                        let tell = |_| Tells { _tracked: tracker.track(), threads: Arc::clone(&threads) };
                        Ok(job.emit_all((0..results).map(tell))?)
                    })
                })
                .unwrap();
            let stop = stream.stop_handle();
            drop(stream.next().await);
            // Both chunks are there, one begun, the other not: the worker has sent the second one, and the aggregator,
            // which takes its messages in order, has passed it on. If it has ended since, it refuses this message.
            counter.have_been_created(2 * results as usize).await;
            stop.workers_stopped().await;
            let _ = stream.aggregator().send(Snapshot).await;
            threads.lock().unwrap().clear();
            let here = thread::current().name().unwrap().to_owned();
            drop(stream);
            stop.finished().await.unwrap();
            assert_eq!(counter.alive(), 0);
            let threads = threads.lock().unwrap();
            assert!(threads.contains(dropped_by.unwrap_or(&here)), "{threads:?}");
            assert_settled(&stop.stats());
        });
    }
}

#[test]
fn finished_yields_while_it_drops_results() {
    struct Slow(SliceMeter);
    impl Drop for Slow {
        fn drop(&mut self) {
            self.0.step();
            longer_than_a_slice();
        }
    }
    const RESULTS: usize = 300;
    run(async {
        let meter = SliceMeter::new();
        let counted = meter.clone();
        let mut results = [()]
            .fan_out()
            .workers(1)
            .flat_map(move |()| {
                let meter = counted.clone();
                (0..RESULTS).map(move |_| Slow(meter.clone())).collect::<Vec<_>>()
            })
            .unwrap();
        let other = meter.count();
        let stats = results.finished().await.unwrap();
        assert_eq!((meter.steps(), stats.completed), (RESULTS, 1));
        assert!(meter.most() <= RESULTS / 2, "{} results in one time slice", meter.most());
        other.abort();
    });
}
