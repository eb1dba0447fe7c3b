use std::collections::BTreeMap;
use std::sync::Arc;

use actix_fan::observe::{Instruments, Observer};
use actix_fan::{FanOutExt, Workers, pool};
use futures::{StreamExt, stream};
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};

use crate::support::{Gate, run};

/// Runs a test with a recorder of its own.
fn recorded<F: Future>(test: impl FnOnce(Arc<dyn Observer>, Recorded) -> F) -> F::Output {
    let recorder = DebuggingRecorder::new();
    let recorded = Recorded::of(&recorder);
    metrics::with_local_recorder(&recorder, || run(test(Arc::new(Instruments::new()), recorded)))
}

/// What was recorded so far.
struct Recorded {
    snapshotter: Snapshotter,
    values: BTreeMap<String, f64>,
}

impl Recorded {
    fn of(recorder: &DebuggingRecorder) -> Self {
        Self { snapshotter: recorder.snapshotter(), values: BTreeMap::new() }
    }

    /// The values by name and labels; of a histogram how many there are.
    fn values(&mut self) -> &BTreeMap<String, f64> {
        // A snapshot has what has come since the last one.
        for (name, value) in changes(&self.snapshotter) {
            *self.values.entry(name).or_default() += value;
        }
        &self.values
    }
}

fn changes(snapshotter: &Snapshotter) -> BTreeMap<String, f64> {
    let value = |value| match value {
        DebugValue::Counter(count) => count as f64,
        DebugValue::Gauge(gauge) => gauge.into_inner(),
        DebugValue::Histogram(values) => values.len() as f64,
    };
    let all = snapshotter.snapshot().into_vec();
    all.into_iter()
        .map(|(key, _, _, what)| {
            let mut labels: Vec<_> = key.key().labels().map(|label| label.value().to_owned()).collect();
            labels.insert(0, key.key().name().to_owned());
            (labels.join(" "), value(what))
        })
        .collect()
}

#[test]
fn a_pipeline_is_counted_and_measured() {
    recorded(|instruments, mut recorded| async move {
        let source = stream::iter((0..1_000u64).map(|n| if n % 100 == 0 { Err("source") } else { Ok(n) }));
        let builder = source.try_fan_out().name("numbers").workers(2).window(64).observe(instruments);
        let mut results = builder.try_map(|n| if n % 10 == 1 { Err("one") } else { Ok(n) }).unwrap();
        let before = recorded.values();
        assert_eq!(before["fan_out.queue.limit numbers pipeline"], 64.0);
        assert_eq!(before["fan_out.thread.limit numbers pipeline"], 2.0);
        results.set_window(16).unwrap();
        results.set_concurrency(1).unwrap();
        let changed = recorded.values();
        assert_eq!(changed["fan_out.queue.limit numbers pipeline"], 16.0);
        assert_eq!(changed["fan_out.thread.limit numbers pipeline"], 1.0);
        while results.next().await.is_some() {}
        results.finished().await.unwrap();
        let limit = "fan_out.queue.limit numbers pipeline";
        while recorded.values()[limit] > 0.0 {
            tokio::task::yield_now().await;
        }
        let values = recorded.values();
        assert_eq!(values["fan_out.work_item.count numbers pipeline completed"], 890.0);
        assert_eq!(values["fan_out.work_item.count numbers pipeline failed"], 110.0);
        assert_eq!(values["fan_out.work_item.duration numbers pipeline"], 990.0);
        assert_eq!(values["fan_out.queue.duration numbers pipeline"], 990.0);
        for gauge in ["queue.length", "queue.limit", "thread.busy", "thread.limit"] {
            assert_eq!(values[&format!("fan_out.{gauge} numbers pipeline")], 0.0, "{gauge}");
        }
    });
}

#[test]
fn the_gauges_of_a_pool_show_what_is_queued_and_runs() {
    recorded(|instruments, mut recorded| async move {
        let gate = Gate::new();
        let pass = gate.clone();
        let pool =
            pool().name("thumbnails").workers(1).window(3).observe(instruments).map(move |()| pass.pass()).unwrap();
        let submissions: Vec<_> = (0..5).map(|_| pool.submit(())).collect::<Vec<_>>();
        gate.arrived(1).await;
        let now = recorded.values();
        assert_eq!(now["fan_out.queue.length thumbnails pool"], 3.0, "two of five wait for a permit");
        assert_eq!(now["fan_out.thread.busy thumbnails pool"], 1.0);
        gate.open();
        drop(submissions);
        pool.drain();
        let stats = pool.finished().await.unwrap();
        let then = recorded.values();
        assert_eq!(then["fan_out.queue.length thumbnails pool"], 0.0);
        assert_eq!(then["fan_out.thread.busy thumbnails pool"], 0.0);
        let count = |outcome| then[&format!("fan_out.work_item.count thumbnails pool {outcome}")];
        assert_eq!((count("completed"), count("skipped")), (stats.completed as f64, stats.skipped as f64));
    });
}

#[test]
fn the_threads_of_a_set_are_counted() {
    let recorder = DebuggingRecorder::new();
    let mut recorded = Recorded::of(&recorder);
    // The threads ask for the recorder themselves, so it is that of the process.
    recorder.install().unwrap();
    run(async {
        let builder = Workers::builder().threads(3).thread_name("counted").observe(Instruments::new());
        let workers = builder.build().unwrap();
        let gate = Gate::new();
        let closures: Vec<_> = (0..3)
            .map(|_| {
                let pass = gate.clone();
                workers.run(move || pass.pass())
            })
            .collect();
        gate.arrived(3).await;
        assert_eq!(recorded.values()["fan_out.thread.count counted"], 3.0);
        gate.open();
        futures::future::join_all(closures).await;
    });
}
