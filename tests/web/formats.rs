use std::io::{self, Write};
use std::time::Duration;

use actix_fan::web::{events, events_with, ndjson, ndjson_with};
use actix_fan::{FanIn, FanOutExt};
use actix_web::web::get;
use futures::{StreamExt, stream};

use crate::client::Client;
use crate::server::{Closed, serve};
use crate::support::{Gate, quiet_panic, run};

/// 0, a failure, a panic, 30.
fn four() -> FanIn<u32> {
    let work = |n| match n {
        1 => Err("a secret"),
        2 => panic!("another secret"),
        n => Ok(10 * n),
    };
    (0..4u32).fan_out().workers(2).ordered().try_map(work).unwrap()
}

/// The last line of a stream that ended by itself.
fn complete(results: u64, failures: u64) -> String {
    format!(r#"{{"end":"complete","results":{results},"failures":{failures}}}"#)
}

#[test]
fn ndjson_is_one_line_per_result_and_failure() {
    run(async {
        let server = serve(Closed::Half, |app| {
            app.route("/", get().to(async || ndjson(four())));
            app.route("/causes", get().to(async || ndjson(four()).with_causes()));
        });
        let mut client = Client::ask(server, "/").await;
        let head = client.head().await;
        assert_eq!((head.status, head.get("content-type")), (200, Some("application/x-ndjson")));
        assert_eq!((head.get("cache-control"), head.get("x-accel-buffering")), (Some("no-store"), Some("no")));
        assert_eq!(
            client.body(&head).await,
            "0\n\
             {\"error\":\"item 1 failed\",\"index\":1}\n\
             {\"error\":\"item 2 panicked\",\"index\":2}\n\
             30\n\
             {\"end\":\"complete\",\"results\":2,\"failures\":2}\n"
        );
        client.get("/causes").await;
        assert_eq!(
            client.answer().await.1,
            "0\n\
             {\"error\":\"item 1 failed: a secret\",\"index\":1}\n\
             {\"error\":\"item 2 panicked: another secret\",\"index\":2}\n\
             30\n\
             {\"end\":\"complete\",\"results\":2,\"failures\":2}\n"
        );
    });
}

#[test]
fn events_have_names_ids_and_an_end() {
    run(async {
        let server = serve(Closed::Half, |app| {
            app.route("/", get().to(async || events(four())));
            app.route("/named", get().to(async || events(four()).name("square").opening("start", "a\nb")));
        });
        let mut client = Client::ask(server, "/").await;
        let head = client.head().await;
        assert_eq!((head.status, head.get("content-type")), (200, Some("text/event-stream")));
        assert_eq!((head.get("cache-control"), head.get("x-accel-buffering")), (Some("no-store"), Some("no")));
        assert_eq!(
            client.body(&head).await,
            "id: 0\ndata: 0\n\n\
             event: failure\nid: 1\ndata: {\"error\":\"item 1 failed\",\"index\":1}\n\n\
             event: failure\nid: 2\ndata: {\"error\":\"item 2 panicked\",\"index\":2}\n\n\
             id: 3\ndata: 30\n\n\
             event: end\ndata: {\"end\":\"complete\",\"results\":2,\"failures\":2}\n\n"
        );
        client.get("/named").await;
        let (_, body) = client.answer().await;
        assert!(body.starts_with("event: start\ndata: a\ndata: b\n\nevent: square\nid: 0\ndata: 0\n\n"), "{body}");
    });
}

#[test]
fn a_failed_pipeline_says_so_in_its_last_line() {
    fn lost() -> FanIn<u32> {
        (0..3u32).map(|n| if n == 2 { panic!("no more") } else { n }).fan_out().ordered().map(|n| n).unwrap()
    }
    run(async {
        let server = serve(Closed::Half, |app| {
            app.route("/lines", get().to(async || ndjson(lost())));
            app.route("/events", get().to(async || events(lost()).with_causes()));
        });
        let (_, lines) = Client::ask(server, "/lines").await.answer().await;
        let last = r#"{"end":"failed","results":2,"failures":0,"error":"the pipeline ended before its source did"#;
        assert_eq!(lines, format!("0\n1\n{last}\"}}\n"));
        let (_, events) = Client::ask(server, "/events").await.answer().await;
        let event = format!("event: end\ndata: {last}: the source panicked: no more\"}}\n\n");
        assert!(events.ends_with(&event), "{events}");
    });
}

#[test]
fn line_breaks_of_a_writer_stay_inside_its_result() {
    fn broken(n: &u32, out: &mut Vec<u8>) -> io::Result<()> {
        write!(out, "[{n},\r\n {n}]")
    }
    run(async {
        let results = || stream::iter([Ok(1u32), Ok(2)]);
        let server = serve(Closed::Half, move |app| {
            app.route("/lines", get().to(move || async move { ndjson_with(results(), broken) }));
            app.route("/events", get().to(move || async move { events_with(results(), broken) }));
        });
        let (_, lines) = Client::ask(server, "/lines").await.answer().await;
        assert_eq!(lines, format!("[1,   1]\n[2,   2]\n{}\n", complete(2, 0)));
        let (_, events) = Client::ask(server, "/events").await.answer().await;
        let results = "id: 0\ndata: [1,\ndata:  1]\n\nid: 1\ndata: [2,\ndata:  2]\n\n";
        assert_eq!(events, format!("{results}event: end\ndata: {}\n\n", complete(2, 0)));
    });
}

#[test]
fn a_result_that_cannot_be_written_is_a_failure_in_its_position() {
    fn odd(n: &u32, out: &mut Vec<u8>) -> io::Result<()> {
        write!(out, "{n}")?;
        match n {
            2 => Err(io::Error::other("even")),
            3 => quiet_panic("odd"),
            _ => Ok(()),
        }
    }
    run(async {
        let results = || stream::iter([Ok(1u32), Ok(2), Ok(3), Ok(5)]);
        let server = serve(Closed::Half, move |app| {
            app.route("/lines", get().to(move || async move { ndjson_with(results(), odd) }));
            app.route("/events", get().to(move || async move { events_with(results(), odd).with_causes() }));
        });
        let (_, lines) = Client::ask(server, "/lines").await.answer().await;
        let failure = |n| format!("{{\"error\":\"result {n} could not be written\",\"result\":{n}}}\n");
        assert_eq!(lines, format!("1\n{}{}5\n{}\n", failure(1), failure(2), complete(2, 2)));
        let (_, events) = Client::ask(server, "/events").await.answer().await;
        assert!(events.contains("event: failure\nid: 1\ndata: {\"error\":\"result 1 could not be written: even\","));
        assert!(events.contains("event: failure\nid: 2\ndata: {\"error\":\"result 2 could not be written: odd\","));
    });
}

#[test]
fn results_that_are_ready_together_share_a_chunk() {
    run(async {
        let server = serve(Closed::Half, |app| {
            let results = || stream::iter((0..100u32).map(Ok));
            app.route("/", get().to(move || async move { ndjson(results()) }));
        });
        let mut client = Client::ask(server, "/").await;
        client.head().await;
        let (mut chunks, mut lines) = (0, 0);
        while let Some(chunk) = client.chunk().await {
            chunks += 1;
            lines += chunk.lines().count();
        }
        assert_eq!(lines, 101);
        // One, but for a body whose time slice ends meanwhile because the thread is kept from running.
        assert!(chunks < 50, "{chunks} chunks");
    });
}

#[test]
fn a_ready_result_does_not_wait_for_others() {
    run(async {
        let gate = Gate::new();
        let passing = gate.clone();
        let server = serve(Closed::Half, move |app| {
            let gate = passing.clone();
            let results = move || {
                let gate = gate.clone();
                let work = move |n: u32| {
                    if n > 0 {
                        gate.pass();
                    }
                    n
                };
                (0..3u32).fan_out().workers(1).batch(1).ordered().map(work).unwrap()
            };
            app.route("/", get().to(move || std::future::ready(ndjson(results()))));
        });
        let mut client = Client::ask(server, "/").await;
        client.head().await;
        for n in 0..2 {
            assert_eq!(client.chunk().await, Some(format!("{n}\n")));
            gate.let_through(1);
        }
        // The end may be known before the last result is written, and is then in one chunk with it.
        let mut last = String::new();
        while let Some(chunk) = client.chunk().await {
            last += &chunk;
        }
        assert_eq!(last, format!("2\n{}\n", complete(3, 0)));
    });
}

#[test]
fn an_empty_stream_is_only_a_last_line() {
    run(async {
        let server = serve(Closed::Half, |app| {
            app.route("/", get().to(async || ndjson(stream::empty::<Result<u32, _>>().fuse())));
        });
        assert_eq!(Client::ask(server, "/").await.answer().await, (200, complete(0, 0) + "\n"));
    });
}

#[test]
fn an_always_ready_stream_continues_after_each_time_slice() {
    const RESULTS: u64 = 100_000;
    run(async {
        let server = serve(Closed::Half, |app| {
            // No heartbeat, which would hide a time slice after which the connection is not woken.
            let all = async || ndjson(stream::iter(0..RESULTS).map(Ok)).heartbeat(Duration::ZERO);
            app.route("/", get().to(all));
        });
        let (_, body) = Client::ask(server, "/").await.answer().await;
        let results = body.strip_suffix(&(complete(RESULTS, 0) + "\n")).unwrap();
        assert!(results.lines().map(|line| line.parse::<u64>().unwrap()).eq(0..RESULTS));
    });
}
