//! Checks of a server and of what this connection may do there.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::stream::{Config, RetentionPolicy, StorageType, Stream};
use futures::TryStreamExt;
use serde::Deserialize;

use crate::backend::jetstream::connection::Nats;
use crate::backend::jetstream::link::{Explained, Link};
use crate::backend::jetstream::names::{self, RunName};
use crate::backend::jetstream::streams::{ACK_PENDING, MAX_MESSAGE, RUNS_BYTES};
use crate::backend::kinds::Kind;

/// How far the clocks may be apart. Only the age of what is stored depends on it.
const SKEW: Duration = Duration::from_secs(5);

/// What was found out about one thing: see [`doctor`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Check {
    /// How it stands.
    pub health: Health,
    /// What was checked, in a word or two.
    pub what: &'static str,
    /// What was found, and what to change if that is not right.
    pub text: String,
}

/// How a thing stands that was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Health {
    /// It is right.
    Ok,
    /// It works, but not as well as it could, or not for all.
    Warn,
    /// Pipelines or nodes don't work with it.
    Bad,
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Bad => "bad",
        })
    }
}

/// Checks a server and what this connection may do there: the version, TLS, JetStream and its limits, the streams, the nodes
/// that wait, permissions, and the clock. It creates no stream; where the streams are there, it writes one job and one result
/// of a run that does not exist, and removes them.
///
/// It can be awaited under any runtime, and takes some seconds where the server does not answer.
pub async fn doctor(nats: &Nats) -> Vec<Check> {
    let checks = nats.call(|link| async move {
        let mut found = Findings::default();
        found.all(&link).await;
        found.0
    });
    let gone = || Check { health: Health::Bad, what: "connection", text: "its thread has ended".to_owned() };
    checks.await.unwrap_or_else(|| vec![gone()])
}

/// What JetStream says of the account. The client's own type is not that of a server of version 2.9, which says less.
#[derive(Deserialize)]
struct Account {
    #[serde(default)]
    error: Option<ApiError>,
    #[serde(default)]
    storage: u64,
    #[serde(default)]
    reserved_storage: u64,
    #[serde(default)]
    streams: u64,
    #[serde(default)]
    limits: Limits,
}

#[derive(Deserialize)]
struct ApiError {
    #[serde(default)]
    description: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Limits {
    max_storage: i64,
    max_streams: i64,
    max_ack_pending: i64,
}

#[derive(Default)]
struct Findings(Vec<Check>);

impl Findings {
    fn add(&mut self, health: Health, what: &'static str, text: impl Into<String>) {
        self.0.push(Check { health, what, text: text.into() });
    }

    async fn all(&mut self, link: &Link) {
        self.server(link);
        if !self.jetstream(link).await {
            return;
        }
        let jobs = self.stream(link, names::JOBS, RetentionPolicy::WorkQueue).await;
        let results = self.stream(link, names::RESULTS, RetentionPolicy::Limits).await;
        let runs = self.stream(link, names::RUNS_STREAM, RetentionPolicy::Limits).await;
        if let Some(jobs) = &jobs {
            self.nodes(link, jobs).await;
            self.may_send_jobs(link, jobs).await;
        }
        if let Some(results) = &results {
            self.may_send_results(link, results).await;
        }
        if runs.is_some() {
            self.may_watch_runs(link).await;
        }
        if jobs.is_none() || results.is_none() || runs.is_none() {
            self.add(Health::Ok, "permissions", "some are not tried, since not all streams are there yet");
        }
        let text = "can't be seen from here. By default JetStream syncs its files every 2 minutes; what a power failure \
                    takes is sent again, so pipelines don't need less";
        self.add(Health::Ok, "sync_interval", text);
    }

    fn server(&mut self, link: &Link) {
        let info = link.client.server_info();
        let name = format!("{} at {}:{}", info.server_name, info.host, info.port);
        let is_local = info.client_ip.starts_with("127.") || info.client_ip == "::1";
        if link.settings.tls || info.tls_required {
            self.add(Health::Ok, "connection", format!("to {name}, encrypted"));
        } else if is_local {
            self.add(Health::Ok, "connection", format!("to {name}, not encrypted, on this machine"));
        } else {
            let text = format!("to {name}, not encrypted: give the server a certificate and use tls://");
            self.add(Health::Warn, "connection", text);
        }
        let version = &info.version;
        let mut parts = version.split(['.', '-']).map(|part| part.parse::<u64>().unwrap_or(0));
        match (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) {
            (..=1, _) | (2, ..=8) => self.add(Health::Bad, "version", format!("{version}: 2.10 or later is needed")),
            (2, 9) => {
                let text = format!("{version} works, but has no updates any more: run 2.10 or later");
                self.add(Health::Warn, "version", text);
            }
            _ => self.add(Health::Ok, "version", version.clone()),
        }
        let (payload, most) = (info.max_payload, MAX_MESSAGE as usize);
        if payload < most {
            let text = format!(
                "{payload} bytes: results that are longer fail, and each batch is sent in parts; set max_payload to {most}"
            );
            self.add(Health::Warn, "max_payload", text);
        } else {
            self.add(Health::Ok, "max_payload", format!("{payload} bytes, of which {most} are used"));
        }
    }

