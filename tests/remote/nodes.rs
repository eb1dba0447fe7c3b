//! What may become of nodes.

use std::collections::HashSet;

use crate::setup::{Peer, Proxy, assert_exact, on_each_server, on_one_server, start};
use crate::support::Count;

/// A node that is slow to give a sign, on a machine that is busy, keeps its batches: no item runs twice for that.
const PATIENT: (&str, &str) = ("ack_wait", "60");

/// That all of these nodes together have begun each item once.
async fn assert_each_ran_once(nodes: &[&Peer], items: u64) {
    let mut begun = Vec::new();
    for node in nodes {
        begun.append(&mut node.begun().await);
    }
    begun.sort_unstable();
    assert_eq!(begun, (0..items).collect::<Vec<_>>());
}

#[test]
fn each_item_of_a_run_runs_once_and_its_error_crosses_the_network() {
    on_each_server(|server| async move {
        let url = server.url();
        let nodes = [Peer::ready_node(&url, &[PATIENT]).await, Peer::ready_node(&url, &[PATIENT]).await];
        let outcome = start(&server.url(), 1_000, "").await.end().await;
        assert_exact(&outcome, 1_000);
        assert_each_ran_once(&[&nodes[0], &nodes[1]], 1_000).await;
        assert_eq!(outcome.stats.nodes.iter().map(|node| node.items).sum::<u64>(), 1_000);
    });
}

#[test]
fn the_batch_of_a_node_that_was_killed_goes_to_another() {
    on_each_server(|server| async move {
        let mut first = Peer::ready_node(&server.url(), &[("hold", "11")]).await;
        let run = start(&server.url(), 200, "").await;
        first.lines().wait_for("holds 11").await;
        first.kill();
        let second = Peer::ready_node(&server.url(), &[]).await;
        assert_exact(&run.end().await, 200);
        assert!(second.begun().await.contains(&11));
    });
}

#[test]
fn a_node_that_dies_between_its_outcomes_and_its_acknowledgement_has_the_batch_run_twice_and_taken_once() {
    on_one_server(|server| async move {
        let dropped = Count::new();
        let counted = dropped.clone();
        let proxy = Proxy::filtered(server.port(), move |frame| {
            let is_acknowledgement = frame.subject.starts_with("$JS.ACK.") && frame.payload == b"+ACK";
            if is_acknowledgement {
                counted.add();
            }
            !is_acknowledgement
        });
        let proxy = proxy.await;
        let mut first = Peer::ready_node(&proxy.url(), &[("hold", "20"), ("threads", "1")]).await;
        let run = start(&server.url(), 40, "").await;
        // It has stored the outcomes of all before the one that is held, and no job of them is settled.
        first.lines().wait_for("holds 20").await;
        dropped.reached(1).await;
        first.kill();
        let second = Peer::ready_node(&server.url(), &[]).await;
        let outcome = run.end().await;
        assert_exact(&outcome, 40);
        assert_eq!(outcome.stats.completed + outcome.stats.failed, 40);
        drop(second);
    });
}

#[test]
fn a_node_that_was_stopped_for_longer_than_its_batch_is_waited_for_changes_nothing_when_it_goes_on() {
    on_one_server(|server| async move {
        let mut zombie = Peer::ready_node(&server.url(), &[("hold", "11")]).await;
        let mut run = start(&server.url(), 1_000, "").await;
        zombie.lines().wait_for("holds 11").await;
        zombie.signal("STOP");
        let other = Peer::ready_node(&server.url(), &[("pace", "1000")]).await;
        // Only after the batch has gone to the other one.
        other.lines().wait_for("begins 11").await;
        run.take(100).await;
        zombie.signal("CONT");
        zombie.release();
        assert_exact(&run.end().await, 1_000);
        assert!(zombie.begun().await.contains(&11));
    });
}

#[test]
fn an_item_that_ends_five_processes_fails_alone() {
    on_one_server(|server| async move {
        let run = start(&server.url(), 60, "").await;
        let url = server.url();
        let deaths = Count::new();
        let respawning = async {
            loop {
                let node = Peer::ready_node(&url, &[("deadly", "31")]).await;
                node.lines().ended().await;
                deaths.add();
            }
        };
        let outcome = tokio::select! {
            outcome = run.end() => outcome,
            () = respawning => unreachable!("it goes on"),
        };
        assert!(outcome.error.is_none(), "{:?}", outcome.error);
        let mut expected = crate::setup::expected(60);
        expected[31] = "item 31 failed: it was delivered 5 times, and each node that had it was lost".to_owned();
        assert_eq!(outcome.texts, expected);
        // Five with its batch, and five by itself, unless it had a batch of its own.
        assert!([5, 10].contains(&deaths.get()), "{}", deaths.get());
    });
}

#[test]
fn a_node_without_the_kind_or_with_another_version_of_it_is_not_asked() {
    on_one_server(|server| async move {
        let other = Peer::ready_node(&server.url(), &[("kind", "others/1")]).await;
        let newer = Peer::ready_node(&server.url(), &[("kind", "numbers/2")]).await;
        let node = Peer::ready_node(&server.url(), &[PATIENT]).await;
        assert_exact(&start(&server.url(), 300, "").await.end().await, 300);
        assert_each_ran_once(&[&node], 300).await;
        assert_eq!((other.begun().await, newer.begun().await), (vec![], vec![]));
    });
}

#[test]
fn a_node_that_drains_ends_what_it_has_and_another_goes_on() {
    on_one_server(|server| async move {
        let mut first = Peer::ready_node(&server.url(), &[("hold", "40"), ("threads", "1"), PATIENT]).await;
        let run = start(&server.url(), 600, "").await;
        first.lines().wait_for("holds 40").await;
        first.drain();
        first.lines().wait_for("drains").await;
        let second = Peer::ready_node(&server.url(), &[PATIENT]).await;
        second.lines().wait_for("begins").await;
        first.release();
        first.lines().wait_for("drained").await;
        let outcome = run.end().await;
        assert_exact(&outcome, 600);
        // With its last outcomes it has said that it leaves, and the other one that it does not.
        let told: Vec<_> = outcome.stats.nodes.iter().map(|node| (node.slots, node.draining)).collect();
        assert_eq!(told, [(2, true), (4, false)]);
        assert_eq!(outcome.stats.nodes[0].in_flight, 0);
        assert_each_ran_once(&[&first, &second], 600).await;
        let firsts: HashSet<u64> = first.begun().await.into_iter().collect();
        assert!(firsts.len() < 600);
    });
}
