//! All streams of an application: their permits, and their common end.

use std::future::{pending, ready};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex};

use actix_fan::web::{Permit, Refused, Streams, events, ndjson};
use actix_fan::{FanOutExt, ItemError};
use actix_web::web::{Data, get};
use actix_web::{HttpResponse, Responder};
use futures::{StreamExt, join, poll, stream};

use crate::client::Client;
use crate::server::{Closed, serve};
use crate::support::{Gate, run, settle};

/// `/numbers`: endless; `/gated`: each item waits at the gate; `/quiet`: of no pipeline, and without results.
fn serve_streams(streams: &Streams, gate: &Gate) -> SocketAddr {
    let (streams, gate) = (streams.clone(), gate.clone());
    serve(Closed::Gone, move |app| {
        let gate = gate.clone();
        let gated = move |streams: Data<Streams>| {
            let gate = gate.clone();
            ready(streams.permit().map(|permit| {
                let work = move |n: u64| {
                    gate.pass();
                    n
                };
                events((0u64..).fan_out().workers(1).window(1).map(work).unwrap()).opening("start", "").permit(permit)
            }))
        };
        app.app_data(Data::new(streams.clone()))
            .route("/numbers", get().to(numbers))
            .route("/gated", get().to(gated))
            .route("/quiet", get().to(quiet));
    })
}

async fn numbers(streams: Data<Streams>) -> Result<impl Responder, Refused> {
    let permit = streams.permit()?;
    Ok(ndjson((0u64..).fan_out().workers(1).map(|n| n).unwrap()).permit(permit))
}

async fn quiet(streams: Data<Streams>) -> Result<impl Responder, Refused> {
    let permit = streams.permit()?;
    Ok(events(stream::pending::<Result<u64, ItemError>>()).opening("start", "").permit(permit))
}

async fn begun(server: SocketAddr, path: &str) -> Client {
    let mut client = Client::ask(server, path).await;
    assert_eq!(client.head().await.status, 200);
    client.chunk().await.unwrap();
    client
}

/// The last line or event of what follows.
async fn end(client: &mut Client) -> String {
    let mut last = String::new();
    while let Some(chunk) = client.chunk().await {
        last = chunk;
    }
    let line = last.lines().rfind(|line| !line.is_empty()).unwrap();
    line.trim_start_matches("data: ").to_owned()
}

#[test]
fn a_stream_beyond_the_limit_is_a_503_until_the_threads_of_another_have_ended() {
    run(async {
        let (streams, gate) = (Streams::new(1), Gate::new());
        let server = serve_streams(&streams, &gate);
        let client = begun(server, "/gated").await;
        gate.arrived(1).await;
        let mut refused = Client::ask(server, "/gated").await;
        let head = refused.head().await;
        assert_eq!((head.status, head.get("retry-after")), (503, Some("5")));
        // The connection is gone, and the item still runs: its thread would be one more than there may be.
        client.reset();
        let mut stopped = Client::ask(server, "/gated").await;
        assert_eq!(stopped.head().await.status, 503);
        assert_eq!((streams.stats().open, streams.stats().refused), (1, 2));
        gate.open();
        streams.finished().await;
        assert_eq!(streams.stats().open, 0);
        begun(server, "/gated").await;
    });
}

#[test]
fn an_unused_permit_is_returned() {
    let streams = Streams::new(1);
    let permit: Permit = streams.permit().unwrap();
    assert!(matches!(streams.permit(), Err(Refused::Full { .. })));
    let stats = serde_json::to_value(streams.stats()).unwrap();
    assert_eq!(stats, serde_json::json!({ "open": 1, "limit": 1, "refused": 1, "stalled": 0 }));
    drop(permit);
    assert_eq!(streams.stats().open, 0);
    assert!(matches!(Streams::new(0).permit(), Err(Refused::Full { .. })));
}

#[test]
fn a_stop_ends_every_stream_with_its_last_line_at_once_and_refuses_new_ones() {
    run(async {
        let (streams, gate) = (Streams::new(10), Gate::new());
        let server = serve_streams(&streams, &gate);
        let mut clients = Vec::new();
        for path in ["/numbers", "/numbers", "/gated", "/quiet"] {
            clients.push(begun(server, path).await);
        }
        gate.arrived(1).await;
        streams.stop();
        for client in &mut clients {
            let end = end(client).await;
            assert!(end.starts_with(r#"{"end":"stopped","results":"#), "{end}");
        }
        // Only the thread of the item that still runs is left; no last line waited for it.
        while streams.stats().open > 1 {
            settle().await;
        }
        assert_eq!(streams.stats().open, 1);
        let mut refused = Client::ask(server, "/numbers").await;
        let head = refused.head().await;
        assert_eq!((head.status, head.get("retry-after")), (503, None));
        gate.open();
        streams.finished().await;
    });
}

#[test]
fn a_shutdown_drains_until_its_deadline() {
    run(async {
        let (streams, gate) = (Streams::new(10), Gate::new());
        let server = serve_streams(&streams, &gate);
        let mut draining = begun(server, "/gated").await;
        gate.arrived(1).await;
        let mut shutdown = pin!(streams.shutdown(pending()));
        // Its first poll begins the drain.
        assert!(poll!(&mut shutdown).is_pending());
        gate.open();
        let (last, ()) = join!(end(&mut draining), shutdown);
        assert_eq!(last, r#"{"end":"drained","results":1,"failures":0}"#);

        // What no pipeline is known of can only be stopped.
        let streams = Streams::new(10);
        let server = serve_streams(&streams, &gate);
        let mut quiet = begun(server, "/quiet").await;
        streams.shutdown(async { settle().await }).await;
        assert!(end(&mut quiet).await.starts_with(r#"{"end":"stopped","#));
    });
}

#[test]
fn a_stream_whose_permit_is_older_than_the_stop_ends_at_once() {
    run(async {
        let streams = Streams::new(1);
        let permits = Arc::new(Mutex::new(Some(streams.permit().unwrap())));
        streams.stop();
        let server = serve(Closed::Half, move |app| {
            let permits = Arc::clone(&permits);
            let handler = move || {
                let permit = permits.lock().unwrap().take().unwrap();
                ready(ndjson(stream::pending::<Result<u64, ItemError>>().chain(stream::pending())).permit(permit))
            };
            app.route("/", get().to(handler)).route("/other", get().to(HttpResponse::Ok));
        });
        let mut client = Client::ask(server, "/").await;
        assert_eq!(client.answer().await.1, "{\"end\":\"stopped\",\"results\":0,\"failures\":0}\n");
        streams.finished().await;
    });
}
