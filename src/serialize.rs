//! [`Serialize`] for numbers and errors, with the feature `serde`.
//!
//! The serialized names are part of the public interface, like those of fields and variants. The implementations are
//! written by hand, so that the library needs only serde's traits. Each match and each pattern is exhaustive, so that a
//! new field or variant does not compile without a name. A duration is a number of seconds, and its name ends in
//! `_seconds`.

use std::error::Error;
use std::time::Duration;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::end::End;
use crate::error::{ItemError, PipelineError, SettingError, StartError, texts};
use crate::pool::{RunError, SubmitError};
use crate::stats::{Bottleneck, CurrentItem, NodeStats, Percentiles, Skips, Stats, Verdict, WorkerStats};

impl Serialize for Stats {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self {
            name,
            taken,
            completed,
            failed,
            skipped,
            skips,
            in_flight,
            finished,
            limit,
            concurrency,
            queued,
            waiting,
            emitted,
            batch_size,
            mean_service,
            queue_wait,
            run_time,
            end,
            verdict,
            elapsed,
            workers,
            nodes,
        } = self;
        let mut stats = serializer.serialize_struct("Stats", 22)?;
        stats.serialize_field("name", &name.as_deref())?;
        stats.serialize_field("taken", taken)?;
        stats.serialize_field("completed", completed)?;
        stats.serialize_field("failed", failed)?;
        stats.serialize_field("skipped", skipped)?;
        stats.serialize_field("skips", skips)?;
        stats.serialize_field("in_flight", in_flight)?;
        stats.serialize_field("finished", finished)?;
        stats.serialize_field("limit", limit)?;
        stats.serialize_field("concurrency", concurrency)?;
        stats.serialize_field("queued", queued)?;
        stats.serialize_field("waiting", waiting)?;
        stats.serialize_field("emitted", emitted)?;
        stats.serialize_field("batch_size", batch_size)?;
        stats.serialize_field("mean_service_seconds", &mean_service.map(Seconds))?;
        stats.serialize_field("queue_wait", queue_wait)?;
        stats.serialize_field("run_time", run_time)?;
        stats.serialize_field("end", end)?;
        stats.serialize_field("verdict", verdict)?;
        stats.serialize_field("elapsed_seconds", &Seconds(*elapsed))?;
        stats.serialize_field("workers", &workers[..])?;
        stats.serialize_field("nodes", &nodes[..])?;
        stats.end()
    }
}

impl Serialize for NodeStats {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { name, items, batches, busy, slots, in_flight, draining, silent } = self;
        let mut node = serializer.serialize_struct("NodeStats", 8)?;
        node.serialize_field("name", &**name)?;
        node.serialize_field("items", items)?;
        node.serialize_field("batches", batches)?;
        node.serialize_field("busy_seconds", &Seconds(*busy))?;
        node.serialize_field("slots", slots)?;
        node.serialize_field("in_flight", in_flight)?;
        node.serialize_field("draining", draining)?;
        node.serialize_field("silent_seconds", &Seconds(*silent))?;
        node.end()
    }
}

impl Serialize for WorkerStats {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { busy, items, batches, rebuilt, current } = self;
        let mut worker = serializer.serialize_struct("WorkerStats", 5)?;
        worker.serialize_field("busy_seconds", &Seconds(*busy))?;
        worker.serialize_field("items", items)?;
        worker.serialize_field("batches", batches)?;
        worker.serialize_field("rebuilt", rebuilt)?;
        worker.serialize_field("current", current)?;
        worker.end()
    }
}

impl Serialize for Bottleneck {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit_variant("Bottleneck", *self as u32, self.as_str())
    }
}

impl Serialize for Verdict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { bottleneck, share, worker, source, consumer } = self;
        let mut verdict = serializer.serialize_struct("Verdict", 5)?;
        verdict.serialize_field("bottleneck", bottleneck)?;
        verdict.serialize_field("share", share)?;
        verdict.serialize_field("worker_seconds", &Seconds(*worker))?;
        verdict.serialize_field("source_seconds", &Seconds(*source))?;
        verdict.serialize_field("consumer_seconds", &Seconds(*consumer))?;
        verdict.end()
    }
}

impl Serialize for Percentiles {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { items, p50, p90, p99, max } = self;
        let mut percentiles = serializer.serialize_struct("Percentiles", 5)?;
        percentiles.serialize_field("items", items)?;
        percentiles.serialize_field("p50_seconds", &Seconds(*p50))?;
        percentiles.serialize_field("p90_seconds", &Seconds(*p90))?;
        percentiles.serialize_field("p99_seconds", &Seconds(*p99))?;
        percentiles.serialize_field("max_seconds", &Seconds(*max))?;
        percentiles.end()
    }
}

