//! Settings that a client changes while its primes come, and panics that it asks for, without a browser.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::http::{ask, ask_with};
use crate::patience::until;
use crate::server::Server;

/// Opens a stream of primes, and skips the head of the answer.
fn stream(server: &Server, query: &str) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(server.address()).expect("the server listens");
    write!(stream, "GET /primes?{query} HTTP/1.1\r\nHost: test\r\n\r\n").expect("the server reads");
    let mut answer = BufReader::new(stream);
    while line(&mut answer) != "\r\n" {}
    answer
}

fn line(answer: &mut impl BufRead) -> String {
    let mut line = String::new();
    answer.read_line(&mut line).expect("it is text");
    line
}

#[test]
fn the_pace_of_a_client_can_be_changed_while_its_primes_come() {
    let server = Server::start(1);
    let mut answer = stream(&server, "bits=20&finder=fast&pace=1");
    until("the first one comes", || line(&mut answer).contains("number").then_some(()));
    let (status, pipeline) = ask(server.address(), "POST", "/searches/1/settings?pace=0", None).expect("it answers");
    assert_eq!((status, &pipeline["search"]["pace"]), (200, &json!(0)));
    // At the old pace, these would take longer than the patience of a test.
    let mut primes = 0;
    until("many come", || {
        primes += usize::from(line(&mut answer).contains("number"));
        (primes == 1000).then_some(())
    });
    assert_eq!(server.pipeline()["search"]["pace"], 0);
}

#[test]
fn settings_change_together_or_not_at_all_and_others_stay() {
    let server = Server::start(3);
    let _answer = stream(&server, "bits=20&finder=fast&pace=1&workers=2&window=16");
    let change = |query: &str| {
        let path = format!("/searches/1/settings?{query}");
        let (status, pipeline) = ask(server.address(), "POST", &path, None).expect("it answers");
        (status, pipeline["limit"].clone(), pipeline["concurrency"].clone(), pipeline["search"]["pace"].clone())
    };
    assert_eq!(change(""), (200, json!(16), json!(2), json!(1)));
    assert_eq!(change("window=8"), (200, json!(8), json!(2), json!(1)));
    assert_eq!(change("workers=1&pace=2"), (200, json!(8), json!(1), json!(2)));
    for wrong in ["workers=4&window=32", "window=1048577&pace=5", "pace=1001&workers=2"] {
        let path = format!("/searches/1/settings?{wrong}");
        let (status, _) = ask_with(server.address(), "POST", &path, "", "").expect("it answers");
        assert_eq!(status, 400, "{wrong}");
    }
    assert_eq!(change(""), (200, json!(8), json!(1), json!(2)));
    // All workers, and as many items as suit the finder.
    assert_eq!(change("workers=0&window=0"), (200, json!(3072), json!(3), json!(2)));
}

#[test]
fn one_item_in_as_many_as_asked_panics_and_its_worker_is_rebuilt() {
    let server = Server::start(2);
    let mut answer = stream(&server, "bits=20&finder=fast&pace=0&panic=10&workers=1");
    let failure = until("an item has failed", || Some(line(&mut answer)).filter(|line| line.contains("error")));
    let failure: Value = serde_json::from_str(&failure).expect("it is JSON");
    let index = failure["index"].as_u64().expect("it is a number");
    assert_eq!((index % 10, &failure["error"]), (9, &json!(format!("item {index} panicked"))), "{failure}");
    drop(answer);
    let pipeline = until("it has ended", || Some(server.pipeline()).filter(|pipeline| pipeline["ended"] == true));
    let workers = pipeline["workers"].as_array().expect("they are a list");
    let rebuilt: u64 = workers.iter().map(|worker| worker["rebuilt"].as_u64().expect("it is a number")).sum();
    assert_eq!(json!(rebuilt), pipeline["failed"]);
    assert!(rebuilt > 0);
}
