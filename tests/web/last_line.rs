//! The last line of a stream says how it ended.

use std::sync::Arc;

use actix_fan::web::{Ndjson, WriteJson, events, ndjson};
use actix_fan::{FanIn, FanOutExt, ItemError, StopHandle};
use actix_web::web::get;
use futures::channel::mpsc;
use futures::{SinkExt, Stream, StreamExt, stream};
use std::net::SocketAddr;

use crate::client::Client;
use crate::server::{Closed, Started, serve};
use crate::support::{quiet_panic, run};

type Numbers = stream::BoxStream<'static, Result<u64, ItemError>>;

fn endless() -> FanIn<u64> {
    (0u64..).fan_out().workers(2).map(|n| n).unwrap()
}

/// Serves what `adapt` makes of endless results: `/lines`, `/events`, and `/bare` without a last line.
fn serve_endless<S>(adapt: impl Fn(FanIn<u64>) -> S + Clone + Send + 'static) -> (SocketAddr, Started)
where
    S: Stream<Item = Result<u64, ItemError>> + 'static,
{
    let started = Started::default();
    let told = Arc::clone(&started);
    let server = serve(Closed::Half, move |app| {
        let (told, adapt) = (Arc::clone(&told), adapt.clone());
        let results = move || {
            let results = endless();
            *told.lock().unwrap() = Some(results.stop_handle());
            adapt(results)
        };
        let (for_events, bare) = (results.clone(), results.clone());
        app.route("/lines", get().to(move || std::future::ready(ndjson(results()))));
        app.route("/events", get().to(move || std::future::ready(events(for_events()))));
        app.route("/bare", get().to(move || std::future::ready(ndjson(bare()).without_end())));
    });
    (server, started)
}

/// What follows after `act` once the first results are here, parsed if it is JSON.
async fn last(server: SocketAddr, path: &str, started: &Started, act: fn(&StopHandle)) -> serde_json::Value {
    let mut client = Client::ask(server, path).await;
    let head = client.head().await;
    let first = client.chunk().await.unwrap();
    act(&started.lock().unwrap().take().unwrap());
    let body = first + &client.body(&head).await;
    let last = body.lines().rfind(|line| !line.is_empty()).unwrap();
    let end: serde_json::Value = serde_json::from_str(last.trim_start_matches("data: ")).unwrap();
    if path == "/lines" {
        assert_eq!(end["results"], body.lines().count() as u64 - 1);
    }
    assert_eq!(end["failures"], 0);
    end
}

#[test]
fn a_stopped_or_drained_stream_says_so_also_inside_adapters() {
    async fn all<S>(adapt: impl Fn(FanIn<u64>) -> S + Clone + Send + 'static)
    where
        S: Stream<Item = Result<u64, ItemError>> + 'static,
    {
        let (server, started) = serve_endless(adapt);
        for path in ["/lines", "/events"] {
            assert_eq!(last(server, path, &started, StopHandle::stop).await["end"], "stopped");
            assert_eq!(last(server, path, &started, StopHandle::drain).await["end"], "drained");
        }
    }
    run(async {
        all(|results| results).await;
        all(|results| results.map(|n| Ok(n? + 1))).await;
        all(|results| stream::repeat(()).zip(results).map(|(_, n)| n).left_stream::<stream::Pending<_>>()).await;
        all(|results| results.chain(stream::iter([Ok(7)])).boxed()).await;
    });
}

/// As `prime-fan/examples/page` does.
#[test]
fn a_stream_ended_by_an_adapter_because_of_a_stop_is_not_complete() {
    run(async {
        let (server, started) = serve_endless(|results| {
            let stop = results.stop_handle();
            // The second tick never comes, so that only the adapter can see the stop.
            let ticks = stream::iter([()]).chain(stream::pending());
            let paced = ticks.zip(results).map(|(_, n)| n);
            Box::pin(paced.take_until(async move { stop.workers_stopped().await }))
        });
        for path in ["/lines", "/events"] {
            assert_eq!(last(server, path, &started, StopHandle::stop).await["end"], "stopped");
        }
    });
}

#[test]
fn a_stream_ended_by_an_adapter_that_has_enough_is_complete() {
    run(async {
        let server = serve(Closed::Half, |app| {
            app.route("/", get().to(async || ndjson(endless().take(10))));
        });
        let (_, body) = Client::ask(server, "/").await.answer().await;
        assert!(body.ends_with("\n{\"end\":\"complete\",\"results\":10,\"failures\":0}\n"), "{body}");
    });
}

#[test]
fn a_pipeline_behind_a_channel_is_known_if_it_is_named() {
    fn forwarded() -> Ndjson<Numbers, WriteJson<u64>> {
        let mut results = endless();
        let stop = results.stop_handle();
        let (mut sender, receiver) = mpsc::channel(8);
        let stopping = stop.clone();
        actix_web::rt::spawn(async move {
            while let Some(result) = results.next().await {
                sender.send(result).await.unwrap();
                stopping.stop();
            }
        });
        ndjson(receiver.boxed()).of(&stop)
    }
    run(async {
        let server = serve(Closed::Half, |app| {
            app.route("/", get().to(async || forwarded()));
        });
        let (_, body) = Client::ask(server, "/").await.answer().await;
        assert!(body.lines().last().unwrap().starts_with("{\"end\":\"stopped\","), "{body}");
    });
}

#[test]
fn an_incomplete_answer_without_a_last_line_is_broken_off() {
    run(async {
        let (server, started) = serve_endless(|results| results);
        for (act, whole) in [(StopHandle::stop as fn(&StopHandle), false), (StopHandle::drain, true)] {
            let mut client = Client::ask(server, "/bare").await;
            client.head().await;
            client.chunk().await.unwrap();
            act(&started.lock().unwrap().take().unwrap());
            if whole {
                while let Some(chunk) = client.chunk().await {
                    assert!(!chunk.contains("end"), "{chunk}");
                }
            } else {
                let rest = client.rest().await;
                assert!(!rest.ends_with("\r\n0\r\n\r\n") && !rest.contains("end"), "{rest}");
            }
        }
    });
}

#[test]
fn a_panicking_adapter_fails_the_stream_but_not_the_connection() {
    fn odd() -> impl Stream<Item = Result<u64, ItemError>> {
        stream::iter(0..9u64).map(|n| if n == 2 { quiet_panic("a secret") } else { Ok(n) })
    }
    run(async {
        let server = serve(Closed::Half, |app| {
            app.route("/", get().to(async || ndjson(odd())));
            app.route("/causes", get().to(async || events(odd()).with_causes()));
        });
        let mut client = Client::ask(server, "/").await;
        let end = r#"{"end":"failed","results":2,"failures":0,"error":"the stream of results panicked"#;
        assert_eq!(client.answer().await.1, format!("0\n1\n{end}\"}}\n"));
        client.get("/causes").await;
        assert!(client.answer().await.1.ends_with(&format!("event: end\ndata: {end}: a secret\"}}\n\n")));
    });
}

#[test]
fn http_1_0_gets_no_chunk_sizes_in_its_data() {
    run(async {
        let server = serve(Closed::Half, |app| {
            app.route("/lines", get().to(async || ndjson(stream::iter([Ok(7u32)]))));
            app.route("/events", get().to(async || events(stream::iter([Ok(7u32)]))));
        });
        let end = r#"{"end":"complete","results":1,"failures":0}"#;
        for (path, expected) in
            [("/lines", format!("7\n{end}\n")), ("/events", format!("id: 0\ndata: 7\n\nevent: end\ndata: {end}\n\n"))]
        {
            for keep in ["", "Connection: keep-alive\r\n"] {
                let mut client = Client::connect(server).await;
                client.send(&format!("GET {path} HTTP/1.0\r\n{keep}\r\n")).await;
                let head = client.head().await;
                assert_eq!((head.status, head.get("transfer-encoding"), head.get("connection")), (200, None, None));
                assert_eq!(client.rest().await, expected);
            }
        }
    });
}