    /// Returns true if there is one to look at.
    async fn jetstream(&mut self, link: &Link) -> bool {
        let answered =
            link.context.request("INFO", &()).await.map_err(|error| link.explain("it does not answer", error).0);
        let account = answered.and_then(|account: Account| match account.error {
            Some(error) => Err(error.description),
            None => Ok(account),
        });
        let account = match account {
            Ok(account) => account,
            Err(text) => {
                let text = format!("{text}: start the server with --jetstream, and enable it for the account");
                self.add(Health::Bad, "jetstream", text);
                return false;
            }
        };
        let limits = account.limits;
        let needed = 2 * link.settings.max_bytes.max(0) as u64 + RUNS_BYTES as u64;
        let storage = u64::try_from(limits.max_storage).unwrap_or(u64::MAX);
        let used = account.storage.max(account.reserved_storage);
        let streams = account.streams;
        let text = match storage {
            u64::MAX => format!("{streams} streams have {used} bytes, of what the server has"),
            _ => format!("{streams} streams have {used} bytes of the account's {storage}"),
        };
        if storage == 0 {
            let text = "the account may store nothing in files: raise its limit of disk storage";
            self.add(Health::Bad, "jetstream", text);
        } else if storage < needed {
            let text = format!("{text}: the streams may reserve {needed}; raise it, or have max_bytes be smaller");
            self.add(Health::Warn, "jetstream", text);
        } else {
            self.add(Health::Ok, "jetstream", text);
        }
        for (what, most, needed) in
            [("streams", limits.max_streams, 3), ("pending acknowledgements", limits.max_ack_pending, ACK_PENDING)]
        {
            // No limit is -1, or 0.
            if (1..needed).contains(&most) {
                let text = format!("the account may have {most} {what}, and {needed} are needed: raise the limit");
                self.add(Health::Bad, "limits", text);
            }
        }
        true
    }

    async fn stream(&mut self, link: &Link, name: &str, retention: RetentionPolicy) -> Option<Stream> {
        let stream = match link.context.get_stream(name).await {
            Ok(stream) => stream,
            Err(error) => {
                match error.kind() {
                    GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                        let text = format!("{name} is not there yet: the first node or coordinator creates it");
                        self.add(Health::Ok, "stream", text);
                    }
                    _ => {
                        let text = link.explain(&format!("{name} can't be looked at"), error);
                        let text = format!("{text}: allow $JS.API.STREAM.INFO.{name}");
                        self.add(Health::Bad, "stream", text);
                    }
                }
                return None;
            }
        };
        let info = stream.cached_info();
        let Config { storage, retention: is, num_replicas, max_bytes, max_message_size, .. } = &info.config;
        let bytes = info.state.bytes;
        let (health, advice) = if *storage != StorageType::File {
            (Health::Bad, ", kept in memory, and lost with the server: delete it, and a node creates it again")
        } else if *is != retention {
            (Health::Bad, ", with another retention than it needs: delete it, and a node creates it again")
        } else if (1..MAX_MESSAGE).contains(max_message_size) && name != names::RUNS_STREAM {
            (Health::Warn, ": longer results fail; set its max_msg_size to 1 MiB")
        } else if *max_bytes > 0 && bytes as f64 > 0.8 * *max_bytes as f64 {
            (Health::Warn, ": it is almost full; raise its max_bytes, or purge what is old")
        } else if *num_replicas == 1 && link.client.server_info().cluster.is_some() {
            (Health::Warn, ": there is no work while the server that has it is down; have 3 replicas")
        } else {
            (Health::Ok, "")
        };
        let copies = if *num_replicas == 1 { "1 copy".to_owned() } else { format!("{num_replicas} copies") };
        let messages = info.state.messages;
        let text = format!("{name}: {messages} messages, {bytes} of {max_bytes} bytes, {copies}{advice}");
        self.add(health, "stream", text);
        Some(stream)
    }

