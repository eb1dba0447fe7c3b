//! Signals to the server of the page, without a browser.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{ChildStderr, Stdio};
use std::time::{Duration, Instant};

use crate::server::{Server, command};

/// The time after which a test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server whose shutdown timeout is longer than a test may take.
fn start() -> (Server, BufReader<ChildStderr>) {
    let args = ["--port", "0", "--workers", "1", "--shutdown-timeout", "600"];
    let mut server = Server::spawn(command().args(args).stderr(Stdio::piped()));
    let stderr = server.stderr();
    (server, stderr)
}

fn line(reader: &mut impl BufRead) -> String {
    let mut line = String::new();
    reader.read_line(&mut line).expect("it is text");
    line
}

/// Reads the rest of a stream. A stream that does not end fails the test.
fn rest(mut reader: impl Read) -> String {
    let deadline = Instant::now() + PATIENCE;
    let (mut bytes, mut part) = (Vec::new(), [0; 4096]);
    loop {
        match reader.read(&mut part).expect("it ends") {
            0 => break,
            read => bytes.extend_from_slice(&part[..read]),
        }
        assert!(Instant::now() < deadline, "it goes on after {} bytes", bytes.len());
    }
    String::from_utf8(bytes).expect("it is text")
}

fn ask(server: &Server, request: &str) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(server.address()).expect("the server listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("it is not zero");
    stream.write_all(request.as_bytes()).expect("the server reads");
    BufReader::new(stream)
}

fn stream(server: &Server, query: &str, accept: &str) -> BufReader<TcpStream> {
    let mut answer = ask(server, &format!("GET /primes?{query} HTTP/1.1\r\nHost: test\r\nAccept: {accept}\r\n\r\n"));
    while line(&mut answer) != "\r\n" {}
    answer
}

/// Sends a request without its body, and waits until the server reads the body.
fn unfinished(server: &Server) -> BufReader<TcpStream> {
    let mut answer =
        ask(server, "POST /check HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n[97");
    assert_eq!((line(&mut answer).as_str(), line(&mut answer).as_str()), ("HTTP/1.1 100 Continue\r\n", "\r\n"));
    answer
}

#[test]
fn a_signal_ends_every_stream_with_its_last_line_and_then_the_server() {
    for name in ["INT", "TERM"] {
        let (mut server, stderr) = start();
        let queries = [
            // Trial division takes seconds for the first prime.
            ("bits=64&finder=trial", "text/event-stream"),
            ("bits=64&pace=1", "application/x-ndjson"),
            ("bits=64&pace=0", "application/x-ndjson"),
            ("bits=64&pace=0&newest=10", "text/event-stream"),
        ];
        let streams = queries.repeat(2);
        let streams: Vec<_> = streams.iter().map(|(query, accept)| stream(&server, query, accept)).collect();
        let refused = rest(ask(&server, "GET /primes HTTP/1.0\r\n\r\n"));
        assert!(refused.starts_with("HTTP/1.0 503 ") && refused.contains("retry-after: 5\r\n"), "{refused}");

        server.signal(name);
        for stream in streams {
            let text = rest(stream);
            let last = &text[text.rfind("{\"end\":").unwrap_or_else(|| panic!("no last line: {text}"))..];
            assert!(last.starts_with(r#"{"end":"stopped","results":"#), "{last}");
            assert!(last.ends_with("\r\n0\r\n\r\n"), "cut off: {last}");
        }
        assert_eq!(server.code(), Some(0));
        assert_eq!(rest(stderr), "shutting down with 8 open streams; another signal ends the process at once\n");
    }
}

#[test]
fn a_request_that_runs_is_answered_before_the_server_ends() {
    let (mut server, mut stderr) = start();
    let mut answer = unfinished(&server);
    server.signal("TERM");
    assert_eq!(line(&mut stderr), "shutting down with 0 open streams; another signal ends the process at once\n");
    answer.get_mut().write_all(b"]").expect("the server reads on");
    let text = rest(answer);
    assert!(text.starts_with("HTTP/1.1 200 ") && text.contains(r#"{"number":"97","prime":true"#), "{text}");
    assert_eq!(server.code(), Some(0));
}

#[test]
fn a_second_signal_waits_for_nothing() {
    for (name, code) in [("INT", 130), ("TERM", 143)] {
        let (mut server, mut stderr) = start();
        let _answer = unfinished(&server);
        server.signal("TERM");
        line(&mut stderr);
        server.signal(name);
        assert_eq!(server.code(), Some(code));
    }
}