impl Serialize for Skips {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { stopped, caller_gone } = self;
        let mut skips = serializer.serialize_struct("Skips", 2)?;
        skips.serialize_field("stopped", stopped)?;
        skips.serialize_field("caller_gone", caller_gone)?;
        skips.end()
    }
}

impl Serialize for CurrentItem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { index, running } = self;
        let mut current = serializer.serialize_struct("CurrentItem", 2)?;
        current.serialize_field("index", index)?;
        current.serialize_field("running_seconds", &Seconds(*running))?;
        current.end()
    }
}

impl Serialize for End {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Complete => serializer.serialize_unit_variant("End", 0, "complete"),
            Self::Drained => serializer.serialize_unit_variant("End", 1, "drained"),
            Self::Stopped => serializer.serialize_unit_variant("End", 2, "stopped"),
            Self::Failed(error) => serializer.serialize_newtype_variant("End", 3, "failed", error),
        }
    }
}

impl Serialize for ItemError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let kind = if self.panic_message().is_some() {
            "panicked"
        } else if self.work_error().is_some() {
            "failed"
        } else if self.source_error().is_some() {
            "source_failed"
        } else {
            "pipeline_ended"
        };
        write(self, "ItemError", kind, Some(self.index()), serializer)
    }
}

impl Serialize for PipelineError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let kind = match self {
            Self::SystemStopped => "system_stopped",
            Self::OwnWorker => "own_worker",
            Self::ActorLost { .. } => "actor_lost",
            Self::WorkerThread { .. } => "worker_thread",
            Self::SourcePanicked { .. } => "source_panicked",
            Self::WorkerFactory { .. } => "worker_factory",
            Self::RecipientGone => "recipient_gone",
            Self::Remote { .. } => "remote",
        };
        write(self, "PipelineError", kind, None, serializer)
    }
}

impl Serialize for StartError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let kind = match self {
            Self::Workers(_) => "workers",
            Self::Threads(_) => "threads",
            Self::Concurrency => "concurrency",
            Self::GlobalWorkers => "global_workers",
            Self::Window => "window",
            Self::Batch { .. } => "batch",
            Self::StackSize(_) => "stack_size",
            Self::ThreadName(_) => "thread_name",
            Self::BatchTime => "batch_time",
            Self::Kind(_) => "kind",
            Self::RunId(_) => "run_id",
            Self::NoSystem => "no_system",
            Self::SystemStopped => "system_stopped",
            Self::Thread { .. } => "thread",
        };
        write(self, "StartError", kind, None, serializer)
    }
}

impl Serialize for SettingError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let kind = match self {
            Self::Window => "window",
            Self::Batch { .. } => "batch",
            Self::Concurrency => "concurrency",
            Self::Merged => "merged",
        };
        write(self, "SettingError", kind, None, serializer)
    }
}

impl<I> Serialize for SubmitError<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let kind = match self {
            Self::Failed(error) => return error.serialize(serializer),
            Self::Full(_) => "full",
            Self::Closed(_) => "closed",
            Self::OwnPool(_) => "own_pool",
            Self::Stopped { .. } => "stopped",
            Self::Lost { .. } => "lost",
        };
        write(self, "SubmitError", kind, None, serializer)
    }
}

impl Serialize for RunError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let kind = match self {
            Self::Panicked { .. } => "panicked",
            Self::Full { .. } => "full",
            Self::OwnWorkers => "own_workers",
            Self::Lost(_) => "lost",
        };
        write(self, "RunError", kind, None, serializer)
    }
}

fn write<S: Serializer>(
    error: &dyn Error,
    name: &'static str,
    kind: &str,
    index: Option<u64>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let texts = texts(error);
    let (text, causes) = texts.split_first().expect("an error has a text of its own");
    let mut error = serializer.serialize_struct(name, 3 + usize::from(index.is_some()))?;
    error.serialize_field("error", text.as_str())?;
    error.serialize_field("kind", kind)?;
    match &index {
        Some(index) => error.serialize_field("index", index)?,
        None => error.skip_field("index")?,
    }
    error.serialize_field("causes", &Texts(causes))?;
    error.end()
}

struct Seconds(Duration);

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0.as_secs_f64())
    }
}

/// `String` has no [`Serialize`] without serde's `alloc`.
struct Texts<'a>(&'a [String]);

impl Serialize for Texts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(String::as_str))
    }
}

