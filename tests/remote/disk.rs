//! A server whose disk is full.

use std::time::Duration;

use actix_fan::{FanOutExt, PipelineError};
use futures::{StreamExt, stream};

use crate::setup::{Peer, Server, assert_exact, builder, kind, on_each_server, start};

/// What it says then.
const FULL: &str = "no space left on device";

/// A server with a small disk, of which it believes that it is a large one.
async fn with_small_disk(server: &Server) -> Option<Server> {
    let mut server = server.another("jetstream { store_dir: \"STORAGE\", max_file_store: 2G }");
    if !server.on_small_disk(24) {
        return None;
    }
    server.start().await;
    Some(server)
}

#[test]
fn a_run_is_exact_once_a_disk_that_was_full_has_space_again() {
    on_each_server(|server| async move {
        let Some(mut server) = with_small_disk(&server).await else { return };
        // It answers to nothing any more, without a line in its log to wait for.
        let version = server.log().wait_for("Version:").await;
        if version.contains(" 2.9.") {
            return;
        }
        let node = Peer::ready_node(&server.url(), &[("pace", "1000")]).await;
        let mut run = start(&server.url(), 2_000, "").await;
        run.take(40).await;
        server.disk().fill();
        server.log().wait_for(FULL).await;
        server.disk().free();
        // A newer server stores nothing more in such a stream until it is started again, and answers to nothing that is sent.
        if ![" 2.10.", " 2.12."].iter().any(|older| version.contains(older)) {
            server.kill();
            server.start().await;
        }
        assert_exact(&run.end().await, 2_000);
        drop(node);
    });
}

#[test]
fn a_run_ends_with_what_is_missing_if_the_disk_stays_full() {
    on_each_server(|server| async move {
        let Some(server) = with_small_disk(&server).await else { return };
        let node = Peer::ready_node(&server.url(), &[("pace", "1000")]).await;
        let nats = builder(&server.url()).outage(Duration::from_secs(6)).connect().await.unwrap();
        // More jobs come than fit the last page of a file, whatever comes back.
        let (filled, is_filled) = tokio::sync::oneshot::channel::<()>();
        let rest = stream::once(is_filled).flat_map(|_| stream::iter(40..2_000u64));
        let source = Box::pin(stream::iter(0..40).chain(rest));
        let mut results = source.fan_out().ordered().batch(2).over(&nats).slots(600).run::<u64>(kind::NUMBERS).unwrap();
        for _ in 0..38 {
            assert!(results.next().await.is_some());
        }
        server.disk().fill();
        filled.send(()).unwrap();
        while results.next().await.is_some() {}
        let Err(PipelineError::Remote { message }) = results.finished().await else { panic!("it has no error") };
        assert!(message.contains("unanswered: items"), "{message}");
        match server.log().count(FULL) {
            // Version 2.9 answers to nothing any more, sooner or later.
            0 => assert!(
                ["nothing was heard", "has not kept the job"].iter().any(|why| message.contains(why)),
                "{message}"
            ),
            _ => assert!(message.contains("has not kept the job"), "{message}"),
        }
        drop(node);
    });
}
