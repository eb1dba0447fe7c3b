//! The streams, the bucket and the consumers, created where they are missing.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, Consumer, pull};
use async_nats::jetstream::kv::Store;
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType, Stream};

use crate::backend::jetstream::link::{Explained, Link};
use crate::backend::jetstream::names;
use crate::backend::kinds::Kind;
use crate::backend::link::LinkError;

/// How long outcomes and the records of runs are kept at most.
pub(super) const KEPT: Duration = Duration::from_secs(24 * 3600);

/// The longest message: the default of servers, and what they are asked for.
pub(super) const MAX_MESSAGE: i32 = 1 << 20;

/// The most bytes of the records of runs.
pub(super) const RUNS_BYTES: i64 = 16 << 20;

/// How many jobs of a kind may be at nodes.
pub(super) const ACK_PENDING: i64 = 100_000;

/// What is looked for before a job is stored: a message of the same name within this time.
const DUPLICATES: Duration = Duration::from_secs(120);

/// A key of the bucket that a node writes: a watch of the bucket that works shows it.
pub(super) const SIGN: &str = "_sign";

impl Link {
    pub(super) async fn jobs(&self) -> Result<Stream, LinkError> {
        self.stream(Config {
            name: names::JOBS.to_owned(),
            subjects: vec![names::JOB_SUBJECTS.to_owned()],
            // A job that was settled is gone: what is there is queued or at a node.
            retention: RetentionPolicy::WorkQueue,
            ..self.config()
        })
        .await
    }

    pub(super) async fn results(&self) -> Result<Stream, LinkError> {
        self.stream(Config {
            name: names::RESULTS.to_owned(),
            subjects: vec![names::RESULT_SUBJECTS.to_owned()],
            retention: RetentionPolicy::Limits,
            // Where they don't fit, the oldest go, of which most were taken long ago; what was not is run again. If new ones
            // were refused instead, each slot of a node would hold on to one for ever.
            discard: DiscardPolicy::Old,
            max_age: KEPT,
            ..self.config()
        })
        .await
    }

    /// The stream of the bucket, which a server of version 2.9 refuses to create as a bucket.
    pub(super) async fn runs_stream(&self) -> Result<Stream, LinkError> {
        self.stream(Config {
            name: names::RUNS_STREAM.to_owned(),
            subjects: vec![names::RUNS_SUBJECTS.to_owned()],
            max_messages_per_subject: 1,
            max_age: KEPT,
            allow_rollup: true,
            deny_delete: true,
            allow_direct: true,
            max_bytes: RUNS_BYTES,
            ..self.config()
        })
        .await
    }

    /// The bucket of runs.
    pub(super) async fn runs(&self) -> Result<Store, LinkError> {
        self.runs_stream().await?;
        self.context.get_key_value(names::RUNS).await.explained(self, "the bucket of runs could not be opened")
    }

    fn config(&self) -> Config {
        Config {
            storage: StorageType::File,
            discard: DiscardPolicy::New,
            num_replicas: self.settings.replicas,
            max_bytes: self.settings.max_bytes,
            max_message_size: MAX_MESSAGE,
            duplicate_window: DUPLICATES,
            ..Config::default()
        }
    }

    /// A stream that is there, or is created. What is there is left as it is.
    async fn stream(&self, config: Config) -> Result<Stream, LinkError> {
        let name = config.name.clone();
        let created = self.context.get_or_create_stream(config).await;
        let stream = created.explained(self, &format!("the stream {name} could not be created"))?;
        let config = &stream.cached_info().config;
        if config.storage != StorageType::File {
            let text = format!("the stream {name} is kept in memory, and would be lost with its server: delete it");
            return Err(LinkError(text));
        }
        Ok(stream)
    }

    /// The consumer that gives the jobs of a kind to nodes.
    pub(super) async fn consumer(&self, kind: &Kind) -> Result<Consumer<pull::Config>, LinkError> {
        let jobs = self.jobs().await?;
        let name = names::consumer(kind);
        let config = pull::Config {
            durable_name: Some(name.clone()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: self.settings.ack_wait,
            // No limit: a job that reached it would stay in its stream for ever. Nodes count for themselves.
            max_deliver: -1,
            filter_subject: names::jobs_of_kind(kind),
            max_ack_pending: ACK_PENDING,
            max_waiting: 100_000,
            ..pull::Config::default()
        };
        let created = jobs.get_or_create_consumer(&name, config).await;
        created.explained(self, &format!("the consumer {name} could not be created"))
    }
}