#[cfg(test)]
mod tests {
    use std::{fmt, io};

    use serde_json::{Value, json};

    use super::*;

    #[track_caller]
    fn assert_json(value: impl Serialize, expected: Value) {
        assert_eq!(serde_json::to_value(value).unwrap(), expected);
    }

    #[test]
    fn stats_have_the_names_of_their_fields_and_durations_are_in_seconds() {
        let mut stats = Stats::default();
        assert_json(
            &stats,
            json!({
                "name": null, "taken": 0, "completed": 0, "failed": 0, "skipped": 0,
                "skips": {"stopped": 0, "caller_gone": 0}, "in_flight": 0, "finished": 0, "limit": null, "concurrency": null,
                "queued": 0, "waiting": 0,
                "emitted": 0, "batch_size": 0, "mean_service_seconds": null,
                "queue_wait": null, "run_time": null, "end": null, "verdict": null, "elapsed_seconds": 0.0,
                "workers": [], "nodes": [],
            }),
        );
        (stats.taken, stats.completed, stats.failed, stats.skipped, stats.in_flight) = (u64::MAX, 2, 3, 4, 5);
        (stats.skips.stopped, stats.skips.caller_gone, stats.finished, stats.limit) = (3, 1, 2, Some(64));
        (stats.queued, stats.waiting, stats.emitted, stats.batch_size) = (6, 7, 8, 9);
        (stats.name, stats.concurrency) = (Some("squares".into()), Some(2));
        stats.mean_service = Some(Duration::from_micros(250));
        let [p50, p90, p99, max] = [250, 500, 750, 1000].map(Duration::from_millis);
        stats.queue_wait = Some(Percentiles { items: 20, p50, p90, p99, max });
        stats.end = Some(End::Drained);
        let second = Duration::from_secs(1);
        stats.verdict = Verdict::of(second * 3, second, Duration::ZERO);
        stats.elapsed = Duration::from_millis(1500);
        let current = CurrentItem { index: 13, running: Duration::from_millis(250) };
        let busy = Duration::from_millis(750);
        stats.workers = vec![WorkerStats { busy, items: 10, batches: 11, rebuilt: 12, current: Some(current) }];
        stats.nodes = vec![NodeStats {
            name: "n-1".into(),
            items: 14,
            batches: 15,
            busy,
            slots: 16,
            in_flight: 17,
            draining: true,
            silent: second,
        }];
        assert_json(
            &stats,
            json!({
                "name": "squares", "taken": u64::MAX, "completed": 2, "failed": 3, "skipped": 4,
                "skips": {"stopped": 3, "caller_gone": 1}, "in_flight": 5, "finished": 2, "limit": 64, "concurrency": 2,
                "queued": 6, "waiting": 7,
                "emitted": 8, "batch_size": 9, "mean_service_seconds": 0.00025, "end": "drained",
                "queue_wait": {
                    "items": 20, "p50_seconds": 0.25, "p90_seconds": 0.5, "p99_seconds": 0.75, "max_seconds": 1.0,
                },
                "run_time": null,
                "verdict": {
                    "bottleneck": "worker", "share": 0.75,
                    "worker_seconds": 3.0, "source_seconds": 1.0, "consumer_seconds": 0.0,
                },
                "elapsed_seconds": 1.5,
                "workers": [{"busy_seconds": 0.75, "items": 10, "batches": 11, "rebuilt": 12,
                    "current": {"index": 13, "running_seconds": 0.25}}],
                "nodes": [{"name": "n-1", "items": 14, "batches": 15, "busy_seconds": 0.75, "slots": 16, "in_flight": 17,
                    "draining": true, "silent_seconds": 1.0}],
            }),
        );
    }

    #[test]
    fn a_bottleneck_is_one_word() {
        for (bottleneck, word) in
            [(Bottleneck::Worker, "worker"), (Bottleneck::Source, "source"), (Bottleneck::Consumer, "consumer")]
        {
            assert_json(bottleneck, json!(word));
            assert_eq!(bottleneck.to_string(), format!("{word}-bound"));
        }
    }

    #[test]
    fn an_end_is_one_word_or_holds_the_error() {
        for end in [End::Complete, End::Drained, End::Stopped] {
            assert_json(&end, json!(end.to_string()));
        }
        let error = PipelineError::RecipientGone;
        assert_json(End::Failed(error.clone()), json!({"failed": error}));
    }

