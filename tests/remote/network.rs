//! What may become of the network between a server and its clients.

use std::time::Duration;

use actix_fan::FanOutExt;
use futures::StreamExt;

use crate::setup::{Peer, Proxy, assert_exact, builder, kind, on_one_server, start};

/// Longer than a batch is waited for, which is 1 s.
const LONG: Duration = Duration::from_millis(2_500);

#[derive(Clone, Copy)]
enum Fault {
    Cut,
    Stall,
}

/// For how long there is no network.
async fn befalls(proxy: &Proxy, fault: Fault, length: Option<Duration>) {
    match fault {
        Fault::Cut => proxy.cut(),
        Fault::Stall => proxy.stall(),
    }
    if let Some(length) = length {
        // It is how long the fault lasts, and nothing is waited for with it.
        tokio::time::sleep(length).await;
    }
    proxy.mend();
}

fn between_node_and_server(fault: Fault, length: Option<Duration>) {
    on_one_server(|server| async move {
        let proxy = Proxy::new(server.port()).await;
        let mut cut_off = Peer::ready_node(&proxy.url(), &[("hold", "11"), ("pace", "200")]).await;
        let run = start(&server.url(), 1_000, "").await;
        cut_off.lines().wait_for("holds 11").await;
        let other = Peer::ready_node(&server.url(), &[("pace", "200")]).await;
        befalls(&proxy, fault, length).await;
        cut_off.release();
        assert_exact(&run.end().await, 1_000);
        drop(other);
    });
}

fn between_coordinator_and_server(fault: Fault, length: Option<Duration>) {
    on_one_server(|server| async move {
        let proxy = Proxy::new(server.port()).await;
        let node = Peer::ready_node(&server.url(), &[("pace", "500")]).await;
        let mut run = start(&proxy.url(), 1_000, "").await;
        run.take(50).await;
        befalls(&proxy, fault, length).await;
        assert_exact(&run.end().await, 1_000);
        drop(node);
    });
}

#[test]
fn a_node_that_was_cut_off_for_a_moment() {
    between_node_and_server(Fault::Cut, None);
}

#[test]
fn a_node_that_was_cut_off_for_longer_than_its_batch_is_waited_for() {
    between_node_and_server(Fault::Cut, Some(LONG));
}

#[test]
fn a_node_whose_network_stood_still_for_longer_than_its_batch_is_waited_for() {
    between_node_and_server(Fault::Stall, Some(LONG));
}

#[test]
fn a_coordinator_that_was_cut_off_for_a_moment() {
    between_coordinator_and_server(Fault::Cut, None);
}

#[test]
fn a_coordinator_that_was_cut_off_for_longer_than_a_batch_is_waited_for() {
    between_coordinator_and_server(Fault::Cut, Some(LONG));
}

#[test]
fn a_coordinator_whose_network_stood_still_for_longer_than_a_batch_is_waited_for() {
    between_coordinator_and_server(Fault::Stall, Some(LONG));
}

#[test]
fn a_coordinator_that_the_server_cut_off_for_being_slow_misses_nothing() {
    on_one_server(|server| async move {
        // Of what a client has not taken.
        let mut strict = server.another("max_pending: 2000000\nmax_payload: 150000\nwrite_deadline: \"500ms\"");
        strict.start().await;
        let proxy = Proxy::new(strict.port()).await;
        let node = Peer::ready_node(&strict.url(), &[]).await;
        let nats = builder(&proxy.url()).connect().await.unwrap();
        let mut results =
            (0..1_200_u64).fan_out().ordered().batch(2).over(&nats).slots(600).run::<Vec<u8>>(kind::BYTES).unwrap();
        assert!(results.next().await.unwrap().unwrap() == kind::bytes(0));
        proxy.stall();
        strict.log().wait_for("Slow Consumer").await;
        proxy.mend();
        for n in 1..1_200 {
            assert!(results.next().await.unwrap().unwrap() == kind::bytes(n), "of item {n}");
        }
        assert!(results.next().await.is_none());
        results.finished().await.unwrap();
        drop(node);
    });
}
