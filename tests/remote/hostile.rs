//! Messages that no coordinator and no node has sent.

use crate::setup::{Peer, assert_exact, on_one_server, start};

/// Of the format of messages.
const VERSION: u8 = 2;

/// Bytes that are the same in each run of the test.
fn garbage(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    let length = usize::from(byte());
    let mut bytes: Vec<u8> = (0..length).map(|_| byte()).collect();
    // Most with the version of the format.
    if !seed.is_multiple_of(4) && !bytes.is_empty() {
        bytes[0] = VERSION;
    }
    bytes
}

#[test]
fn garbage_instead_of_jobs_and_outcomes_changes_nothing() {
    on_one_server(|server| async move {
        let mut node = Peer::ready_node(&server.url(), &[("hold", "50"), ("threads", "1")]).await;
        let mut run = start(&server.url(), 200, "attacked").await;
        run.take(20).await;
        node.lines().wait_for("holds 50").await;
        let attacker = async_nats::connect(server.url()).await.unwrap();
        for seed in 0..200 {
            let at = seed;
            for subject in [
                format!("fan2.res.attacked.{at}"),
                format!("fan2.res.attacked.x{at}"),
                format!("fan2.job.numbers.1.attacked.{at}"),
                format!("fan2.job.numbers.1.attacked.x{at}"),
                format!("fan2.job.numbers.1.other.{at}"),
                format!("fan2.job.numbers.1.other.{at}.more"),
                "fan2.job.numbers.1.".to_owned() + "x",
            ] {
                attacker.publish(subject, garbage(seed).into()).await.unwrap();
            }
        }
        // Heads with the largest numbers: items of a batch, and of a batch that is open.
        for head in
            [[255; 10].as_slice(), &[0, 255, 255, 255, 255, 15], &[50, 2, 0, 0, 0], &[50, 255, 255, 255, 255, 15]]
        {
            let payload = [&[VERSION], head].concat();
            attacker.publish("fan2.res.attacked.50", payload.clone().into()).await.unwrap();
            attacker.publish("fan2.job.numbers.1.attacked.50", payload.into()).await.unwrap();
        }
        attacker.flush().await.unwrap();
        node.release();
        let outcome = run.end().await;
        // One forgery is a message as a node would send it, and can't be told from one: that item 50 and 51 ran, with
        // nothing behind it.
        assert!(outcome.error.is_none(), "{:?}", outcome.error);
        let others = |texts: &[String]| [&texts[..50], &texts[52..]].concat();
        assert_eq!(others(&outcome.texts), others(&crate::setup::expected(200)));
        // What was stored in the place of outcomes is not taken for any by the next coordinator.
        let again = start(&server.url(), 200, "attacked").await.end().await;
        assert_exact(&again, 200);
    });
}
