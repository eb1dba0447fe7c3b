//! What may become of coordinators.

use actix_fan::PipelineError;

use crate::setup::{Peer, Server, assert_exact, on_each_server, on_one_server, start};

#[test]
fn a_run_whose_coordinator_was_killed_is_resumed_without_running_what_is_stored() {
    on_each_server(|server| async move {
        let mut node = Peer::ready_node(&server.url(), &[("hold", "60")]).await;
        let mut first = Peer::coordinator(&server.url(), "resumed", 100);
        node.lines().wait_for("holds 60").await;
        // These are stored.
        first.lines().wait_for("takes 59").await;
        first.kill();
        let before = node.begun().await.len();
        let resumed = start(&server.url(), 100, "resumed").await;
        node.release();
        assert_exact(&resumed.end().await, 100);
        let again: Vec<u64> = node.begun().await.into_iter().skip(before).filter(|n| *n < 59).collect();
        assert!(again.is_empty(), "{again:?}");
        // Once more: now all is stored.
        let count = node.begun().await.len();
        assert_exact(&start(&server.url(), 100, "resumed").await.end().await, 100);
        assert_eq!(node.begun().await.len(), count);
    });
}

#[test]
fn a_run_has_one_coordinator_and_an_earlier_one_ends_with_an_error() {
    on_one_server(|server| async move {
        let mut node = Peer::ready_node(&server.url(), &[("hold", "30")]).await;
        let mut first = start(&server.url(), 100, "taken-over").await;
        first.take(29).await;
        node.lines().wait_for("holds 30").await;
        let second = start(&server.url(), 100, "taken-over").await;
        let outcome = first.end().await;
        let Some(PipelineError::Remote { message }) = outcome.error else { panic!("{:?}", outcome.error) };
        assert!(message.contains("another coordinator has taken the run over"), "{message}");
        node.release();
        assert_exact(&second.end().await, 100);
    });
}

/// The bucket with the records of runs is lost before another coordinator takes a run over.
async fn taken_over_after(server: &mut Server, loss: impl AsyncFnOnce(&mut Server)) {
    let mut node = Peer::ready_node(&server.url(), &[("hold", "30")]).await;
    let mut first = start(&server.url(), 100, "taken-over").await;
    first.take(29).await;
    node.lines().wait_for("holds 30").await;
    loss(server).await;
    // It makes a new bucket, if no other has. There the record of the second coordinator may have the number of the first one's.
    let other = Peer::ready_node(&server.url(), &[("kind", "others/1")]).await;
    let mut second = start(&server.url(), 100, "taken-over").await;
    let outcome = first.end().await;
    let Some(PipelineError::Remote { message }) = outcome.error else { panic!("{:?}", outcome.error) };
    assert!(message.contains("another coordinator has taken the run over"), "{message}");
    // Neither its jobs nor its record are gone with the first one.
    second.take(29).await;
    node.release();
    assert_exact(&second.end().await, 100);
    drop(other);
}

#[test]
fn a_run_is_taken_over_after_a_server_has_lost_the_records_of_runs() {
    on_each_server(|mut server| async move {
        let loss = async |server: &mut Server| {
            server.kill();
            server.remove_stream("KV_FAN2_RUNS");
            server.start().await;
        };
        taken_over_after(&mut server, loss).await;
    });
}

#[test]
fn a_run_is_taken_over_after_the_records_of_runs_were_deleted() {
    on_one_server(|mut server| async move {
        let loss = async |server: &mut Server| {
            let client = async_nats::connect(server.url()).await.unwrap();
            async_nats::jetstream::new(client).delete_stream("KV_FAN2_RUNS").await.unwrap();
        };
        taken_over_after(&mut server, loss).await;
    });
}