    #[test]
    fn an_item_error_has_its_index_and_each_of_its_causes_once() {
        assert_json(
            ItemError::panicked(3, "boom".into()),
            json!({"error": "item 3 panicked: boom", "kind": "panicked", "index": 3, "causes": []}),
        );
        let cause = io::Error::other("disk full");
        assert_json(
            ItemError::failed(4, cause.into()),
            json!({"error": "item 4 failed", "kind": "failed", "index": 4, "causes": ["disk full"]}),
        );
        let source = ItemError::source_failed(5, "line 6 is not a number".into());
        assert_json(
            &source,
            json!({
                "error": "the source failed at item 5", "kind": "source_failed", "index": 5,
                "causes": ["line 6 is not a number"],
            }),
        );
        // The error of a chain's first stage, passed on by the second.
        let chained = ItemError::failed(7, Box::new(source));
        assert_eq!(
            serde_json::to_value(chained).unwrap()["causes"],
            json!(["the source failed at item 5", "line 6 is not a number"])
        );
        assert_json(
            ItemError::lost(8, PipelineError::SystemStopped),
            json!({
                "error": "item 8 and all after it were not taken from the source", "kind": "pipeline_ended", "index": 8,
                "causes": ["the actix System stopped before the pipeline did"],
            }),
        );
    }

    /// An error whose `Display` and `source` panic.
    #[derive(Debug)]
    struct Broken;

    impl fmt::Display for Broken {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("no text")
        }
    }

    impl Error for Broken {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            panic!("no cause")
        }
    }

    #[test]
    fn a_cause_whose_text_panics_is_replaced_by_a_note() {
        let error = serde_json::to_value(ItemError::failed(0, Box::new(Broken))).unwrap();
        assert_eq!(error["causes"], json!(["an error whose text panicked: no text"]));
    }

    #[test]
    fn every_kind_of_error_has_a_name() {
        fn kind(error: impl Serialize + fmt::Display) -> String {
            let value = serde_json::to_value(&error).unwrap();
            assert_eq!((&value["error"], value.get("index")), (&json!(error.to_string()), None));
            assert!(value["causes"].is_array());
            value["kind"].as_str().unwrap().to_owned()
        }
        let message = String::new;
        let pipeline = [
            PipelineError::SystemStopped,
            PipelineError::OwnWorker,
            PipelineError::ActorLost { actor: "the generator" },
            PipelineError::WorkerThread { worker: 0, workers: 1, message: message() },
            PipelineError::SourcePanicked { message: message() },
            PipelineError::WorkerFactory { attempts: 5, message: message() },
            PipelineError::RecipientGone,
            PipelineError::Remote { message: String::new() },
        ];
        assert_eq!(
            pipeline.map(kind).join(" "),
            "system_stopped own_worker actor_lost worker_thread source_panicked worker_factory recipient_gone remote"
        );
        let start = [
            StartError::Workers(0),
            StartError::Threads(0),
            StartError::Concurrency,
            StartError::GlobalWorkers,
            StartError::Window,
            StartError::Batch { batch: 2, window: 1 },
            StartError::StackSize(1),
            StartError::ThreadName("\0".into()),
            StartError::BatchTime,
            StartError::Kind("primes".into()),
            StartError::RunId("a b".into()),
            StartError::NoSystem,
            StartError::SystemStopped,
            StartError::Thread { worker: 0, workers: 1, source: io::ErrorKind::WouldBlock.into() },
        ];
        assert_eq!(
            start.map(kind).join(" "),
            "workers threads concurrency global_workers window batch stack_size thread_name batch_time kind run_id no_system \
             system_stopped thread"
        );
        let setting = [
            SettingError::Window,
            SettingError::Batch { batch: 2, window: 1 },
            SettingError::Concurrency,
            SettingError::Merged,
        ];
        assert_eq!(setting.map(kind).join(" "), "window batch concurrency merged");
        let run = [
            RunError::Panicked { message: message() },
            RunError::Full { expected_wait: None },
            RunError::OwnWorkers,
            RunError::Lost(PipelineError::SystemStopped),
        ];
        assert_eq!(run.map(kind).join(" "), "panicked full own_workers lost");
        let submit = [
            SubmitError::Full(()),
            SubmitError::Closed(()),
            SubmitError::OwnPool(()),
            SubmitError::Stopped { item: Some(()) },
            SubmitError::Lost { item: None, error: PipelineError::SystemStopped },
        ];
        assert_eq!(submit.map(kind).join(" "), "full closed own_pool stopped lost");
        // The failure of the item is serialized as its `ItemError`.
        let failed = || ItemError::panicked(1, "boom".into());
        assert_json(SubmitError::<()>::Failed(failed()), serde_json::to_value(failed()).unwrap());
    }
}