    /// The nodes that wait, by kind.
    async fn nodes(&mut self, link: &Link, jobs: &Stream) {
        let consumers: Result<Vec<_>, _> = jobs.consumers().try_collect().await;
        let consumers = match consumers {
            Ok(consumers) => consumers,
            Err(error) => {
                let text = link.explain("they can't be listed", error);
                let text = format!("{text}: allow $JS.API.CONSUMER.LIST.{} to see them", names::JOBS);
                return self.add(Health::Warn, "nodes", text);
            }
        };
        if consumers.is_empty() {
            self.add(Health::Warn, "nodes", "there were none yet: start one");
        }
        for consumer in consumers {
            let (waiting, queued, running) = (consumer.num_waiting, consumer.num_pending, consumer.num_ack_pending);
            let text =
                format!("{}: {waiting} requests wait for jobs, {queued} jobs queued, {running} running", consumer.name);
            match (waiting, queued, running) {
                (0, 1.., 0) => self.add(Health::Warn, "nodes", format!("{text}: no node has this kind; start one")),
                _ => self.add(Health::Ok, "nodes", text),
            }
        }
    }

    async fn may_send_jobs(&mut self, link: &Link, jobs: &Stream) {
        let kind = Kind::parse("doctor/1").expect("it is one");
        let run = RunName::random();
        match publish(link, names::job(&kind, &run, 0)).await {
            Err(text) => {
                let text = format!("may not send jobs, which only a coordinator needs: {text}");
                self.add(Health::Warn, "permissions", text);
            }
            Ok(()) => match jobs.purge().filter(names::jobs_of_run(&kind, &run)).await {
                Ok(_) => self.add(Health::Ok, "permissions", "may send jobs and purge them, as a coordinator"),
                Err(error) => {
                    let text = link.explain("may send jobs, but not purge them, as a coordinator must", error);
                    self.add(Health::Bad, "permissions", text.to_string());
                }
            },
        }
    }

    async fn may_send_results(&mut self, link: &Link, results: &Stream) {
        let run = RunName::random();
        let before = SystemTime::now();
        if let Err(text) = publish(link, names::result(&run, 0)).await {
            let text = format!("may not send results, which only a node needs: {text}");
            return self.add(Health::Warn, "permissions", text);
        }
        let after = SystemTime::now();
        self.add(Health::Ok, "permissions", "may send results, as a node");
        match results.get_last_raw_message_by_subject(&names::result(&run, 0)).await {
            Ok(message) => {
                self.add(Health::Ok, "permissions", "may read results, as a coordinator that looks for lost ones");
                let nanos = u64::try_from(message.time.unix_timestamp_nanos()).unwrap_or(0);
                self.clock(UNIX_EPOCH + Duration::from_nanos(nanos), before, after);
            }
            Err(error) => {
                let text = link.explain("may not read results, which only a coordinator needs", error);
                self.add(Health::Warn, "permissions", text.to_string());
            }
        }
        // Where it may not, the probe is there until it is too old.
        drop(results.purge().filter(names::results_of_run(&run)).await);
    }

    /// The server's clock showed `theirs` at some time between `before` and `after`.
    fn clock(&mut self, theirs: SystemTime, before: SystemTime, after: SystemTime) {
        let skew = before.duration_since(theirs).or_else(|_| theirs.duration_since(after)).unwrap_or_default();
        if skew > SKEW {
            let text = format!("{skew:.1?} apart from the server's: keep both right, as with chrony");
            self.add(Health::Warn, "clock", text);
        } else {
            self.add(
                Health::Ok,
                "clock",
                format!("at most {:.0?} apart from the server's", skew.max(Duration::from_millis(1))),
            );
        }
    }

    async fn may_watch_runs(&mut self, link: &Link) {
        let watched = async {
            let runs = link.runs().await?;
            let watch = runs.watch(names::RUNS).await;
            watch.map(drop).explained(link, "they can't be watched")
        };
        match watched.await {
            Ok(()) => self.add(Health::Ok, "permissions", "may watch which runs are cancelled"),
            Err(error) => {
                let text = format!("may not learn which runs are cancelled, as nodes and coordinators must: {error}");
                self.add(Health::Bad, "permissions", text);
            }
        }
    }
}

/// Publishes an empty message, which is no job and no result, and waits until it is stored.
async fn publish(link: &Link, subject: String) -> Result<(), String> {
    // An earlier one is not the reason.
    drop(link.complaint.take());
    let stored = async { link.context.publish(subject, "".into()).await?.await };
    stored.await.map(drop).map_err(|error| link.explain("it is not stored", error).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_compared_within_the_time_of_the_call() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        for (theirs, health) in [(100, Health::Ok), (103, Health::Ok), (90, Health::Warn), (120, Health::Warn)] {
            let mut found = Findings::default();
            found.clock(at(theirs), at(100), at(102));
            assert_eq!(found.0[0].health, health, "{theirs}");
        }
    }
}
