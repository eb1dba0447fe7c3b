//! Clients that disconnect on HTTP/1.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_fan::web::{Events, Refused, WriteJson, events, submit};
use actix_fan::{FanIn, FanOutExt, Pool, StopHandle, pool};
use actix_web::web::{Data, get};

use crate::client::Client;
use crate::endless_pool::EndlessPool;
use crate::server::{Closed, Started, serve};
use crate::support::{Count, Gate, assert_settled, run};

/// A server of endless events; the one that is quiet yields none.
fn endless(closed: Closed, quiet: bool, heartbeat: Duration) -> (SocketAddr, Started) {
    let started = Started::default();
    let told = Arc::clone(&started);
    let server = serve(closed, move |app| {
        let told = Arc::clone(&told);
        let handler = move || {
            let numbers: FanIn<u64> = (0u64..).fan_out().filter_map(move |n| (!quiet).then_some(n)).unwrap();
            *told.lock().unwrap() = Some(numbers.stop_handle());
            let events: Events<_, WriteJson<u64>> = events(numbers).opening("start", "").heartbeat(heartbeat);
            std::future::ready(events)
        };
        app.route("/", get().to(handler));
    });
    (server, started)
}

async fn started(server: SocketAddr, started: &Started) -> (Client, StopHandle) {
    let mut client = Client::ask(server, "/").await;
    client.head().await;
    assert!(client.chunk().await.unwrap().starts_with("event: start\n"));
    let stop = started.lock().unwrap().take().unwrap();
    assert!(!stop.is_stopped());
    (client, stop)
}

/// The test hangs, and so fails, unless the pipeline ends.
async fn assert_stops(stop: &StopHandle) {
    stop.finished().await.unwrap();
    assert!(stop.is_stopped());
    assert_settled(&stop.stats());
}

#[test]
fn a_disconnect_while_results_are_sent_stops_the_pipeline() {
    run(async {
        for closed in [Closed::Half, Closed::Gone] {
            let (server, handles) = endless(closed, false, Duration::ZERO);
            let (client, stop) = started(server, &handles).await;
            drop(client);
            assert_stops(&stop).await;
        }
    });
}

#[test]
fn the_heartbeat_of_a_quiet_stream_notices_a_disconnect() {
    run(async {
        let (server, handles) = endless(Closed::Half, true, Duration::from_millis(5));
        let (client, stop) = started(server, &handles).await;
        drop(client);
        assert_stops(&stop).await;
    });
}

#[test]
fn a_disconnect_of_a_quiet_stream_is_noticed_at_once_unless_half_closed_connections_are_allowed() {
    run(async {
        let (server, handles) = endless(Closed::Gone, true, Duration::ZERO);
        let (client, stop) = started(server, &handles).await;
        drop(client);
        assert_stops(&stop).await;
    });
}

#[test]
fn a_reset_of_a_quiet_stream_is_always_noticed_at_once() {
    run(async {
        for closed in [Closed::Half, Closed::Gone] {
            let (server, handles) = endless(closed, true, Duration::ZERO);
            let (client, stop) = started(server, &handles).await;
            client.reset();
            assert_stops(&stop).await;
        }
    });
}

fn serve_pool(pool: &Pool<(), ()>, closed: Closed) -> SocketAddr {
    let pool = pool.clone();
    serve(closed, move |app| {
        app.app_data(Data::new(pool.clone())).route("/", get().to(handler));
    })
}

async fn handler(pool: Data<Pool<(), ()>>) -> Result<&'static str, Refused> {
    submit(&pool, ()).await?;
    Ok("done")
}

#[test]
fn a_disconnect_cancels_the_item_of_a_request_unless_half_closed_connections_are_allowed() {
    run(async {
        let endless = EndlessPool::new();
        let server = serve_pool(&endless.pool, Closed::Gone);
        let client = Client::ask(server, "/").await;
        endless.begun.reached(1).await;
        drop(client);
        endless.cancelled.reached(1).await;
        endless.pool.drain();
        assert_eq!(endless.pool.finished().await.unwrap().skipped, 1);
    });
}

#[test]
fn a_reset_always_cancels_the_item_of_a_request() {
    run(async {
        let endless = EndlessPool::new();
        let server = serve_pool(&endless.pool, Closed::Half);
        let client = Client::ask(server, "/").await;
        endless.begun.reached(1).await;
        client.reset();
        endless.cancelled.reached(1).await;
        endless.pool.drain();
        assert_eq!(endless.pool.finished().await.unwrap().skipped, 1);
    });
}

#[test]
fn a_half_closed_client_gets_its_answer_where_allowed() {
    run(async {
        let (begun, gate) = (Count::new(), Gate::new());
        let (begin, pass) = (begun.clone(), gate.clone());
        let work = move |()| {
            begin.add();
            pass.pass();
        };
        let pool = pool().workers(1).map(work).unwrap();
        let server = serve_pool(&pool, Closed::Half);
        let mut client = Client::ask(server, "/").await;
        client.half_close().await;
        begun.reached(1).await;
        gate.open();
        assert_eq!(client.answer().await, (200, "done".to_owned()));
    });
}
