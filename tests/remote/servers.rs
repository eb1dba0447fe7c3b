//! What may become of a server.

use std::time::Duration;

use actix_fan::PipelineError;

use crate::setup::{
    Peer, Run, Server, assert_exact, builder, expected, names_the_batch_of, on_each_server, on_one_server, start,
};

/// A run of which a batch is held, and with it the end, while a server is down and `loss` befalls its files.
async fn with_a_loss(mut server: Server, loss: impl Fn(&Server)) {
    let mut node = Peer::ready_node(&server.url(), &[("hold", "150"), ("pace", "200")]).await;
    let other = Peer::ready_node(&server.url(), &[("pace", "200")]).await;
    let mut run = start(&server.url(), 1_000, "").await;
    run.take(40).await;
    server.kill();
    loss(&server);
    server.start().await;
    node.release();
    assert_exact(&run.end().await, 1_000);
    drop((node, other));
}

#[test]
fn a_server_that_was_killed_and_restarted_has_lost_nothing() {
    on_each_server(|server| with_a_loss(server, |_| {}));
}

#[test]
fn a_server_whose_jobs_were_cut_in_half_gets_them_again() {
    on_each_server(|server| with_a_loss(server, |server| assert!(server.cut_in_half("FAN2_JOBS") > 0)));
}

#[test]
fn a_server_whose_results_were_cut_in_half_has_them_computed_again() {
    on_each_server(|server| with_a_loss(server, |server| assert!(server.cut_in_half("FAN2_RESULTS") > 0)));
}

#[test]
fn a_server_without_its_jobs_gets_them_again() {
    on_each_server(|server| with_a_loss(server, |server| server.remove_stream("FAN2_JOBS")));
}

#[test]
fn a_server_without_its_results_has_them_computed_again() {
    on_one_server(|server| with_a_loss(server, |server| server.remove_stream("FAN2_RESULTS")));
}

#[test]
fn a_server_that_has_lost_everything_gets_it_again() {
    on_each_server(|server| with_a_loss(server, Server::remove_all));
}

#[test]
fn a_run_is_cancelled_on_a_server_that_has_lost_everything() {
    on_one_server(|mut server| async move {
        let mut node = Peer::ready_node(&server.url(), &[("hold", "50")]).await;
        let mut run = start(&server.url(), 1_000, "").await;
        run.take(20).await;
        node.lines().wait_for("holds 50").await;
        server.kill();
        server.remove_all();
        server.start().await;
        node.release();
        run.take(100).await;
        run.stop();
        let outcome = run.end().await;
        assert!(outcome.error.is_none(), "{:?}", outcome.error);
        assert!(expected(1_000).starts_with(&outcome.texts));
        // The node has no jobs of it left: those of another run come at once.
        let begun = node.begun().await.len();
        assert_exact(&start(&server.url(), 40, "").await.end().await, 40);
        assert!(node.begun().await.len() < begun + 40 + 20, "{begun} and {}", node.begun().await.len());
    });
}

#[test]
fn a_server_that_is_gone_for_longer_than_its_outage_ends_the_run_with_what_is_missing() {
    on_one_server(|mut server| async move {
        let node = Peer::ready_node(&server.url(), &[("hold", "20")]).await;
        let nats = builder(&server.url()).outage(Duration::from_secs(3)).connect().await.unwrap();
        let mut run = Run::over(&nats, 100, "");
        run.take(19).await;
        node.lines().wait_for("holds 20").await;
        server.kill();
        let outcome = run.end().await;
        let Some(PipelineError::Remote { message }) = outcome.error else { panic!("{:?}", outcome.error) };
        assert!(message.contains("nothing was heard") && names_the_batch_of(20, &message), "{message}");
        // The last one says that the pipeline has ended.
        let results = &outcome.texts[..outcome.texts.len() - 1];
        assert!(expected(100).starts_with(results), "{results:?}");
    });
}
