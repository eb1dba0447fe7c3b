//! What is refused, and what the error says.

use std::error::Error;
use std::time::Duration;

use actix_fan::PipelineError;
use actix_fan::remote::{Nats, Node};

use crate::setup::{Peer, Run, assert_exact, builder, on_one_server, start};

/// The error of a run.
async fn error_of_run(nats: &Nats) -> String {
    let outcome = Run::over(nats, 10, "").end().await;
    let Some(PipelineError::Remote { message }) = outcome.error else { panic!("{:?}", outcome.error) };
    message
}

async fn error_of_node(nats: &Nats) -> String {
    Node::builder().map("numbers/1", |n: u64| n).start(nats).await.unwrap_err().to_string()
}

#[test]
fn a_wrong_password_is_an_error_at_once_that_does_not_show_it() {
    on_one_server(|server| async move {
        let mut strict = server.another("authorization { user: me, password: right }");
        strict.start().await;
        let connecting = Nats::connect(strict.url_of("me:wrong"));
        let error = tokio::time::timeout(Duration::from_secs(10), connecting).await.unwrap().unwrap_err();
        let text = format!("{error}: {}", error.source().unwrap());
        assert!(text.contains("uthorization"), "{text}");
        assert!(!text.contains("wrong"), "{text}");
        Nats::connect(strict.url_of("me:right")).await.unwrap();
    });
}

#[test]
fn a_node_that_may_not_watch_runs_does_not_start() {
    on_one_server(|server| async move {
        let users = "authorization { users: [
            { user: all, password: p }
            { user: node, password: p, permissions: {
                publish: { deny: [\"$JS.API.CONSUMER.CREATE.KV_FAN2_RUNS.>\", \"$JS.API.CONSUMER.CREATE.KV_FAN2_RUNS\"] }
            } }
        ] }";
        let mut strict = server.another(users);
        strict.start().await;
        let all = builder(&strict.url_of("all:p")).connect().await.unwrap();
        let node = Node::builder().map("numbers/1", |n: u64| n).start(&all).await.unwrap();
        let nats = builder(&strict.url_of("node:p")).connect().await.unwrap();
        let error = error_of_node(&nats).await;
        assert!(error.contains("cancelled runs") && error.contains("ermissions"), "{error}");
        drop(node);
    });
}

#[test]
fn a_run_ends_with_what_is_missing_if_its_only_node_may_not_send_outcomes() {
    on_one_server(|server| async move {
        let users = "authorization { users: [
            { user: all, password: p }
            { user: node, password: p, permissions: { publish: { deny: [\"fan2.res.>\"] } } }
        ] }";
        let mut strict = server.another(users);
        strict.start().await;
        let nats = builder(&strict.url_of("all:p")).outage(Duration::from_secs(6)).connect().await.unwrap();
        let run = Run::over(&nats, 20, "");
        let node = Peer::ready_node(&strict.url_of("node:p"), &[]).await;
        let Some(PipelineError::Remote { message }) = run.end().await.error else { panic!("it has no error") };
        assert!(message.contains("nodes could not send outcomes for"), "{message}");
        assert!(message.contains("batches are unanswered: items 0.."), "{message}");
        drop(node);
    });
}

/// They come to the coordinator all the same, once and again: what is not stored is passed on as well.
#[test]
fn a_run_ends_with_what_is_missing_if_outcomes_are_not_stored() {
    on_one_server(|server| async move {
        use async_nats::jetstream::{self, stream};
        let nats = builder(&server.url()).outage(Duration::from_secs(6)).connect().await.unwrap();
        let mut node = Peer::ready_node(&server.url(), &[("hold", "11"), ("threads", "1")]).await;
        let run = Run::over(&nats, 100, "");
        node.lines().wait_for("holds 11").await;
        let streams = jetstream::new(async_nats::connect(server.url()).await.unwrap());
        let mut results = streams.get_stream("FAN2_RESULTS").await.unwrap();
        let config = results.info().await.unwrap().config.clone();
        streams.update_stream(stream::Config { sealed: true, ..config }).await.unwrap();
        node.release();
        let Some(PipelineError::Remote { message }) = run.end().await.error else { panic!("it has no error") };
        assert!(message.contains("nodes could not send outcomes for") && message.contains("sealed"), "{message}");
    });
}

#[test]
fn a_stream_that_is_kept_in_memory_is_refused() {
    on_one_server(|server| async move {
        use async_nats::jetstream::{self, stream};
        let client = async_nats::connect(server.url()).await.unwrap();
        let config = stream::Config {
            name: "FAN2_JOBS".to_owned(),
            subjects: vec!["fan2.job.>".to_owned()],
            storage: stream::StorageType::Memory,
            ..stream::Config::default()
        };
        jetstream::new(client).create_stream(config).await.unwrap();
        let nats = builder(&server.url()).connect().await.unwrap();
        for error in [error_of_run(&nats).await, error_of_node(&nats).await] {
            assert!(error.contains("FAN2_JOBS") && error.contains("kept in memory"), "{error}");
        }
    });
}

#[test]
fn a_server_without_jetstream_is_refused() {
    on_one_server(|server| async move {
        let mut plain = server.another("# no jetstream");
        plain.start().await;
        let nats = builder(&plain.url()).connect().await.unwrap();
        for error in [error_of_run(&nats).await, error_of_node(&nats).await] {
            assert!(error.to_lowercase().contains("jetstream"), "{error}");
        }
    });
}

#[test]
fn a_server_without_space_for_the_streams_is_refused() {
    on_one_server(|server| async move {
        let mut small = server.another("jetstream { store_dir: \"STORAGE\", max_file_store: 1M }");
        small.start().await;
        let nats = builder(&small.url()).connect().await.unwrap();
        let error = error_of_run(&nats).await;
        assert!(error.contains("FAN2_") && error.contains("insufficient storage"), "{error}");
    });
}

#[test]
fn a_run_is_exact_where_neither_its_jobs_nor_its_outcomes_fit_the_streams() {
    on_one_server(|server| async move {
        let nats = builder(&server.url()).max_bytes(20_000).connect().await.unwrap();
        // The coordinator is first, and creates the streams.
        let run = Run::over(&nats, 2_000, "");
        let client = async_nats::connect(server.url()).await.unwrap();
        let streams = async_nats::jetstream::new(client);
        while streams.get_stream("FAN2_RESULTS").await.is_err() {}
        let node = Peer::ready_node(&server.url(), &[]).await;
        assert_exact(&run.end().await, 2_000);
        assert_exact(&start(&server.url(), 100, "").await.end().await, 100);
        drop(node);
    });
}
