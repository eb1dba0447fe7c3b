//! `examples/telemetry` as a process: a request's trace, and where it is sent.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;
use std::thread::spawn;

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// Runs it until it has ended in order; returns what it has printed, and its errors.
fn run(endpoint: &str) -> (String, String) {
    let path = env::current_exe().unwrap().with_file_name("../examples/telemetry");
    let output = Command::new(&path)
        .env(ENDPOINT, endpoint)
        .output()
        .unwrap_or_else(|error| panic!("{error}: {} is built by `cargo test --all-features`", path.display()));
    let [stdout, stderr] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(output.status.success(), "{stderr}");
    (stdout, stderr)
}

#[test]
fn a_trace_leads_from_the_handler_to_the_worker_and_back() {
    let (stdout, stderr) = run("");
    assert_eq!(stderr, "");
    let lines: Vec<&str> = stdout.lines().collect();
    let [answer, trace, request, work, back] = lines[..] else { panic!("{stdout}") };
    // Below the span that the caller's `traceparent` names.
    let caller = "trace 4bf92f3577b34da6a3ce929d0e0e4736, caller's span 00f067aa0ba902b7";
    assert_eq!((answer, trace), ("true", caller));

    // When it began and how long it took, in milliseconds; its name with its depth; its thread and its attributes.
    let parse = |line: &str, name: &str| {
        let (began, rest) = line.split_once(" ms  ").expect("it says when it began");
        let (named, rest) = rest.split_at(10);
        assert_eq!(named.trim_end(), name, "{stdout}");
        let (took, rest) = rest.split_once(" ms  ").expect("it says how long it took");
        let ms = |text: &str| text.trim().parse::<f64>().expect("it is a number");
        (ms(began), ms(began) + ms(took), rest.to_owned())
    };
    let (request_began, request_ended, request) = parse(request, "request");
    let (work_began, work_ended, work) = parse(work, "  work");
    let (back_began, back_ended, back) = parse(back, "  answer");
    let order = [request_began, work_began, work_ended, request_ended];
    assert!(order.is_sorted() && back_began >= work_began && back_ended <= request_ended, "{stdout}");

    for attribute in ["http.request.method=GET", "http.route=/is-prime/{n}", "http.response.status_code=200"] {
        assert!(request.contains(attribute), "{request}");
    }
    assert!(work.starts_with("is-prime-") && work.contains("kind=pool name=is-prime first=0 items=1"), "{work}");
    assert!(back.ends_with("prime=true"), "{back}");
    let thread = |rest: &str| rest.split_whitespace().next().map(str::to_owned);
    assert_eq!(thread(&request), thread(&back));
    let seconds = |name: &str| {
        let (_, rest) = work.split_once(name).expect("it is told");
        rest.split_whitespace().next().unwrap().parse::<f64>().expect("it is a number")
    };
    let (queue, run) = (seconds("queue_seconds="), seconds("run_seconds="));
    assert!(queue >= 0.0 && run > 0.0 && run * 1000.0 <= request_ended, "{stdout}");
}

#[test]
fn a_collector_that_the_environment_names_gets_the_trace_and_a_refusal_is_told() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let collector = spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(&stream).lines().map(Result::unwrap);
        let first = lines.next();
        let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
        // Not one of those after which the exporter tries again.
        (&stream).write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").unwrap();
        (first, head)
    });
    let (stdout, stderr) = run(&url);
    let (first, head) = collector.join().unwrap();
    assert_eq!(first.as_deref(), Some("POST /v1/traces HTTP/1.1"));
    let is_otlp = |line: &String| line.eq_ignore_ascii_case("content-type: application/x-protobuf");
    assert!(head.iter().any(is_otlp), "{head:?}");
    assert_eq!(stdout, "true\n");
    assert_eq!(stderr, format!("no export to {url}/v1/traces: 400 Bad Request\n"));
}
