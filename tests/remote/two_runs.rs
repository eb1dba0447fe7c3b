//! Several runs on the same nodes.

use crate::setup::{Peer, assert_exact, expected, on_one_server, start};

#[test]
fn two_runs_at_once_share_a_node() {
    on_one_server(|server| async move {
        let node = Peer::ready_node(&server.url(), &[("pace", "1000"), ("threads", "1")]).await;
        let mut long = start(&server.url(), 1_000_000, "").await;
        // Jobs of it are queued, and the node takes them in turn with those of the other run.
        while long.stats().in_flight < 100 {
            long.take(1).await;
        }
        let before = long.stats().completed;
        let short = start(&server.url(), 400, "").await;
        // Beside each other: the long one goes on until the short one has ended.
        let short = tokio::select! {
            outcome = short.end() => outcome,
            () = long.take(usize::MAX) => unreachable!("it goes on"),
        };
        assert_exact(&short, 400);
        // Not by its results, which may wait for one batch that comes late.
        let meanwhile = long.stats().completed - before;
        assert!(meanwhile > 50, "the long one had {meanwhile} results meanwhile");
        long.stop();
        let outcome = long.end().await;
        assert!(outcome.error.is_none(), "{:?}", outcome.error);
        assert!(expected(outcome.texts.len() as u64).starts_with(&outcome.texts));
        drop(node);
    });
}
