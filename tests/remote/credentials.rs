//! Keys that the server takes no more.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use actix_fan::PipelineError;

use crate::setup::{Peer, Run, Server, assert_exact, builder, names_the_batch_of, on_one_server};

/// The seed of an nkey, and what the server knows it by. They are those of these tests alone.
type Key = (&'static str, &'static str);

const COORDINATOR: Key = (
    "SUAO6L424DP5RY6IUUMBMBPQ7MFM3TH34KDJ2TF44HG7RLASIRKM4FRCMI",
    "UDFE7J2YIQTWZKI6UNZALZIK6Z4Y72X7S7OORMHZDVWFRISMOWC6YTHF",
);
const NODE: Key = (
    "SUAH6GUN5D7JYPJB32WXFZJXEYPOBXFHUCMJCZRG3N53VWN7HSV4I32OPE",
    "UANV5F2Q42KTQV2RMKV5LJX4I2IPKK4M63F6SAHSN2XGTFDJ6P7JGNGN",
);
const OTHER: Key = (
    "SUAOMQJZQYDWPPXWH32D3VLRIW37TEINPVG4RZX74JMV4PLMBFOI5LYW7Q",
    "UBPH2ZTSGERACRJS6Z4ZR5U7UKHSVLRU4L3XTXLVMCH4QFIZREEKMSAZ",
);

/// The configuration of a server that takes these keys.
fn takes(keys: &[Key]) -> String {
    let users: Vec<_> = keys.iter().map(|(_, public)| format!("{{ nkey: {public} }}")).collect();
    format!("authorization {{ users: [ {} ] }}", users.join(", "))
}

/// A file with the seed.
fn seed(server: &Server, (seed, public): Key) -> PathBuf {
    let path = server.file(public);
    fs::write(&path, seed).unwrap();
    path
}

async fn node(server: &Server, key: Key, settings: &[(&str, &str)]) -> Peer {
    let seed = seed(server, key);
    let settings = [settings, &[("nkey", seed.to_str().unwrap())]].concat();
    Peer::ready_node(&server.url(), &settings).await
}

async fn start(server: &Server, items: u64, outage: Duration) -> Run {
    let builder = builder(&server.url()).nkey_file(seed(server, COORDINATOR)).outage(outage);
    Run::over(&builder.connect().await.unwrap(), items, "")
}

const LONG: Duration = Duration::from_secs(120);

#[test]
fn a_node_whose_key_is_revoked_says_so_and_works_again_once_it_is_back() {
    on_one_server(|server| async move {
        let mut server = server.another(&takes(&[COORDINATOR, NODE, OTHER]));
        server.start().await;
        let mut revoked = node(&server, NODE, &[("hold", "11")]).await;
        let run = start(&server, 400, LONG).await;
        revoked.lines().wait_for("holds 11").await;
        server.reload(&takes(&[COORDINATOR, OTHER])).await;
        let other = node(&server, OTHER, &[]).await;
        revoked.lines().wait_for("uthorization").await;
        // Its batches are run by the other one.
        assert_exact(&run.end().await, 400);
        assert!(other.begun().await.contains(&11));
        drop(other);
        server.reload(&takes(&[COORDINATOR, NODE])).await;
        revoked.release();
        assert_exact(&start(&server, 40, LONG).await.end().await, 40);
    });
}

#[test]
fn a_run_whose_key_is_revoked_goes_on_once_it_is_back() {
    on_one_server(|server| async move {
        let mut server = server.another(&takes(&[COORDINATOR, NODE]));
        server.start().await;
        let mut node = node(&server, NODE, &[("hold", "50"), ("pace", "200")]).await;
        let mut run = start(&server, 1_000, LONG).await;
        run.take(40).await;
        node.lines().wait_for("holds 50").await;
        server.reload(&takes(&[NODE])).await;
        node.release();
        // By then the outcomes of what it had are stored, and were missed.
        server.log().wait_for_nth("authentication error", 9).await;
        server.reload(&takes(&[COORDINATOR, NODE])).await;
        assert_exact(&run.end().await, 1_000);
    });
}

#[test]
fn a_run_whose_key_stays_revoked_ends_with_what_is_missing_and_why() {
    on_one_server(|server| async move {
        let mut server = server.another(&takes(&[COORDINATOR, NODE]));
        server.start().await;
        let node = node(&server, NODE, &[("hold", "20")]).await;
        let mut run = start(&server, 100, Duration::from_secs(4)).await;
        run.take(19).await;
        node.lines().wait_for("holds 20").await;
        server.reload(&takes(&[NODE])).await;
        let Some(PipelineError::Remote { message }) = run.end().await.error else { panic!("it has no error") };
        assert!(message.contains("nothing was heard") && names_the_batch_of(20, &message), "{message}");
        assert!(message.contains("uthorization"), "{message}");
    });
}
